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
	// PointerLife is how long a pointer is kept that nobody takes away, and a job outlives its last update while it waits for
	// the end of an execution: longer than the year that one may run
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	PointerLife = 366 * 24 * time.Hour
	// NoteLife is how long a note is kept.
	NoteLife = 7 * 24 * time.Hour
)

// NoteOverlap is how far before the last note that a reader has it must read again: a note that is stored later may have
// an ID that is smaller by up to this.
const NoteOverlap = 5 * time.Minute

// Limits of what is kept, in bytes of JSON.
const (
	// MaxState bounds the data of a job's state, so that the job's row is at most 4 KB, but for its parts.
	MaxState = 2560
	// MaxNote bounds the data of a note.
	MaxNote = 8192
)

var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("feed: not found")
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
	// error is [ErrParts] where one part is too many. The push of the row that is returned may be left to Claim.
	Apply(ctx context.Context, owner string, u Update) (Row, Outcome, error)
	// Claim records that the newest state of row's job is being pushed at a time, unless another push has been recorded
	// since row was read, whose state is row's or a newer one, or there is nothing to push. It returns the newest row and
	// whether the push is the caller's; [ErrNotFound] where there is no row. PushedProgress may be that of the caller's row
	// though a newer state is pushed: the next push may then come sooner, never later. After another error the push may have
	// been recorded or not: it is safe to push the row that is at hand, as clients drop what they have.
	Claim(ctx context.Context, row Row, at time.Time) (Row, bool, error)
	// Job returns the row of a job, or [ErrNotFound]. It sees every Apply that returned.
	Job(ctx context.Context, owner, job string) (Row, error)
	// Jobs yields every row of an owner, in no order, and sees every Apply that returned. After an error it stops.
	Jobs(ctx context.Context, owner string) iter.Seq2[Row, error]
}

// Note is a notification or an error, kept until it is dismissed.
type Note struct {
	// ID is a ULID: notes sort by it.
	ID   string
	At   time.Time
	Data message.Data
	// Key makes the note known when it comes again; empty is always new. It is not read back.
	Key string
}

// ExpiresAt returns when the note's life ends, in whole seconds.
func (n Note) ExpiresAt() time.Time { return n.At.Add(NoteLife).Truncate(time.Second) }

// Envelope returns the note's frame.
func (n Note) Envelope() message.Envelope { return message.New(n.Data, n.ID, n.At) }

// Notes keeps notes. Its methods may be called concurrently.
type Notes interface {
	// Add keeps n. Where the owner has had a note of this key within [JobLife], it returns that one's ID and time with the
	// data of n, as a duplicate, and makes up for what the first try left undone: a note that was dismissed meanwhile may
	// come back. After an error the note may have been kept or not; adding it again is safe where it has a key or the same
	// ID.
	Add(ctx context.Context, owner string, n Note) (Note, Outcome, error)
	// Notes returns an owner's notes with ids over since, the oldest first, at most limit; with an empty since the newest
	// limit of all, the oldest of them first. It sees every Add that returned.
	Notes(ctx context.Context, owner, since string, limit int) ([]Note, error)
	// NotesUpTo returns the newest limit of an owner's notes with ids over after and not over upTo, the oldest of them
	// first. It sees every Add that returned.
	NotesUpTo(ctx context.Context, owner, after, upTo string, limit int) ([]Note, error)
	// Dismiss deletes a note and reports whether there was one. Concurrent dismissals of one note may all report it; after
	// an error the note may have been deleted or not.
	Dismiss(ctx context.Context, owner, id string) (bool, error)
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
func JSON(data message.Data) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it encodes
	}

	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
