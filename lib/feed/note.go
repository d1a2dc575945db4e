package feed

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// NoteOverlap is how far before its last note a reader must start to read again, because a note that is stored later may
	// have an earlier ID by up to this.
	NoteOverlap = message.NoteOverlap
	// NoteSkew is the largest difference between the time of a note and the time of the store when the note is stored. Two
	// notes may differ by twice this. The rest of NoteOverlap covers rounding to seconds and requests in flight.
	NoteSkew = 2 * time.Minute
)

// Note is a notification or an error. It is stored until it is dismissed or expires.
type Note struct {
	// ID is a ULID with the time At. Notes sort by it.
	ID   string
	At   time.Time
	Data message.Data
	// Key is the idempotency key. Empty means that the note never counts as a repetition. Reads do not return it.
	Key string
}

// ExpiresAt returns when the note expires, in whole seconds.
func (n Note) ExpiresAt() time.Time { return n.At.Add(NoteTTL).Truncate(time.Second) }

// Envelope returns the frame of the note.
func (n Note) Envelope() message.Envelope { return message.New(n.Data, n.ID, n.At) }

// Notes stores notes. Its methods may be called concurrently.
//
// A reader continues at its last note minus [NoteOverlap], so a new note must not sort before that. The clocks of writers may
// be wrong by any amount. The store therefore replaces the ID and the time of a note whose time differs from the store's clock
// by more than [NoteSkew].
type Notes interface {
	// Add stores n and returns it with the ID and the time that it was stored with.
	//
	//   - The time of n differs from the store's by more than NoteSkew → n is stored with a new ID and the store's time.
	//   - A note with the same key was added within [JobTTL] → Duplicate, with the ID and time of that note and the data of n.
	//     Add stores the note if the first try wrote only the key. A dismissed note may then reappear. If the first try is older
	//     than NoteSkew, the note gets a new ID and time, the same for all concurrent callers.
	//   - Error → the note may have been stored or not. Adding it again is safe if it has a key or the same ID.
	Add(ctx context.Context, owner string, n Note) (Note, Outcome, error)
	// Notes returns at most limit of an owner's notes after the id since, oldest first. If since is empty, it returns the
	// newest notes, the oldest of them first. Reads are consistent. It skips notes that cannot be decoded.
	Notes(ctx context.Context, owner, since string, limit int) ([]Note, error)
	// NewestNotes returns the newest limit notes of an owner after the id after, up to and including the id upTo, oldest first.
	// Reads are consistent.
	NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]Note, error)
	// Dismiss deletes a note and reports whether there was one. Concurrent dismissals of one note may all report it; after
	// an error the note may have been deleted or not.
	Dismiss(ctx context.Context, owner, id string) (bool, error)
}

// WithinSkew reports whether the time of the note differs from the store's by at most [NoteSkew].
func (n Note) WithinSkew(store time.Time) bool { return store.Sub(n.At).Abs() <= NoteSkew }

// InFuture reports whether the time of the note is after the store's by more than [NoteSkew]. Readers must not get it yet:
// they would miss notes that are stored before its time.
func (n Note) InFuture(store time.Time) bool { return n.At.Sub(store) > NoteSkew }

// Restamped returns the note with another time. Its ID has that time and the same random part.
func (n Note) Restamped(at time.Time) Note {
	n.At = at.UTC().Truncate(time.Millisecond)
	id, err := ulid.ParseStrict(n.ID)
	if err != nil {
		_, _ = rand.Read(id[:]) // Never fails.
	}
	_ = id.SetTime(ulid.Timestamp(n.At)) // Fails only after the year 10889.
	n.ID = id.String()
	return n
}
