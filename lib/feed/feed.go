// Package feed stores the newest state of each job and the notes of each user.
package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// How long rows are valid. An expired row counts as absent, even if the store has not deleted it yet.
const (
	// JobTTL is how long a job is valid after its last update, and how long the idempotency key of a note is valid.
	JobTTL = 24 * time.Hour
	// EndedRunRetention is how long the end of a run is stored after its job has expired, so that a late update does not
	// open the run again. No automatic retry is later: an SQS queue keeps a message for up to 14 days, a Lambda function's
	// asynchronous invocation is retried for 6 hours, and an event by EventBridge for 24. The end that the sweeper reports
	// may be later, see [Update].
	EndedRunRetention = 14 * 24 * time.Hour
	// PointerTTL is how long a pointer is valid, and a running job with an execution after its last update. It is longer than
	// the year that an execution may run (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	PointerTTL = 366 * 24 * time.Hour
	// NoteTTL is how long a note is valid.
	NoteTTL = 7 * 24 * time.Hour
)

// Limits of stored data, in bytes of JSON.
const (
	// MaxState bounds the data of a job's state.
	MaxState = message.MaxState
	// MaxNote bounds the data of a note.
	MaxNote = message.MaxNote
)

var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("feed: not found")
	// ErrContention means that other writers changed the row before each try to write it. Nothing was written. The store
	// works, so the caller may try again.
	ErrContention = errors.New("feed: too many concurrent updates of the same job")
	// ErrTooManyParts says that a job has [MaxParts] parts, and one more was given.
	ErrTooManyParts = fmt.Errorf("feed: a job has at most %d parts", MaxParts)
)

// Outcome is the result of applying an update or adding a note.
type Outcome string

const (
	// Accepted means that the update or note is new and stored.
	Accepted Outcome = "accepted"
	// Duplicate means a repetition: nothing is written. The stored state is posted again, because the first try may have
	// failed before it posted.
	Duplicate Outcome = "duplicate"
	// Stale means that the update belongs to an older epoch.
	Stale Outcome = "stale"
	// Ignored means that the job has a terminal state, or that the part has a later state.
	Ignored Outcome = "ignored"
)

// ShouldPost reports whether the outcome's state is to be posted.
func (o Outcome) ShouldPost() bool { return o == Accepted || o == Duplicate }

// User returns the owner of a user's rows.
func User(id string) string { return "user/" + id }

// Store contains all methods of a feed. Callers depend on the interfaces that they need.
type Store interface {
	Jobs
	Notes
	Pointers
}

// Jobs stores the newest state of each job. Its methods may be called concurrently, by many processes. Updates of one job
// are applied one after another. Times are stored in milliseconds.
type Jobs interface {
	// Apply applies u by the rules of [Apply] and returns the job's row after it. It writes a pointer with the first accepted
	// update of an epoch that names an execution, and deletes it with the accepted terminal state. It replaces a row that
	// cannot be decoded. If the returned row is not Pushed, the caller decides when to call ClaimPush.
	//
	//   - One part too many → [ErrTooManyParts].
	//   - Other writers changed the row until ctx had no time left → [ErrContention]. The update was not applied.
	//   - Any other error → the update may have been applied or not. Applying it again is safe if it has a key or a part.
	Apply(ctx context.Context, owner string, u Update) (Row, Outcome, error)
	// ClaimPush records that the caller pushes the newest state of row's job at a time. It returns the newest row.
	//
	//   - Recorded → true. The caller pushes the returned row.
	//   - Another push was recorded since row was read → false. That push has the state of row or a newer one.
	//   - The newest state has been pushed → false.
	//   - There is no row → [ErrNotFound].
	//   - Any other error → the push may have been recorded or not. The caller may push the row it has, because clients drop
	//     states that they have.
	//
	// PushedProgress may be the progress of the caller's row if a newer state is pushed. The next push may then be earlier,
	// never later.
	ClaimPush(ctx context.Context, row Row, at time.Time) (Row, bool, error)
	// Job returns the row of a job, or [ErrNotFound]. The read is consistent: it includes every Apply that returned.
	Job(ctx context.Context, owner, job string) (Row, error)
	// Jobs yields every row of an owner in no order, by consistent reads. It skips rows that cannot be decoded, and stops
	// after an error.
	Jobs(ctx context.Context, owner string) iter.Seq2[Row, error]
	// JobsAfter returns the next page of an owner's jobs whose ids sort after the id after, in the order of their ids. It
	// reads at most limit rows by one consistent request, and skips rows that cannot be decoded.
	JobsAfter(ctx context.Context, owner, after string, limit int) (JobPage, error)
}

// JobPage is a page of an owner's jobs.
type JobPage struct {
	// Rows may be empty though later pages have rows, because expired rows are read, too.
	Rows []Row
	// Next is the id of the last job that was read, after which the next page begins. Empty means that there is none.
	Next string
}

// Pointer maps an execution to a job that ends with it. An execution may have several pointers.
type Pointer struct {
	// Execution is an ARN.
	Execution string
	Owner     string
	Job       string
	// Epoch is the epoch of the job when the pointer was written.
	Epoch string
	At    time.Time
}

// ExpiresAt returns when the pointer expires, in whole seconds.
func (p Pointer) ExpiresAt() time.Time { return p.At.Add(PointerTTL).Truncate(time.Second) }

// Pointers maps executions to jobs. Its methods may be called concurrently. They yield pointers in no order. An error stands
// for one or more pointers that could not be read, and other pointers may follow it.
type Pointers interface {
	// PointersOf yields the pointers of an execution, one for each job, by consistent reads.
	PointersOf(ctx context.Context, arn string) iter.Seq2[Pointer, error]
	// AllPointers yields every pointer of every owner. Its reads are eventually consistent.
	AllPointers(ctx context.Context) iter.Seq2[Pointer, error]
	// DeletePointer deletes a pointer to one job, unless it was written again meanwhile. It returns nil if there is none.
	DeletePointer(ctx context.Context, p Pointer) error
}

// MarshalData returns data as compact JSON without HTML escapes, as in frames.
func MarshalData(data message.Data) ([]byte, error) { return marshalJSON(data) }

func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
