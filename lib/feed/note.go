package feed

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// NoteOverlap is how much time before its last note a reader must go back when it reads on. A note that is stored later may
	// have an ID whose time is earlier, by at most NoteOverlap.
	NoteOverlap = message.NoteOverlap
	// NoteSkew is the largest difference between the time of a note and the time of the store when the note is stored. The
	// errors of two notes may add up to twice NoteSkew. The rest of NoteOverlap covers rounding to seconds and requests in flight.
	NoteSkew = 2 * time.Minute
)

// Note is a notification or an error. It is stored until it is dismissed or expires.
type Note struct {
	// ID is a ULID with the time At. Notes are sorted by ID.
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
// A reader reads on from the time of its last note minus [NoteOverlap], so a new note must not have an earlier time. The clocks
// of writers may be wrong by any amount. If the time of a note differs from the store's clock by more than [NoteSkew], the store
// therefore replaces the ID and the time of the note.
type Notes interface {
	// Add stores n and returns it with the ID and the time that it was stored with.
	//
	//   - The time of n differs from the store's by more than NoteSkew → n is stored with a new ID and the store's time.
	//   - A note with the same key was added within [NoteKeyTTL] → Duplicate, with the ID and time of that note and the data of n.
	//     If the first caller wrote the key and then failed, Add stores the note. Add cannot tell such a note from a dismissed one,
	//     so a dismissed note may reappear. If the first caller failed more than NoteSkew ago, the note gets a new ID and time, the
	//     same for all concurrent callers.
	//   - Error → the note may have been stored or not. Adding it again is safe if it has a key or the same ID.
	Add(ctx context.Context, owner string, n Note) (Note, Outcome, error)
	// Notes returns the owner's notes with an ID over since, oldest first, at most limit of them. If since is empty, it returns
	// the newest notes instead, also oldest first. Reads are consistent. It skips notes that cannot be decoded.
	Notes(ctx context.Context, owner, since string, limit int) ([]Note, error)
	// NewestNotes returns the newest of the owner's notes with an ID in (after, upTo], oldest first, at most limit of them. Reads
	// are consistent.
	NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]Note, error)
	// Dismiss deletes a note and reports whether there was one. If one note is dismissed concurrently, all calls may return true.
	// After an error the note may have been deleted or not.
	Dismiss(ctx context.Context, owner, id string) (bool, error)
}

// WithinSkew reports whether the time of the note differs from the store's time by at most [NoteSkew].
func (n Note) WithinSkew(storeTime time.Time) bool { return storeTime.Sub(n.At).Abs() <= NoteSkew }

// InFuture reports whether the time of the note is more than [NoteSkew] after the store's time. Readers must not get such a note
// yet, because they would then miss notes that are stored later with an earlier time.
func (n Note) InFuture(storeTime time.Time) bool { return n.At.Sub(storeTime) > NoteSkew }

// Restamped returns the note with the time at, and an ID with this time. The random part of the ID stays the same.
func (n Note) Restamped(at time.Time) Note {
	n.At = at.UTC().Truncate(time.Millisecond)
	id, err := ulid.ParseStrict(n.ID)
	if err != nil { // The ID is not a ULID, so the note gets a random one.
		_, _ = rand.Read(id[:]) // Never fails.
	}
	_ = id.SetTime(ulid.Timestamp(n.At)) // Fails only after the year 10889.
	n.ID = id.String()
	return n
}
