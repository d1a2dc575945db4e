// Package feed keeps what a user must not miss: the newest state of each job, and notes.
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

// How long rows are kept. Past it they count as absent, whether or not the store has deleted them.
const (
	// JobLife is how long a job outlives its last update, and a note's key its note.
	JobLife = 24 * time.Hour
	// JobMemory is how long a job's row is remembered after its life, unseen by tabs: an update that comes late finds that
	// its run has ended, or that a newer one has begun. Nothing that retries by itself is late by more: an SQS queue keeps
	// a message for up to 14 days, a Lambda function's asynchronous invocation is retried for 6 hours, and an event by
	// EventBridge for 24. The end that the sweeper reports may be late by any time, see [Update].
	JobMemory = 14 * 24 * time.Hour
	// PointerLife is how long a pointer is kept that nobody takes away, and a job outlives its last update while it waits for
	// the end of an execution: longer than the year that one may run
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	PointerLife = 366 * 24 * time.Hour
	// NoteLife is how long a note is kept.
	NoteLife = 7 * 24 * time.Hour
)

// Limits of what is kept, in bytes of JSON.
const (
	// MaxState bounds the data of a job's state.
	MaxState = message.MaxState
	// MaxNote bounds the data of a note.
	MaxNote = message.MaxNote
)

var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("feed: not found")
	// ErrContention says that others changed a job's row under every one of the tries to change it. Nothing was written, and
	// the store works: the update may be tried again.
	ErrContention = errors.New("feed: too many change the same job")
	// ErrParts says that a job has [MaxParts] parts, and one more was given.
	ErrParts = fmt.Errorf("feed: a job has at most %d parts", MaxParts)
)

// Outcome is what became of an update or a note.
type Outcome string

const (
	// Accepted is new, and stored.
	Accepted Outcome = "accepted"
	// Duplicate is a repetition: nothing is written, what is stored is to be posted again, as the first try may have died
	// before it posted.
	Duplicate Outcome = "duplicate"
	// Stale belongs to an older epoch.
	Stale Outcome = "stale"
	// Ignored follows the job's terminal state, or a later state of its part.
	Ignored Outcome = "ignored"
)

// Posts reports whether the outcome's state is to be posted.
func (o Outcome) Posts() bool { return o == Accepted || o == Duplicate }

// User returns the owner that stands for a user.
func User(id string) string { return "user/" + id }

// Store is all that a feed does; each user of it asks for the part it needs.
type Store interface {
	Jobs
	Notes
	Executions
}

// Jobs keeps the newest state of each job. Its methods may be called concurrently, from many processes; updates of one
// job take place one after the other. Times are kept to the millisecond.
type Jobs interface {
	// Apply carries out u by the rules of [Apply] and returns the job's row as it is afterwards. The first accepted update
	// of an epoch that names an execution points from it to the job; an accepted terminal takes the pointer away. After an
	// error the update may have been carried out or not; applying it again is safe where it has a key or is a part's. The
	// error is [ErrParts] where one part is too many, and [ErrContention] where others wrote the row until ctx had no time
	// left: then it has not been carried out. A row that cannot be read is begun anew. The push of the row that is returned
	// may be left to Claim.
	Apply(ctx context.Context, owner string, u Update) (Row, Outcome, error)
	// Claim records that the newest state of row's job is being pushed at a time, unless another push has been recorded
	// since row was read, whose state is row's or a newer one, or there is nothing to push. It returns the newest row and
	// whether the push is the caller's; [ErrNotFound] where there is no row. PushedProgress may be that of the caller's row
	// though a newer state is pushed: the next push may then come sooner, never later. After another error the push may have
	// been recorded or not: it is safe to push the row that is at hand, as clients drop what they have.
	Claim(ctx context.Context, row Row, at time.Time) (Row, bool, error)
	// Job returns the row of a job, or [ErrNotFound]. It sees every Apply that returned.
	Job(ctx context.Context, owner, job string) (Row, error)
	// Jobs yields every row of an owner, in no order, and sees every Apply that returned. A row that cannot be read does not
	// hide the others. After an error it stops.
	Jobs(ctx context.Context, owner string) iter.Seq2[Row, error]
	// JobsAfter yields the rows of an owner's jobs whose ids are over after, in the order of their ids, and sees every Apply
	// that returned. After an error it stops.
	JobsAfter(ctx context.Context, owner, after string) iter.Seq2[Row, error]
}

// Pointer leads from an execution to a job that ends with it; an execution may have several.
type Pointer struct {
	// Execution is an ARN.
	Execution string
	Owner     string
	Job       string
	// Epoch is the job's when the pointer was made.
	Epoch string
	At    time.Time
}

// ExpiresAt returns when the pointer's life ends, in whole seconds.
func (p Pointer) ExpiresAt() time.Time { return p.At.Add(PointerLife).Truncate(time.Second) }

// Executions leads from executions to jobs. Its methods may be called concurrently. What they yield is in no order; an
// error stands for one or more pointers that could not be read, and those that can be read follow it.
type Executions interface {
	// Execution yields the pointers of an execution, one for each job, and sees every Apply that returned.
	Execution(ctx context.Context, arn string) iter.Seq2[Pointer, error]
	// Executions yields every pointer of every owner. It may lag behind by some seconds.
	Executions(ctx context.Context) iter.Seq2[Pointer, error]
	// Forget deletes a pointer to one job, unless it has been made anew since; that there is none is no error.
	Forget(ctx context.Context, p Pointer) error
}

// Fits returns a [*message.Invalid] where data is too large to be kept: over [MaxState] for a job, [MaxNote] for a note.
func Fits(data message.Data) error {
	limit, kept := MaxNote, "a note"
	if _, ok := message.AsUploadProgress(data); ok {
		limit, kept = MaxState, "the state of a job"
	}
	text, err := JSON(data)
	if err != nil {
		return fmt.Errorf("encode data: %w", err)
	}
	if len(text) > limit {
		rule := fmt.Sprintf("must be at most %d bytes of JSON in %s", limit, kept)

		return &message.Invalid{Problems: []message.Problem{{Field: "data", Rule: rule}}}
	}

	return nil
}

// JSON returns data as frames hold it: compact, and without escaping what HTML would have escaped.
func JSON(data message.Data) ([]byte, error) { return encode(data) }

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it encodes
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
