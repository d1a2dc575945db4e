package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/herald-progress/herald/lib/feed"
)

// Feed is a [feed.Store] in the feed table. It must not be copied. These are the two keys of each item (owner and entry), and what
// the item is:
//
//	user/<id>     job#<job>           the newest state of a job
//	user/<id>     end#<job>           the last run of a job that has ended, which outlives the row of the job
//	user/<id>     note#<ULID>         a note
//	user/<id>     key#<hash>          the first note with an idempotency key
//	exec/<shard>  exec#<ARN>#<hash>   a pointer from an execution to a job
//	exec/<shard>  exec##<hash>        a pointer to a job that has no execution, but counts as stalled or ends after a silence
type Feed struct {
	Client *dynamodb.Client
	Table  string
	// Log may be nil: then nothing is logged.
	Log *slog.Logger
	// Now returns the current time, by which rows expire. Nil means time.Now.
	Now func() time.Time

	cache rowCache
}

const (
	// pointerShards is the number of partitions of the pointers.
	pointerShards = 16
	// pointerPrefix is the prefix of the sort keys of all pointers.
	pointerPrefix = "exec#"
)

func jobEntry(job string) string           { return "job#" + job }
func endEntry(job string) string           { return "end#" + job }
func noteEntry(id string) string           { return "note#" + id }
func keyEntry(hash string) string          { return "key#" + hash }
func pointerEntryPrefix(arn string) string { return pointerPrefix + arn + "#" }
func shardOwner(shard int) string          { return fmt.Sprintf("exec/%02x", shard) }
func pointerOwner(arn string) string {
	return shardOwner(int(sha256.Sum256([]byte(arn))[0]) % pointerShards)
}

// ownerOfPointer returns the owner of a pointer. All pointers of an execution have the same. Those without an execution have one by
// their job, so that they do not all share a partition.
func ownerOfPointer(p feed.Pointer) string {
	if p.Execution == "" {
		return pointerOwner(pointerEntry(p))
	}
	return pointerOwner(p.Execution)
}

func feedKey(owner, entry string) item {
	return item{"owner": stringValue(owner), "entry": stringValue(entry)}
}
func stringValue(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// pointerEntry returns the sort key of a pointer. It contains a hash of owner and job, because job ids are unique per user
// only and may contain any character.
func pointerEntry(p feed.Pointer) string {
	return pointerEntryPrefix(p.Execution) + entryHash(fmt.Sprintf("%q %q", p.Owner, p.Job))
}

// entryHash returns the form in which a text of any length and with any characters is part of a sort key: the first 16 bytes of
// its SHA-256 in hexadecimal.
func entryHash(text string) string {
	const hashLen = 16
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:hashLen])
}

func (f *Feed) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (f *Feed) log() *slog.Logger {
	if f.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Log
}

// Job returns the row of a job by a consistent read, or [feed.ErrNotFound].
func (f *Feed) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	it, err := f.getItem(ctx, owner, jobEntry(job))
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
	if row.Expired(f.now()) {
		return feed.Row{}, feed.ErrNotFound
	}
	return row, nil
}

// getRow returns the row of a job, even if it has expired. If there is none, it returns a row whose Seq is 0.
func (f *Feed) getRow(ctx context.Context, owner, job string) (storedRow, error) {
	it, err := f.getItem(ctx, owner, jobEntry(job))
	if err != nil {
		return storedRow{}, fmt.Errorf("get job: %w", err)
	}
	return f.decodeStored(ctx, owner, job, it), nil
}

// Jobs yields the rows of an owner by consistent reads, page by page. It logs and skips rows that cannot be decoded.
func (f *Feed) Jobs(ctx context.Context, owner string) iter.Seq2[feed.Row, error] {
	return func(yield func(feed.Row, error) bool) {
		for it, err := range f.query(ctx, f.entriesQuery(owner, jobEntry(""), true)) {
			if err != nil {
				yield(feed.Row{}, fmt.Errorf("query jobs: %w", err))
				return
			}
			if row, ok := f.unexpired(ctx, it); ok && !yield(row, nil) {
				return
			}
		}
	}
}

// JobsAfter returns a page of an owner's jobs with an id over after, by one Query. DynamoDB reads at most 1 MB for it, so a page
// may have fewer rows than limit and still have a next page.
func (f *Feed) JobsAfter(ctx context.Context, owner, after string, limit int) (feed.JobPage, error) {
	q := f.entriesQuery(owner, jobEntry(""), true)
	q.Limit = aws.Int32(int32(min(limit, maxPage))) // at most maxPage
	if after != "" {
		q.ExclusiveStartKey = feedKey(owner, jobEntry(truncatedID(after)))
	}
	out, err := f.Client.Query(ctx, q)
	if err != nil {
		return feed.JobPage{}, fmt.Errorf("query jobs: %w", err)
	}
	page := feed.JobPage{Next: strings.TrimPrefix(entryOf(out.LastEvaluatedKey), jobEntry(""))}
	for _, it := range out.Items {
		if row, ok := f.unexpired(ctx, it); ok {
			page.Rows = append(page.Rows, row)
		}
	}
	return page, nil
}

// unexpired decodes the item of a job. It returns false if the row has expired or cannot be decoded, and logs the latter.
func (f *Feed) unexpired(ctx context.Context, it item) (feed.Row, bool) {
	row, err := decodeJob(it)
	if err != nil {
		f.log().WarnContext(ctx, "decode job's row", "entry", entryOf(it), "err", err)
		return feed.Row{}, false
	}
	return row, !row.Expired(f.now())
}

// entryOf returns the sort key of an item or of a LastEvaluatedKey, or an empty string if there is none.
func entryOf(it item) string {
	if entry, ok := it["entry"].(*types.AttributeValueMemberS); ok {
		return entry.Value
	}
	return ""
}

// getItem returns one item by a consistent read, or nil if there is none.
func (f *Feed) getItem(ctx context.Context, owner, entry string) (item, error) {
	out, err := f.Client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &f.Table, Key: feedKey(owner, entry), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	return out.Item, nil
}

// entriesQuery returns the query for the items of an owner whose sort keys have a prefix.
func (f *Feed) entriesQuery(owner, prefix string, consistent bool) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &f.Table,
		ConsistentRead:            aws.Bool(consistent),
		KeyConditionExpression:    aws.String("#owner = :owner AND begins_with(#entry, :prefix)"),
		ExpressionAttributeNames:  map[string]string{"#owner": "owner", "#entry": "entry"},
		ExpressionAttributeValues: item{":owner": stringValue(owner), ":prefix": stringValue(prefix)},
	}
}

// query yields the items of a query, page by page. It stops after an error.
func (f *Feed) query(ctx context.Context, q *dynamodb.QueryInput) iter.Seq2[item, error] {
	return f.queryWithTime(ctx, q, new(time.Time))
}

// queryWithTime does the same as query. Before it yields the items of a page, it sets *storeTime to the store's time of the page.
func (f *Feed) queryWithTime(ctx context.Context, q *dynamodb.QueryInput, storeTime *time.Time) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for pages := dynamodb.NewQueryPaginator(f.Client, q); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			*storeTime = f.storeTime(page.ResultMetadata, nil)
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// conflictingItem reports whether err is a failed condition. It returns the item for which the condition failed, or nil if the
// response does not have it.
func conflictingItem(err error) (item, bool) {
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) {
		return nil, false
	}
	return failed.Item, true
}
