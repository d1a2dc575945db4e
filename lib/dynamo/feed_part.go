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

// partNames are the attribute names in the update of a part. Several are reserved words of DynamoDB.
var partNames = map[string]string{
	"#parts": "parts", "#partsDone": "partsDone", "#partsFailed": "partsFailed", "#scope": "scope", "#seq": "seq", "#id": "id",
	"#updatedAt": "updatedAt", "#expiresAt": "expiresAt", "#message": "message", "#terminal": "terminal",
}

// partUpdate returns the UpdateItem that adds the progress of one part since row, independent of other parts. Its condition
// holds if [feed.Apply] would accept u and the execution of the row does not change.
//
//   - row has a Seq → the condition requires its epoch and, if it has the part, the counts of the part.
//   - row has no Seq, because it is not cached → the condition requires that the part is new and that the row has the
//     execution of u, on which its expiry depends.
//   - row has no epoch either → the condition allows any epoch.
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
		":done": numberValue(count.Done - stored.Done), ":failed": numberValue(count.Failed - stored.Failed),
		":scope": scope, ":one": numberValue(1), ":id": stringValue(u.ID), ":at": stringValue(formatTime(at)),
		":expired":   stringValue(formatTime(at.Add(-lifetime))), // a row that was updated then has expired
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
		set = "#parts.#part[0] = :count, #parts.#part[1] = :countFailed" // Elements that a newer version added stay.
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
