package feedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
)

// Clock is the clock of a store. Tests advance it.
type Clock interface {
	// Now returns the store's time.
	Now() time.Time
	// Pass advances the clock of the store.
	Pass(d time.Duration)
}

// RunClock tests the expiry of notes and the correction of wrong clocks of their writers. open returns a new store for each
// test.
func RunClock(t *testing.T, open func(t *testing.T) (feed.Store, Clock)) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, feed.Store, Clock){
		"an expired note is absent":                          expiredNote,
		"an expired key may be used again":                   expiredKey,
		"readers get all notes of writers with wrong clocks": notesOfSkewedClocks,
		"writers with wrong clocks and one key add one note": keysOfSkewedClocks,
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := open(t)
			test(t, s, clock)
		})
	}
}

// noteAt returns a note of a writer whose clock shows at.
func noteAt(at time.Time, title int) feed.Note {
	n := notification(title, at.UTC().Truncate(time.Millisecond))
	n.ID = ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
	return n
}

func expiredNote(t *testing.T, s feed.Store, clock Clock) {
	owner := feed.User(t.Name())
	old := add(t, s, owner, noteAt(clock.Now(), 1), feed.Accepted)
	clock.Pass(feed.NoteTTL - time.Minute)
	live := add(t, s, owner, noteAt(clock.Now(), 2), feed.Accepted)
	wantNotes(t, s, owner, "", 50, []feed.Note{old, live})
	clock.Pass(time.Minute + time.Second)
	wantNotes(t, s, owner, "", 50, []feed.Note{live})
	wantNotes(t, s, owner, "0", 1, []feed.Note{live})
	if existed, err := s.Dismiss(t.Context(), owner, old.ID); err != nil || existed {
		t.Errorf("Dismiss of an expired note: %t, %v", existed, err)
	}
}

func expiredKey(t *testing.T, s feed.Store, clock Clock) {
	owner := feed.User(t.Name())
	keyed := func() feed.Note {
		n := noteAt(clock.Now(), 1)
		n.Key = "key"
		return n
	}
	first := add(t, s, owner, keyed(), feed.Accepted)
	clock.Pass(feed.NoteKeyTTL - time.Minute)
	if again := add(t, s, owner, keyed(), feed.Duplicate); again.ID != first.ID {
		t.Errorf("before the key expired, Add returned %+v, want %+v", again, first)
	}
	clock.Pass(time.Minute + time.Second)
	second := add(t, s, owner, keyed(), feed.Accepted)
	if again := add(t, s, owner, keyed(), feed.Duplicate); again.ID != second.ID {
		t.Errorf("Add with the key again returned %+v, want %+v", again, second)
	}
}

// skews are the errors of the writers' clocks.
var skews = []time.Duration{
	0, time.Second, -time.Second, time.Minute, -time.Minute, feed.NoteSkew, -feed.NoteSkew, 10 * time.Minute, -10 * time.Minute,
	48 * time.Hour, -48 * time.Hour, 10_000 * time.Hour, -10_000 * time.Hour,
}

// notesOfSkewedClocks adds notes with a pause after each. Each note has the time of a writer whose clock has one of the skews. After
// each note a reader reads as a tab does: from its last note minus the overlap. It must have got every note.
func notesOfSkewedClocks(t *testing.T, s feed.Store, clock Clock) {
	for _, pause := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
		owner := feed.User(fmt.Sprint(t.Name(), pause))
		seen := map[string]bool{}
		since := ulid.ULID{} // the reader's last note
		for round := range 3 * len(skews) {
			// The list has 13 skews. With steps of 5, three rounds of the list take each skew three times, large and small ones mixed.
			skew := skews[round*5%len(skews)]
			n := noteAt(clock.Now().Add(skew), round)
			stored := add(t, s, owner, n, feed.Accepted)
			// Two more seconds: the store's time may come from the Date header of a response, which has whole seconds.
			if off := stored.At.Sub(clock.Now()).Abs(); off > feed.NoteSkew+2*time.Second {
				t.Errorf("the time of a stored note differs from the store's by %v", off)
			}
			from := overlapStart(since)
			notes, err := s.Notes(t.Context(), owner, from.String(), 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range notes {
				seen[n.ID] = true
				if id := ulid.MustParse(n.ID); id.Compare(since) > 0 {
					since = id
				}
			}
			if !seen[stored.ID] {
				t.Errorf("with pauses of %v: a reader that starts at %v does not get a note of a clock that is %v off", pause, from.Time(), skew)
			}
			clock.Pass(pause)
		}
		if len(seen) != 3*len(skews) {
			t.Errorf("%d notes are seen, want %d", len(seen), 3*len(skews))
		}
	}
}

// overlapStart returns the id after which a reader reads on if since is its last note: the same id with a time that is
// [feed.NoteOverlap] earlier.
func overlapStart(since ulid.ULID) ulid.ULID {
	const millis = uint64(feed.NoteOverlap / time.Millisecond)
	_ = since.SetTime(max(since.Time(), millis) - millis)
	return since
}

// keysOfSkewedClocks uses one key per skew. A writer with this skew adds the key's first note, then writers with all skews repeat it.
func keysOfSkewedClocks(t *testing.T, s feed.Store, clock Clock) {
	owner := feed.User(t.Name())
	for key, first := range skews {
		if first.Abs() == feed.NoteSkew { // The clock of an emulator moves on, so after a second the first note would be over the edge.
			first /= 2
		}
		want := "" // the ID of the key's first note
		for _, skew := range append([]time.Duration{first}, skews...) {
			n := noteAt(clock.Now().Add(skew), key)
			n.Key = fmt.Sprint(key)
			got, _, err := s.Add(t.Context(), owner, n)
			if want == "" {
				want = got.ID
			}
			if err != nil || got.ID != want {
				t.Errorf("a clock that is %v off, after one that is %v off: the note is %s, %v, want %s", skew, first, got.ID, err, want)
			}
		}
	}
	if notes, err := s.Notes(t.Context(), owner, "", 1000); err != nil || len(notes) != len(skews) {
		t.Errorf("%d keys made %d notes, %v", len(skews), len(notes), err)
	}
}
