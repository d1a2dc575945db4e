package feed

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// NoteOverlap is how far before the last note that a reader has it must read again: a note that is stored later may
	// have an ID that is smaller by up to this.
	NoteOverlap = 5 * time.Minute
	// NoteSkew is how much the time of a note may be off the store's when it is stored. Of two notes one may be ahead by
	// this and the other behind; what is left of the overlap is for whole seconds and for requests that are under way.
	NoteSkew = 2 * time.Minute
)

// Note is a notification or an error, kept until it is dismissed.
type Note struct {
	// ID is a ULID that was made at At: notes sort by it.
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
//
// Readers go on from the last note that they have, less [NoteOverlap]. So a note that is stored must not sort before what
// they have by more than that, and the clocks of those who write notes may be wrong by any time. The store's own clock
// decides: a note that is off it by more than [NoteSkew] gets an ID and a time of it.
type Notes interface {
	// Add keeps n, or n anew at the store's time, see above, and returns what it kept. Where the owner has had a note of
	// this key within [JobLife], it returns that one's ID and time with the data of n, as a duplicate, and makes up for what
	// the first try left undone: a note that was dismissed meanwhile may come back, and one that was left undone for longer
	// than NoteSkew gets an ID and a time of its own, the same for all who try. After an error the note may have been kept
	// or not; adding it again is safe where it has a key or the same ID.
	Add(ctx context.Context, owner string, n Note) (Note, Outcome, error)
	// Notes returns an owner's notes with ids over since, the oldest first, at most limit; with an empty since the newest
	// limit of all, the oldest of them first. It sees every Add that returned. A note that cannot be read does not hide the
	// others.
	Notes(ctx context.Context, owner, since string, limit int) ([]Note, error)
	// NotesUpTo returns the newest limit of an owner's notes with ids over after and not over upTo, the oldest of them
	// first. It sees every Add that returned.
	NotesUpTo(ctx context.Context, owner, after, upTo string, limit int) ([]Note, error)
	// Dismiss deletes a note and reports whether there was one. Concurrent dismissals of one note may all report it; after
	// an error the note may have been deleted or not.
	Dismiss(ctx context.Context, owner, id string) (bool, error)
}

// Timely reports whether the note's time is the store's, give or take [NoteSkew].
func (n Note) Timely(store time.Time) bool { return store.Sub(n.At).Abs() <= NoteSkew }

// Early reports whether the note's time is still to come for the store: a reader that took it would take notes that are
// stored meanwhile for older ones.
func (n Note) Early(store time.Time) bool { return n.At.Sub(store) > NoteSkew }

// Renewed returns the note made anew at a time, as far as may be with the same ID: only its time is another.
func (n Note) Renewed(at time.Time) Note {
	n.At = at.UTC().Truncate(time.Millisecond)
	id, err := ulid.ParseStrict(n.ID)
	if err != nil {
		_, _ = rand.Read(id[:]) // it never fails
	}
	_ = id.SetTime(ulid.Timestamp(n.At)) // it holds all times until the year 10889
	n.ID = id.String()

	return n
}
