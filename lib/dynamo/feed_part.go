package dynamo

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// partNames are placeholders for the attribute names in the update of a part. Some of the names are reserved words of DynamoDB.
var partNames = map[string]string{
	"#parts": "parts", "#partsDone": "partsDone", "#partsFailed": "partsFailed", "#scope": "scope", "#seq": "seq", "#id": "id",
	"#updatedAt": "updatedAt", "#expiresAt": "expiresAt", "#message": "message", "#terminal": "terminal",
}

// partUpdate returns the UpdateItem that adds the progress of one part to the stored row, without changing other parts. row is the
// row as it was last read or written. If that is not known, row has only the owner and the epoch of u.
//
// The condition of the UpdateItem holds if [feed.Apply] would accept u and the execution of the row stays the same. The stored row
// must have
//
//   - the epoch of row, if row has a Seq or an epoch
//   - the part with the same counts as in row, or not yet if row does not have it
//   - the execution of u or of row, or none if both have none: the expiry depends on it
func (f *Feed) partUpdate(row feed.Row, u feed.Update) (*dynamodb.UpdateItemInput, error) {
	p := *u.Part
	stored, exists := row.Parts[p.ID]
	count := feed.PartCount{Done: p.Done, Failed: max(stored.Failed, p.Failed)}
	scope, err := attributevalue.Marshal(newScopeRow(feed.NewScope(p, u.At)))
	if err != nil {
		return nil, fmt.Errorf("scope: %w", err)
	}
	at := u.At.UTC().Truncate(time.Millisecond)
	execution := cmp.Or(u.Execution, row.Execution)
	expiresAt := feed.Row{UpdatedAt: at, Execution: execution}.ExpiresAt()
	lifetime := expiresAt.Sub(at)
	names := map[string]string{"#part": p.ID}
	maps.Copy(names, partNames)
	values := item{
		// The sums grow by the difference to the stored part.
		":done": numberValue(count.Done - stored.Done), ":failed": numberValue(count.Failed - stored.Failed),
		":scope": scope, ":one": numberValue(1), ":id": stringValue(u.ID), ":at": stringValue(formatTime(at)),
		":expired":   stringValue(formatTime(at.Add(-lifetime))), // A row has expired if its last update was then or earlier.
		":expiresAt": numberValue(expiresAt.Unix()), ":message": stringValue(u.State.Message),
	}
	condition := "attribute_exists(#parts) AND attribute_not_exists(#terminal) AND #updatedAt > :expired"
	if row.Seq > 0 || row.Epoch != "" {
		condition += " AND #epoch = :epoch"
		names["#epoch"], values[":epoch"] = "epoch", stringValue(row.Epoch)
	}
	names["#execution"] = "execution"
	if execution == "" {
		condition += " AND attribute_not_exists(#execution)"
	} else {
		condition += " AND #execution = :execution"
		values[":execution"] = stringValue(execution)
	}
	set := "#parts.#part = :count"
	if exists {
		condition += " AND #parts.#part[0] = :hadDone AND #parts.#part[1] = :hadFailed"
		values[":hadDone"], values[":hadFailed"] = numberValue(stored.Done), numberValue(stored.Failed)
		// A part is [done, failed]. A newer version may have added elements, which stay.
		set = "#parts.#part[0] = :count, #parts.#part[1] = :countFailed"
		values[":count"], values[":countFailed"] = numberValue(count.Done), numberValue(count.Failed)
	} else {
		values[":count"] = partCountValue(count)
		condition += " AND attribute_not_exists(#parts.#part) AND size(#parts) < :max"
		values[":max"] = numberValue(feed.MaxParts)
	}

	return &dynamodb.UpdateItemInput{
		TableName: &f.Table, Key: feedKey(row.Owner, jobEntry(u.State.UploadID)),
		UpdateExpression: aws.String("SET " + set + ", #partsDone = #partsDone + :done, #partsFailed = #partsFailed + :failed, " +
			"#scope = if_not_exists(#scope, :scope), #seq = #seq + :one, #id = :id, #updatedAt = :at, #expiresAt = :expiresAt, #message = :message"),
		ConditionExpression:                 aws.String(condition),
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, nil
}

func partCountValue(c feed.PartCount) types.AttributeValue {
	return &types.AttributeValueMemberL{Value: []types.AttributeValue{numberValue(c.Done), numberValue(c.Failed)}}
}
