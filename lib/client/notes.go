package client

import (
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// maxShown is the maximum number of notes that a view holds.
	maxShown = 1000
	// maxSeen is the maximum number of note ids that a view stores, so that no note is shown twice.
	maxSeen = 10_000
	// recentSeen is how many of the ids up to notes.since dropOldIDs leaves. A sync repeats at most 200 notes up to notes.since, the
	// newest ones, so it is enough to remember these.
	recentSeen = 1000
	// minOverlap is the smallest number of repeated notes for which a sync contains their digest, so that the server does not
	// repeat them.
	minOverlap = 8
)

// notes are the notes that a view has received. A note is new if its id is not in seen. Later ids may be in seen, because a note may
// be stored long after others with later ids. An id is dropped only when no sync sends its note again.
type notes struct {
	// seen are the ids of all notes that came or were dismissed, sorted. shown are the newest notes that are not dismissed,
	// sorted by id.
	seen  []string
	shown []message.Envelope
	// since is the id of the newest note up to which syncs are complete: notes with larger ids may be missing. Empty means that
	// no sync is complete. It is the field "since" of the next sync.
	since string
	// welcomed is the smallest id of a note that is sent after the server has begun to answer a sync with an empty since. Empty means
	// that there is no such sync.
	welcomed string
	// skipped is set if a note was not stored, so that another sync must return it.
	skipped bool
}

func compareID(e message.Envelope, id string) int { return strings.Compare(e.ID, id) }

// add stores a note and reports whether it is new.
func (n *notes) add(e message.Envelope) bool {
	if !n.remember(e.ID, e.Replayed) {
		return false
	}
	at, _ := slices.BinarySearchFunc(n.shown, e.ID, compareID)
	n.shown = slices.Insert(n.shown, at, e)
	if len(n.shown) > maxShown {
		n.shown = slices.Delete(n.shown, 0, len(n.shown)-maxShown)
	}
	return true
}

// remember stores an id and reports whether it is new. If there is no room for the id of a pushed note, the note is skipped: a
// later sync returns it, because the note's id stays over n.since. The id of a replayed note is always stored, because n.since
// moves past it.
func (n *notes) remember(id string, replayed bool) bool {
	at, known := slices.BinarySearch(n.seen, id)
	if known {
		return false
	}
	if len(n.seen) >= maxSeen {
		n.dropOldIDs()
		if len(n.seen) >= maxSeen && !replayed {
			n.skipped = true
			return false
		}
		at, _ = slices.BinarySearch(n.seen, id)
	}
	n.seen = slices.Insert(n.seen, at, id)
	return true
}

// dropOldIDs drops the ids of notes that no sync sends again. A sync with an empty since sends only the newest 50 notes.
func (n *notes) dropOldIDs() {
	complete := len(n.seen) // the number of ids up to n.since
	if n.since != "" {
		at, known := slices.BinarySearch(n.seen, n.since)
		complete = at
		if known {
			complete++
		}
	}
	if complete > recentSeen {
		n.seen = slices.Delete(n.seen, 0, complete-recentSeen)
	}
}

// dismiss removes a note and stores its id, as the note itself may arrive later. It reports whether the note was shown.
func (n *notes) dismiss(id string) bool {
	n.remember(id, false)
	at, shown := slices.BinarySearchFunc(n.shown, id, compareID)
	if shown {
		n.shown = slices.Delete(n.shown, at, at+1)
	}
	return shown
}

// welcome records the time at which the server began to answer. A sync with an empty since is complete for notes before that time.
func (n *notes) welcome(serverTime time.Time) {
	if n.since == "" {
		n.welcomed = firstID(serverTime)
	}
}

// A ULID (https://github.com/ulid/spec) begins with its time in milliseconds: 48 bits in ten digits of five bits.
const (
	idDigits   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	digitBits  = 5
	timeDigits = 10
)

// firstID returns the smallest ULID with the given time.
func firstID(at time.Time) string {
	const zeros = "0000000000000000"
	id := make([]byte, timeDigits)
	ms := max(0, at.UnixMilli())
	for i := timeDigits - 1; i >= 0; i-- {
		id[i] = idDigits[ms%(1<<digitBits)]
		ms >>= digitBits
	}
	return string(id) + zeros
}

// timeOf returns the time of a ULID.
func timeOf(id string) time.Time {
	var ms int64
	for _, digit := range []byte(id[:min(timeDigits, len(id))]) {
		ms = ms<<digitBits | int64(max(0, strings.IndexByte(idDigits, digit)))
	}
	return time.UnixMilli(ms)
}

// overlap returns the digest of the shown notes that a sync with the given since would repeat: of the notes in the time
// [message.NoteOverlap] before since, the newest [message.MaxOverlap]. It is empty if there are fewer than minOverlap.
func (n *notes) overlap(since string) string {
	if since == "" {
		return ""
	}
	after := firstID(timeOf(since).Add(-message.NoteOverlap))
	var ids []string
	for _, e := range n.shown {
		if e.ID > after && e.ID < since {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) < minOverlap {
		return ""
	}
	return message.NotesDigest(ids[max(0, len(ids)-message.MaxOverlap):])
}
