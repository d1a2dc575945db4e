package dynamo

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/feed"
)

// Execution returns the pointer of an execution by a consistent read, or [feed.ErrNotFound].
func (s *Feed) Execution(ctx context.Context, arn string) (feed.Pointer, error) {
	it, err := s.item(ctx, pointerOwner(arn), pointerEntry(arn))
	if err != nil {
		return feed.Pointer{}, fmt.Errorf("get pointer: %w", err)
	}
	if it == nil {
		return feed.Pointer{}, feed.ErrNotFound
	}
	p, err := decodePointer(it)
	if err != nil {
		return feed.Pointer{}, fmt.Errorf("get pointer: %w", err)
	}
	if !s.now().Before(p.ExpiresAt()) {
		return feed.Pointer{}, feed.ErrNotFound
	}

	return p, nil
}

// Executions yields the pointers of all shards, page by page.
func (s *Feed) Executions(ctx context.Context) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		for shard := range shards {
			for it, err := range s.query(ctx, s.listing(shardOwner(shard), pointerEntry(""), false)) {
				p := feed.Pointer{}
				if err == nil {
					p, err = decodePointer(it)
				}
				if err != nil {
					yield(feed.Pointer{}, fmt.Errorf("query pointers: %w", err))

					return
				}
				if s.now().Before(p.ExpiresAt()) && !yield(p, nil) {
					return
				}
			}
		}
	}
}

// Forget deletes a pointer, unless it has been made anew since.
func (s *Feed) Forget(ctx context.Context, p feed.Pointer) error {
	err := s.deletePointer(ctx, p, "#epoch = :epoch AND #at = :at", map[string]string{"#at": "at"}, item{":at": text(stamp(p.At))})
	if err != nil {
		return fmt.Errorf("delete pointer: %w", err)
	}

	return nil
}

// point writes a pointer, unless a newer epoch's is there. It comes before the row that makes it needed: a pointer too many
// is taken away by the sweeper, one that is missing would never be missed.
func (s *Feed) point(ctx context.Context, p feed.Pointer) error {
	it, err := marshal(pointerRow{
		Owner: pointerOwner(p.Execution), Entry: pointerEntry(p.Execution), ExpiresAt: p.ExpiresAt().Unix(),
		User: p.Owner, Job: p.Job, Epoch: p.Epoch, At: stamp(p.At),
	})
	if err != nil {
		return err
	}
	_, err = s.Client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(#entry) OR #epoch <= :epoch"),
		ExpressionAttributeNames:  map[string]string{"#entry": "entry", "#epoch": "epoch"},
		ExpressionAttributeValues: item{":epoch": text(p.Epoch)},
	})
	if _, newer := conflict(err); err != nil && !newer {
		return fmt.Errorf("put pointer: %w", err)
	}

	return nil
}

// unpoint deletes the pointer to a job that has ended. Should it fail, the sweeper makes up for it.
func (s *Feed) unpoint(ctx context.Context, row feed.Row) {
	_ = s.deletePointer(ctx, row.Pointer(), "#epoch <= :epoch", nil, nil)
}

// deletePointer deletes the pointer to p's job on a condition, that may have been deleted or point elsewhere.
func (s *Feed) deletePointer(ctx context.Context, p feed.Pointer, condition string, names map[string]string, values item) error {
	in := &dynamodb.DeleteItemInput{
		TableName: &s.Table, Key: place(pointerOwner(p.Execution), pointerEntry(p.Execution)),
		ConditionExpression:       aws.String("#user = :user AND #job = :job AND " + condition),
		ExpressionAttributeNames:  map[string]string{"#user": "user", "#job": "job", "#epoch": "epoch"},
		ExpressionAttributeValues: item{":user": text(p.Owner), ":job": text(p.Job), ":epoch": text(p.Epoch)},
	}
	maps.Copy(in.ExpressionAttributeNames, names)
	maps.Copy(in.ExpressionAttributeValues, values)
	_, err := s.Client.DeleteItem(ctx, in)
	if _, changed := conflict(err); changed {
		return nil
	}

	return err //nolint:wrapcheck // the caller says what it asked for
}
