package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// endMargin is how much the clocks of the writers of a job may differ. endedRow allows for it.
const endMargin = time.Hour

// endRow is the item of the end of a job's last run. It expires later than the row of the job. Its sort key has another prefix, so
// queries for jobs do not read it. Its attributes mean the same as those of a [jobRow].
type endRow struct {
	Owner      string  `dynamodbav:"owner"`
	Entry      string  `dynamodbav:"entry"`
	ExpiresAt  int64   `dynamodbav:"expiresAt"`
	Epoch      string  `dynamodbav:"epoch"`
	NamedEpoch *string `dynamodbav:"namedEpoch,omitempty"`
	Seq        int64   `dynamodbav:"seq"`
	Terminal   bool    `dynamodbav:"terminal"`
	UpdatedAt  string  `dynamodbav:"updatedAt"`
	// FailedAttempt is the attempt whose failure ended the run, if it has named itself. A later attempt continues the run. Otherwise it
	// is absent.
	FailedAttempt int64 `dynamodbav:"failedAttempt,omitempty"`
}

// putEnd stores the end of a run, unless the end of a newer run, or a later end of the same run, is stored.
func (f *Feed) putEnd(ctx context.Context, r feed.Row) error {
	row := endRow{
		Owner: r.Owner, Entry: endEntry(r.State.UploadID), ExpiresAt: r.ExpiresAt().Add(feed.EndedRunRetention).Unix(),
		Epoch: r.Epoch, Seq: r.Seq, Terminal: true, UpdatedAt: formatTime(r.UpdatedAt),
	}
	if r.EpochFromTime || r.NamedEpoch != "" {
		row.NamedEpoch = &r.NamedEpoch
	}
	if r.State.Status == message.StatusFailed {
		row.FailedAttempt = r.State.Attempt
	}
	it, err := marshal(row)
	if err != nil {
		return err
	}
	_, err = f.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &f.Table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#entry) OR #epoch < :epoch OR (#epoch = :epoch AND #seq <= :seq)"),
		ExpressionAttributeNames:  map[string]string{"#entry": "entry", "#epoch": "epoch", "#seq": "seq"},
		ExpressionAttributeValues: item{":epoch": stringValue(r.Epoch), ":seq": numberValue(r.Seq)},
	})
	if _, newer := conflictingItem(err); err != nil && !newer {
		return fmt.Errorf("put end: %w", err)
	}
	return nil
}

// endedRow returns the end of the job's last run, for a job without a row. The end is an Unreadable row, because it has no state except
// the attempt that has failed. If there is no end, endedRow returns a row whose Seq is 0.
//
// It does not read the end if u has no epoch, because u then begins a new run. It does not read it either if the run of u began less
// than [feed.JobTTL] ago (minus endMargin), because the row of that run or of a newer one would still be stored.
func (f *Feed) endedRow(ctx context.Context, owner string, u feed.Update) (feed.Row, error) {
	const timeLength = len("2006-01-02T15:04:05.000Z")
	none := feed.Row{Owner: owner}
	if u.Epoch == "" {
		return none, nil
	}
	began, err := time.Parse(time.RFC3339, u.Epoch[:min(timeLength, len(u.Epoch))])
	if err == nil && f.now().Sub(began) < feed.JobTTL-endMargin {
		return none, nil
	}
	it, err := f.getItem(ctx, owner, endEntry(u.State.UploadID))
	if err != nil {
		return none, fmt.Errorf("get end: %w", err)
	}
	if it == nil {
		return none, nil
	}
	row := partialRow(owner, it, f.now())
	if number, ok := it["failedAttempt"].(*types.AttributeValueMemberN); ok {
		attempt, _ := strconv.ParseInt(number.Value, 10, 64) // 0 if it is no whole number: then no attempt continues the run.
		row.State.Status, row.State.Attempt = message.StatusFailed, attempt
	}
	return row, nil
}
