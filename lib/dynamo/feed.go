package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// Feed is a [feed.Store] on the feed table. Its zero caches are ready; it must not be copied.
//
//	user/<id>     job#<job>           the newest state of a job
//	user/<id>     note#<ULID>         a note
//	user/<id>     key#<hash>          which note came first with an idempotency key
//	exec/<shard>  exec#<ARN>#<hash>   a job, by owner and id, that ends with an execution
type Feed struct {
	Client *dynamodb.Client
	Table  string
	// Log is silent when nil.
	Log *slog.Logger
	// Now returns the current time; nil is time.Now. Reads take rows whose life is over by it for absent.
	Now func() time.Time

	cache rowCache
}

const (
	// pointerShards is over how many partitions the pointers are spread.
	pointerShards = 16
	// pointerPrefix begins the entry of every pointer.
	pointerPrefix = "exec#"
)

func jobEntry(job string) string           { return "job#" + job }
func noteEntry(id string) string           { return "note#" + id }
func keyEntry(hash string) string          { return "key#" + hash }
func pointerEntryPrefix(arn string) string { return pointerPrefix + arn + "#" }
func shardOwner(shard int) string          { return fmt.Sprintf("exec/%02x", shard) }
func pointerOwner(arn string) string {
	return shardOwner(int(sha256.Sum256([]byte(arn))[0]) % pointerShards)
}
func feedKey(owner, entry string) item {
	return item{"owner": stringValue(owner), "entry": stringValue(entry)}
}
func stringValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// pointerEntry returns the entry of a pointer. Users may have jobs of the same id, and ids any character: hence the hash.
func pointerEntry(p feed.Pointer) string {
	return pointerEntryPrefix(p.Execution) + keyHash(fmt.Sprintf("%q %q", p.Owner, p.Job))
}

// keyHash returns what the table holds of an idempotency key.
func keyHash(key string) string {
	const hashLen = 16
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:hashLen])
}

func (s *Feed) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Feed) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// Job returns the row of a job by a consistent read, or [feed.ErrNotFound].
func (s *Feed) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	it, err := s.getItem(ctx, owner, jobEntry(job))
	if err != nil {
		return feed.Row{}, fmt.Errorf("get job: %w", err)
	}
	if it == nil {
		return feed.Row{}, feed.ErrNotFound
	}
	row, err := decodeJob(it)
	if err != nil {
		return feed.Row{}, fmt.Errorf("get job: %w", err)
	}
	if row.Expired(s.now()) {
		return feed.Row{}, feed.ErrNotFound
	}

	return row, nil
}

// getRow returns the row of a job, whether or not its life is over, or a row without Seq.
func (s *Feed) getRow(ctx context.Context, owner, job string) (storedRow, error) {
	it, err := s.getItem(ctx, owner, jobEntry(job))
	if err != nil {
		return storedRow{}, fmt.Errorf("get job: %w", err)
	}
	return s.decodeStored(ctx, owner, job, it), nil
}

// Jobs yields the rows of an owner by consistent reads, page by page. Those that cannot be read are logged.
func (s *Feed) Jobs(ctx context.Context, owner string) iter.Seq2[feed.Row, error] {
	return s.JobsAfter(ctx, owner, "")
}

// JobsAfter yields rows of an owner by consistent reads, page by page.
func (s *Feed) JobsAfter(ctx context.Context, owner, after string) iter.Seq2[feed.Row, error] {
	return func(yield func(feed.Row, error) bool) {
		q := s.unexpiredJobs(owner)
		if after != "" {
			q.ExclusiveStartKey = feedKey(owner, jobEntry(truncatedID(after)))
		}
		for it, err := range s.query(ctx, q) {
			if err != nil {
				yield(feed.Row{}, fmt.Errorf("query jobs: %w", err))
				return
			}
			row, err := decodeJob(it)
			if err != nil {
				s.log().WarnContext(ctx, "job's row cannot be read", "entry", entryOf(it), "err", err)
				continue
			}
			if !row.Expired(s.now()) && !yield(row, nil) {
				return
			}
		}
	}
}

// unexpiredJobs is the query for the jobs of an owner whose life is not over. The others, which are only remembered, are read
// all the same, but do not travel.
func (s *Feed) unexpiredJobs(owner string) *dynamodb.QueryInput {
	q := s.entriesQuery(owner, jobEntry(""), true)
	q.FilterExpression = aws.String("#updatedAt > :living OR attribute_exists(#execution) AND attribute_not_exists(#terminal)")
	q.ExpressionAttributeNames["#updatedAt"] = "updatedAt"
	q.ExpressionAttributeNames["#execution"] = "execution"
	q.ExpressionAttributeNames["#terminal"] = "terminal"
	q.ExpressionAttributeValues[":living"] = stringValue(formatTime(s.now().Add(-feed.JobTTL)))
	return q
}

// entryOf returns the sort key of an item, for the log.
func entryOf(it item) string {
	if entry, ok := it["entry"].(*types.AttributeValueMemberS); ok {
		return entry.Value
	}
	return ""
}

// getItem returns one row by a consistent read, or nil.
func (s *Feed) getItem(ctx context.Context, owner, entry string) (item, error) {
	out, err := s.Client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: feedKey(owner, entry), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it asked for
	}
	return out.Item, nil
}

// entriesQuery is the query for an owner's rows of one kind.
func (s *Feed) entriesQuery(owner, kind string, consistent bool) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &s.Table,
		ConsistentRead:            aws.Bool(consistent),
		KeyConditionExpression:    aws.String("#owner = :owner AND begins_with(#entry, :kind)"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner", "#entry": "entry"},
		ExpressionAttributeValues: item{":owner": stringValue(owner), ":kind": stringValue(kind)},
	}
}

// query yields the rows that a query finds. After an error it stops.
func (s *Feed) query(ctx context.Context, q *dynamodb.QueryInput) iter.Seq2[item, error] {
	return s.queryWithTime(ctx, q, new(time.Time))
}

// queryWithTime is a query that keeps the store's time of the page that is read.
func (s *Feed) queryWithTime(ctx context.Context, q *dynamodb.QueryInput, at *time.Time) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for pages := dynamodb.NewQueryPaginator(s.Client, q); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			*at = s.storeTime(page.ResultMetadata, nil)
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// conflictingItem returns whether an error is a condition that failed, and the row that failed it, where the endpoint tells.
func conflictingItem(err error) (item, bool) {
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, false
	}
	return failed.Item, true
}
