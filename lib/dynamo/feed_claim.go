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

// Claim records a push by one UpdateItem. Its token tells a repetition by the SDK, whose first try was carried out, from
// the claim of another: what is written meanwhile leaves the token in the row.
func (s *Feed) Claim(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	token := rand.Text()
	progress, err := attributevalue.Marshal(row.Claimed(at).PushedProgress)
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	out, err := s.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.Table, Key: place(row.Owner, jobEntry(row.State.UploadID)),
		UpdateExpression:    aws.String("SET #pushedAt = :at, #pushedSeq = #seq, #pushedProgress = :progress, #push = :push"),
		ConditionExpression: aws.String("#epoch = :epoch AND #pushedSeq = :seen AND #pushedSeq < #seq"),
		ExpressionAttributeNames: map[string]string{
			"#pushedAt": "pushedAt", "#pushedSeq": "pushedSeq", "#seq": "seq", "#pushedProgress": "pushedProgress",
			"#push": "push", "#epoch": "epoch",
		},
		ExpressionAttributeValues: item{
			":at": text(stamp(at)), ":progress": progress, ":push": text(token),
			":epoch": text(row.Epoch), ":seen": number(row.PushedSeq),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	it := item(nil)
	if err == nil {
		it = out.Attributes
	} else if failed, ok := conflict(err); ok {
		it, err = failed, nil
		if it == nil {
			it, err = s.item(ctx, row.Owner, jobEntry(row.State.UploadID))
		}
	}
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	if it == nil {
		return feed.Row{}, false, feed.ErrNotFound
	}
	now, err := decodeJob(it)
	if err != nil {
		return feed.Row{}, false, fmt.Errorf("claim push: %w", err)
	}
	if now.Expired(at) {
		return feed.Row{}, false, feed.ErrNotFound
	}
	s.known.keep(storedRow{Row: now, item: it})
	push, ok := it["push"].(*types.AttributeValueMemberS)

	return now, ok && push.Value == token, nil
}
