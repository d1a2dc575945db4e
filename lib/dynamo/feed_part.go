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

// failuresAttribute is the name of the map with the failed steps of parts.
const failuresAttribute = "failures"

// partRow is the attribute of a part: the number of its done steps. Its failed steps are in the map failures if it has some, because
// most parts have none, and DynamoDB charges each update by the size of the whole row.
// About 64 parts fit into a row of one write unit. 256 cannot, in any form that older versions write: they recognize the repetition of
// a part by its id in the map, and 256 entries with ids of three digits take over 1 KB.
//
// A run that an older version began has no map failures. Its parts are lists, [done, failed], until the run ends, because a process
// of the older version may still write some of them. A newer version may add numbers to a list.
type partRow struct {
	numbers []int64
	isList  bool
}

// MarshalDynamoDBAttributeValue returns a number or a list of numbers.
func (p partRow) MarshalDynamoDBAttributeValue() (types.AttributeValue, error) {
	if p.isList {
		return attributevalue.Marshal(p.numbers)
	}
	return numberValue(p.numbers[0]), nil
}

// UnmarshalDynamoDBAttributeValue decodes a number or a list of numbers.
func (p *partRow) UnmarshalDynamoDBAttributeValue(v types.AttributeValue) error {
	if _, p.isList = v.(*types.AttributeValueMemberL); p.isList {
		return attributevalue.Unmarshal(v, &p.numbers)
	}
	p.numbers = make([]int64, 1)
	return attributevalue.Unmarshal(v, &p.numbers[0])
}

// encodeParts returns the attributes parts and failures. A part is a list if it is one in the item before, or if the row has no
// failures.
func encodeParts(counts map[string]feed.PartCount, before item, hasFailures bool) (parts map[string]partRow, failures map[string]int64) {
	parts, failures = make(map[string]partRow, len(counts)), map[string]int64{}
	for id, count := range counts {
		switch {
		case !hasFailures || isListPart(before, id):
			parts[id] = partRow{numbers: []int64{count.Done, count.Failed}, isList: true}
		default:
			parts[id] = partRow{numbers: []int64{count.Done}}
			if count.Failed > 0 {
				failures[id] = count.Failed
			}
		}
	}
	return parts, failures
}

// isListPart reports whether a part of an item is a list.
func isListPart(it item, id string) bool {
	parts, ok := it["parts"].(*types.AttributeValueMemberM)
	if !ok {
		return false
	}
	_, isList := parts.Value[id].(*types.AttributeValueMemberL)
	return isList
}

// partNames are placeholders for the attribute names in the update of a part. Some of the names are reserved words of DynamoDB.
var partNames = map[string]string{
	"#parts": "parts", "#partsDone": "partsDone", "#partsFailed": "partsFailed", "#scope": "scope", "#seq": "seq", "#id": "id",
	"#updatedAt": "updatedAt", "#expiresAt": "expiresAt", "#message": "message", "#terminal": "terminal",
}

// partChange is the part of an UpdateItem that changes one part: terms of its condition and of its SET, with their names and values.
type partChange struct {
	condition, set string
	names          map[string]string
	values         item
}

// newPartChange returns the change of a part from its count in row to count. exists is false if row does not have the part. The
// condition does not hold if the stored part is another one.
func newPartChange(row storedRow, id string, exists bool, count feed.PartCount) partChange {
	stored := row.Parts[id]
	c := partChange{names: map[string]string{"#part": id}, values: item{":count": numberValue(count.Done)}}
	switch {
	case exists && isListPart(row.item, id):
		c.condition = "#parts.#part[0] = :hadDone AND #parts.#part[1] = :hadFailed"
		c.set = "#parts.#part[0] = :count, #parts.#part[1] = :countFailed"
		c.values[":hadDone"], c.values[":hadFailed"] = numberValue(stored.Done), numberValue(stored.Failed)
		c.values[":countFailed"] = numberValue(count.Failed)
		return c
	case exists:
		c.condition, c.set = "#parts.#part = :hadDone", "#parts.#part = :count"
		c.values[":hadDone"] = numberValue(stored.Done)
	default:
		c.condition, c.set = "attribute_not_exists(#parts.#part) AND size(#parts) < :max", "#parts.#part = :count"
		c.values[":max"] = numberValue(feed.MaxParts)
		if row.item != nil && row.item[failuresAttribute] == nil {
			c.values[":count"] = &types.AttributeValueMemberL{Value: []types.AttributeValue{numberValue(count.Done), numberValue(count.Failed)}}
			return c
		}
	}

	c.names["#failures"] = failuresAttribute
	switch {
	case !exists:
		c.condition += " AND attribute_exists(#failures)"
	case stored.Failed > 0:
		c.condition += " AND #failures.#part = :hadFailed"
		c.values[":hadFailed"] = numberValue(stored.Failed)
	default:
		c.condition += " AND attribute_not_exists(#failures.#part)"
	}
	if count.Failed != stored.Failed {
		c.set += ", #failures.#part = :countFailed"
		c.values[":countFailed"] = numberValue(count.Failed)
	}
	return c
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
//   - the same time as in row after which the job ends, for the same reason
//   - no higher attempt than u, if u names an attempt
//   - no state that was sent after u, if u names when it was sent. If row has such a state, the stored row must have one, too: then
//     u does not change the message.
func (f *Feed) partUpdate(row storedRow, u feed.Update) (*dynamodb.UpdateItemInput, error) {
	p := *u.Part
	stored, exists := row.Parts[p.ID]
	count := feed.PartCount{Done: p.Done, Failed: max(stored.Failed, p.Failed)}
	scope, err := attributevalue.Marshal(newScopeRow(feed.NewScope(p, u.At)))
	if err != nil {
		return nil, fmt.Errorf("scope: %w", err)
	}
	at := u.At.UTC().Truncate(time.Millisecond)
	execution := cmp.Or(u.Execution, row.Execution)
	if row.Supersedes(u) && row.Execution != "" {
		execution = row.Execution
	}
	expiresAt := feed.Row{UpdatedAt: at, Execution: execution, EndAfter: row.EndAfter}.ExpiresAt()
	lifetime := expiresAt.Sub(at)
	change := newPartChange(row, p.ID, exists, count)
	names := maps.Clone(partNames)
	maps.Copy(names, change.names)
	values := item{
		// The sums grow by the difference to the stored part.
		":done": numberValue(count.Done - stored.Done), ":failed": numberValue(count.Failed - stored.Failed),
		":scope": scope, ":one": numberValue(1), ":id": stringValue(u.ID), ":at": stringValue(formatTime(at)),
		":expired":   stringValue(formatTime(at.Add(-lifetime))), // A row has expired if its last update was then or earlier.
		":expiresAt": numberValue(expiresAt.Unix()), ":message": stringValue(u.State.Message),
	}
	maps.Copy(values, change.values)
	condition := "attribute_exists(#parts) AND attribute_not_exists(#terminal) AND #updatedAt > :expired AND " + change.condition
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
	names["#endAfter"] = "endAfter"
	if row.EndAfter == 0 {
		condition += " AND attribute_not_exists(#endAfter)"
	} else {
		condition += " AND #endAfter = :endAfter"
		values[":endAfter"] = numberValue(row.EndAfter)
	}
	set := change.set + ", #message = :message"
	if u.State.Attempt > 0 {
		condition += " AND (attribute_not_exists(#attempt) OR #attempt <= :attempt)"
		names["#attempt"], values[":attempt"] = "attempt", numberValue(u.State.Attempt)
	}
	if !u.SentAt.IsZero() {
		names["#sentAt"], values[":sentAt"] = "sentAt", numberValue(formatMillis(u.SentAt))
		if row.Supersedes(u) {
			condition += " AND #sentAt > :sentAt"
			set = change.set
			delete(names, "#message")
			delete(values, ":message")
		} else {
			condition += " AND (attribute_not_exists(#sentAt) OR #sentAt <= :sentAt)"
		}
	}
	return &dynamodb.UpdateItemInput{
		TableName: &f.Table, Key: feedKey(row.Owner, jobEntry(u.State.UploadID)),
		UpdateExpression: aws.String("SET " + set + ", #partsDone = #partsDone + :done, #partsFailed = #partsFailed + :failed, " +
			"#scope = if_not_exists(#scope, :scope), #seq = #seq + :one, #id = :id, #updatedAt = :at, #expiresAt = :expiresAt"),
		ConditionExpression:                 aws.String(condition),
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, nil
}
