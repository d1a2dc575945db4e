package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// ClaimPush records a push by one UpdateItem, which writes a random token into the row. If the response is lost and the SDK resends
// the request, the condition fails. The token in the row then shows that this call has claimed the push. Other writes do not change
// the token.
func (f *Feed) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	token := rand.Text()
	progress, err := attributevalue.Marshal(row.WithPush(at).PushedProgress)
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	out, err := f.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &f.Table, Key: feedKey(row.Owner, jobEntry(row.State.UploadID)),
		UpdateExpression:    aws.String("SET #pushedAt = :at, #pushedSeq = #seq, #pushedProgress = :progress, #push = :push"),
		ConditionExpression: aws.String("#epoch = :epoch AND #pushedSeq = :seen AND #pushedSeq < #seq"),
		ExpressionAttributeNames: map[string]string{
			"#pushedAt": "pushedAt", "#pushedSeq": "pushedSeq", "#seq": "seq", "#pushedProgress": "pushedProgress",
			"#push": "push", "#epoch": "epoch",
		},
		ExpressionAttributeValues: item{
			":at": stringValue(formatTime(at)), ":progress": progress, ":push": stringValue(token),
			":epoch": stringValue(row.Epoch), ":seen": numberValue(row.PushedSeq),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	it := item(nil) // the newest row
	if err == nil {
		it = out.Attributes
	} else if conflicting, ok := conflictingItem(err); ok {
		it, err = conflicting, nil
		if it == nil { // The row does not exist, or the endpoint does not return it.
			it, err = f.getItem(ctx, row.Owner, jobEntry(row.State.UploadID))
		}
	}
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	if it == nil {
		return feed.Row{}, false, feed.ErrNotFound
	}
	newest, err := decodeJob(it)
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	if newest.Expired(at) {
		return feed.Row{}, false, feed.ErrNotFound
	}
	f.cache.put(storedRow{Row: newest, item: it})
	push, ok := it["push"].(*types.AttributeValueMemberS)
	return newest, ok && push.Value == token, nil
}
