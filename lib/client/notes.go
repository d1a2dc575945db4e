package client

import (
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// maxShown is how many notes a view holds with what they say.
	maxShown = 1000
	// maxSeen is how many ids of notes a view remembers, so that no note is shown twice.
	maxSeen = 10_000
	// recentSeen is how many ids remain of those that no sync brings again: of the notes up to since, a sync repeats the
	// newest 200 at most.
	recentSeen = 1000
)

// notes are those that a view has seen. An id that is not among them is new, whatever its place: a note may be stored long
// after others with later ids. So an id is forgotten only when no sync brings the note again.
type notes struct {
	// seen are the ids of all notes that came or were dismissed, sorted; shown are the newest of those that are not
	// dismissed, sorted by id.
	seen  []string
	shown []message.Envelope
	// since is the newest note up to which a sync was answered to its end: later ones may be missing. Empty is none.
	since string
	// welcomed is the first id of the moment in which the server began to answer a sync without since.
	welcomed string
	// skipped says that a note was left to the next sync.
	skipped bool
}

func compareID(e message.Envelope, id string) int { return strings.Compare(e.ID, id) }

// add reports whether a note is new, and remembers it.
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

// remember stores an id, and reports whether it was not known. A pushed note for which there is no room counts as known:
// since does not move over it, so that a sync brings it. A replayed one finds room in any case, as since moves over it.
func (n *notes) remember(id string, replayed bool) bool {
	at, known := slices.BinarySearch(n.seen, id)
	if known {
		return false
	}
	if len(n.seen) >= maxSeen {
		n.forget()
		if len(n.seen) >= maxSeen && !replayed {
			n.skipped = true
			return false
		}
		at, _ = slices.BinarySearch(n.seen, id)
	}
	n.seen = slices.Insert(n.seen, at, id)
	return true
}

// forget drops the ids that no sync brings again. Without since a sync brings the newest 50 notes only.
func (n *notes) forget() {
	done := len(n.seen)
	if n.since != "" {
		at, known := slices.BinarySearch(n.seen, n.since)
		done = at
		if known {
			done++
		}
	}
	if done > recentSeen {
		n.seen = slices.Delete(n.seen, 0, done-recentSeen)
	}
}

// dismiss drops what a note says, not its id: the note may still be on its way. It reports whether the note was shown.
func (n *notes) dismiss(id string) bool {
	n.remember(id, false)
	at, shown := slices.BinarySearchFunc(n.shown, id, compareID)
	if shown {
		n.shown = slices.Delete(n.shown, at, at+1)
	}
	return shown
}

// welcome notes when the server began to answer. A sync without since brings all that is wanted of the time before.
func (n *notes) welcome(serverTime time.Time) {
	if n.since == "" {
		n.welcomed = firstID(serverTime)
	}
}

// firstID returns the smallest ULID of a moment (https://github.com/ulid/spec): 48 bits of milliseconds in ten digits,
// then zeros.
func firstID(at time.Time) string {
	const digits, bits, timeDigits, zeros = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 5, 10, "0000000000000000"
	id := make([]byte, timeDigits)
	ms := max(0, at.UnixMilli())
	for i := timeDigits - 1; i >= 0; i-- {
		id[i] = digits[ms%(1<<bits)]
		ms >>= bits
	}
	return string(id) + zeros
}
