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
	// JobTTL is how long a job is valid after its last update. A running job with an execution is valid for PointerTTL instead.
	JobTTL = 24 * time.Hour
	// EndedRunRetention is how long the end of a run is stored after its job has expired, so that a late update does not
	// open the run again. It is as long as the longest automatic retry: an SQS queue stores a message for up to 14 days,
	// EventBridge retries an event for 24 hours, and Lambda retries an asynchronous invocation for 6 hours. Only an update with
	// EndedExecution, which the sweeper sends, may come later: [Apply] does not let it open a run.
	EndedRunRetention = 14 * 24 * time.Hour
	// PointerTTL is how long a [Pointer] is valid, and how long a running job with an execution is valid after its last update.
	// It is longer than the year that an execution may run
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	PointerTTL = 366 * 24 * time.Hour
	// NoteTTL is how long a note is valid.
	NoteTTL = 7 * 24 * time.Hour
	// NoteKeyTTL is how long the idempotency key of a note is valid. It is shorter than NoteTTL.
	NoteKeyTTL = 24 * time.Hour
)

// Limits of stored data, in bytes of JSON.
const (
	// MaxState bounds the data of a job's state.
	MaxState = message.MaxState
	// MaxNote bounds the data of a note.
	MaxNote = message.MaxNote
)

var (
	// ErrNotFound means that the row does not exist or has expired.
	ErrNotFound = errors.New("feed: not found")
	// ErrContention means that every try to write the row failed, because another writer had changed the row since it was read.
	// Nothing was written. The store works, so the caller may try again.
	ErrContention = errors.New("feed: too many concurrent updates of the same job")
	// ErrTooManyParts says that a job has [MaxParts] parts, and one more was given.
	ErrTooManyParts = fmt.Errorf("feed: a job has at most %d parts", MaxParts)
)

// Outcome is the result of applying an update or adding a note.
type Outcome string

const (
	// Accepted means that the update or note is new and stored.
	Accepted Outcome = "accepted"
	// Duplicate means that the update or note was stored before. Nothing is written. The caller posts the stored state again,
	// because the first caller may have failed before it posted.
	Duplicate Outcome = "duplicate"
	// Stale means that the update belongs to a run before the stored one, or that it reports the end of an execution that does
	// not have the job.
	Stale Outcome = "stale"
	// Ignored means that the job has a terminal state, or that the stored part has more done steps than the update.
	Ignored Outcome = "ignored"
)

// ShouldPost reports whether the caller should post the stored state or note.
func (o Outcome) ShouldPost() bool { return o == Accepted || o == Duplicate }

// User returns the owner of the rows of the user with this id, as the methods of a [Store] take it.
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
	// Apply applies u by the rules of [Apply], stores the new row of the job, and returns it. It replaces a row that cannot be
	// decoded. It writes a [Pointer] when [Row.NeedsPointer] is true, and deletes the pointer when the terminal state of the job
	// is accepted. If the returned row is not Pushed, the caller decides when to call ClaimPush.
	//
	//   - The job has [MaxParts] parts, and u has another one → [ErrTooManyParts].
	//   - Other writers changed the row until ctx had no time left → [ErrContention]. The update was not applied.
	//   - Any other error → the update may have been applied or not. Applying it again is safe if it has a key or a part.
	Apply(ctx context.Context, owner string, u Update) (Row, Outcome, error)
	// ClaimPush records that the caller pushes the newest state of row's job at the time at. It returns the newest row.
	//
	//   - The push was recorded → true. The caller pushes the returned row.
	//   - Another push was recorded since row was read → false. That push has the state of row or a newer one.
	//   - The newest state has been pushed → false.
	//   - There is no row → [ErrNotFound].
	//   - Any other error → the push may have been recorded or not. The caller may push row, because clients drop states that
	//     they have.
	//
	// The newest row may have more progress than row. A store may then record the progress of row as PushedProgress: the next
	// push may come earlier because of that, but never later.
	ClaimPush(ctx context.Context, row Row, at time.Time) (Row, bool, error)
	// Job returns the row of a job, or [ErrNotFound]. The read is consistent: it includes every Apply that returned.
	Job(ctx context.Context, owner, job string) (Row, error)
	// Jobs yields every row of an owner in no order, by consistent reads. It skips rows that cannot be decoded, and stops
	// after an error.
	Jobs(ctx context.Context, owner string) iter.Seq2[Row, error]
	// JobsAfter returns a page of the owner's jobs with an id over after, in the order of their ids. It reads at most limit rows
	// by one consistent request, and skips rows that cannot be decoded.
	JobsAfter(ctx context.Context, owner, after string, limit int) (JobPage, error)
}

// JobPage is a page of an owner's jobs.
type JobPage struct {
	// Rows has fewer rows than the limit, or none, if rows that were read have expired. Later pages may have rows then.
	Rows []Row
	// Next is the argument after of the next page: the id of the last job that was read. Empty means that this page is the last.
	Next string
}

// Pointer maps an execution to a job that ends when the execution ends. An execution has one pointer for each of its jobs. A job
// without an execution has a pointer, too, if it counts as stalled or ends after a silence.
type Pointer struct {
	// Execution is an ARN. It is empty if the job has no execution.
	Execution string
	Owner     string
	Job       string
	// Epoch and Attempt are those of the job when the pointer was written.
	Epoch   string
	Attempt int64
	At      time.Time
}

// ExpiresAt returns when the pointer expires, in whole seconds.
func (p Pointer) ExpiresAt() time.Time { return p.At.Add(PointerTTL).Truncate(time.Second) }

// Pointers maps executions to jobs. Its methods may be called concurrently. They yield pointers in no order. Each yielded error
// stands for one or more pointers that could not be read. More pointers may follow an error.
type Pointers interface {
	// PointersOf yields the pointers of an execution, one for each job, by consistent reads.
	PointersOf(ctx context.Context, arn string) iter.Seq2[Pointer, error]
	// AllPointers yields every pointer of every owner. Its reads are eventually consistent.
	AllPointers(ctx context.Context) iter.Seq2[Pointer, error]
	// DeletePointer deletes the stored pointer if it is equal to p. It returns nil if there is no pointer, or if the pointer was
	// written again since p was read.
	DeletePointer(ctx context.Context, p Pointer) error
}

// MarshalData returns data as compact JSON without HTML escapes, in the form that it has in frames.
func MarshalData(data message.Data) ([]byte, error) { return marshalJSON(data) }

// marshalJSON returns v as compact JSON without HTML escapes.
func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
