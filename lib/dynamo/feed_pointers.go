package dynamo

import (
	"context"
	"fmt"
	"iter"
	"maps"
	mathrand "math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/feed"
)

// PointersOf yields the pointers of an execution by consistent reads, page by page.
func (f *Feed) PointersOf(ctx context.Context, arn string) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		for p, err := range f.pointers(ctx, f.entriesQuery(pointerOwner(arn), pointerEntryPrefix(arn), true)) {
			if err == nil && p.Execution != arn {
				continue // The prefix also matches an ARN that continues with # after arn.
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// AllPointers yields the pointers of all shards, page by page. It starts at a random shard, so that every shard is read in
// time even if each call can only read some. An error stands for one pointer or for the rest of a shard.
func (f *Feed) AllPointers(ctx context.Context) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		first := mathrand.IntN(pointerShards)
		for n := range pointerShards {
			for p, err := range f.pointers(ctx, f.entriesQuery(shardOwner((first+n)%pointerShards), pointerPrefix, false)) {
				if !yield(p, err) {
					return
				}
			}
		}
	}
}

// pointers yields the pointers of a query. It yields an error for a pointer that cannot be decoded, and continues.
func (f *Feed) pointers(ctx context.Context, q *dynamodb.QueryInput) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		for it, err := range f.query(ctx, q) {
			p := feed.Pointer{}
			if err == nil {
				p, err = decodePointer(it)
			}
			if err != nil {
				p, err = feed.Pointer{}, fmt.Errorf("query pointers: %w", err)
			}
			if expired := err == nil && !f.now().Before(p.ExpiresAt()); expired {
				continue
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// DeletePointer deletes the stored pointer if its epoch and time are still those of p.
func (f *Feed) DeletePointer(ctx context.Context, p feed.Pointer) error {
	err := f.deletePointer(ctx, p, "#epoch = :epoch AND #at = :at", map[string]string{"#at": "at"}, item{":at": stringValue(formatTime(p.At))})
	if err != nil {
		return fmt.Errorf("delete pointer: %w", err)
	}
	return nil
}

// putPointer writes a pointer. The caller writes the pointer before the row: the sweeper deletes a pointer without a row, but
// nothing would find a row without a pointer.
//
//   - No pointer is stored, or one of an older or the same epoch → p is written.
//   - A pointer of a newer epoch is stored → it stays, because p is of an older run.
//   - The pointer of a newer epoch is older than [feed.JobTTL] → p is written, because the row of that run may be deleted.
func (f *Feed) putPointer(ctx context.Context, p feed.Pointer) error {
	it, err := marshal(pointerRow{
		Owner: ownerOfPointer(p), Entry: pointerEntry(p), ExpiresAt: p.ExpiresAt().Unix(),
		User: p.Owner, Job: p.Job, Epoch: p.Epoch, Attempt: p.Attempt, At: formatTime(p.At),
	})
	if err != nil {
		return err
	}
	_, err = f.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &f.Table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#entry) OR #epoch <= :epoch OR #at <= :old"),
		ExpressionAttributeNames:  map[string]string{"#entry": "entry", "#epoch": "epoch", "#at": "at"},
		ExpressionAttributeValues: item{":epoch": stringValue(p.Epoch), ":old": stringValue(formatTime(p.At.Add(-feed.JobTTL)))},
	})
	if _, newer := conflictingItem(err); err != nil && !newer {
		return fmt.Errorf("put pointer: %w", err)
	}
	return nil
}

// deletePointerOf deletes the pointer to a job that has ended, unless the pointer is of a newer epoch, or of a later attempt that has
// continued the job. It ignores errors, because the sweeper deletes pointers that are left.
func (f *Feed) deletePointerOf(ctx context.Context, row feed.Row) {
	_ = f.deletePointer(ctx, row.Pointer(), "#epoch <= :epoch AND (#epoch < :epoch OR attribute_not_exists(#attempt) OR #attempt <= :attempt)",
		map[string]string{"#attempt": "attempt"}, item{":attempt": numberValue(row.Attempt)})
}

// deletePointer deletes the pointer from p's execution to p's job on a condition. It returns nil if the condition fails. names and
// values are the placeholders of the condition, except #epoch and :epoch.
func (f *Feed) deletePointer(ctx context.Context, p feed.Pointer, condition string, names map[string]string, values item) error {
	in := &dynamodb.DeleteItemInput{
		TableName: &f.Table, Key: feedKey(ownerOfPointer(p), pointerEntry(p)),
		ConditionExpression:       aws.String(condition),
		ExpressionAttributeNames:  map[string]string{"#epoch": "epoch"},
		ExpressionAttributeValues: item{":epoch": stringValue(p.Epoch)},
	}
	maps.Copy(in.ExpressionAttributeNames, names)
	maps.Copy(in.ExpressionAttributeValues, values)
	_, err := f.Client.DeleteItem(ctx, in)
	if _, changed := conflictingItem(err); changed || err == nil {
		return nil
	}
	return fmt.Errorf("delete item: %w", err)
}
