package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/connection"
)

// usageSuffix follows the connection's id in the key of the row that counts what it asks for. API Gateway's ids have no #.
const usageSuffix = "#usage"

// Count adds to a row of its own, by one UpdateItem. The row has neither user nor session, so that no index holds it: a
// counter under each action's name, one for each of the last minutes, and the time from which it may be dropped. It is
// made anew where it is missing.
func (s *Connections) Count(ctx context.Context, id, action string, at time.Time) (connection.Usage, error) {
	minute := connection.Minute(at)
	out, err := s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: connectionKey(id + usageSuffix),
		UpdateExpression: aws.String("ADD #minute :one, #action :one SET expiresAt = :expires REMOVE #before, #earlier"),
		ExpressionAttributeNames: map[string]string{
			"#action": action, "#minute": minuteCounter(minute), "#before": minuteCounter(minute - 1), "#earlier": minuteCounter(minute - 2),
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":one": sessionNumber(1), ":expires": sessionNumber(at.Add(connection.MaxDuration).Unix()),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	if err != nil {
		return connection.Usage{}, fmt.Errorf("count requests: %w", err)
	}
	inMinute, err := counter(out.Attributes[minuteCounter(minute)])
	if err != nil {
		return connection.Usage{}, err
	}
	ofAction, err := counter(out.Attributes[action])
	if err != nil {
		return connection.Usage{}, err
	}

	return connection.Usage{Minute: inMinute, Action: ofAction}, nil
}

func minuteCounter(minute int64) string { return "m" + strconv.FormatInt(minute, 10) }

func counter(value types.AttributeValue) (int, error) {
	number, ok := value.(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("count requests: counter is a %T", value)
	}
	n, err := strconv.Atoi(number.Value)
	if err != nil {
		return 0, fmt.Errorf("count requests: %w", err)
	}

	return n, nil
}
