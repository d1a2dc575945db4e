package feedtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
)

// noteVerifier checks the rules for the notes of one key, with a reader that reads after every request.
type noteVerifier struct {
	stores    []feed.Store
	store     feed.Store // the verifier's own
	now       *time.Time
	violation string

	added   []feed.Note     // as Add returned them
	seen    map[string]bool // by the reader, by ID
	since   string          // the ID of the reader's last note
	keyOnly bool            // a writer that died before the history began wrote only the key
	later   time.Duration   // how long after the history the note is added once more
}

// failf records the first violated rule.
func (v *noteVerifier) failf(format string, args ...any) {
	if v.violation == "" {
		v.violation = fmt.Sprintf(format, args...)
	}
}

// add adds a note with the key, from a writer whose clock is wrong by skew. It retries once.
func (v *noteVerifier) add(ctx context.Context, store feed.Store, skew time.Duration, n int) {
	note := noteWithKey(v.now.Add(skew), n)
	got, _, err := store.Add(ctx, jobOwner, note)
	if err != nil {
		got, _, err = store.Add(ctx, jobOwner, note)
	}
	switch {
	case err == nil:
		v.added = append(v.added, got)
	case !errors.Is(err, ErrInjected):
		v.failf("Add: %v", err)
	}
}

// noteWithKey returns a note whose ID has the time at and depends on n.
func noteWithKey(at time.Time, n int) feed.Note {
	note := notification(n, at)
	id := ulid.ULID{15: byte(n)}
	_ = id.SetTime(ulid.Timestamp(at))
	note.ID, note.Key = id.String(), "key"
	return note
}

// read reads notes from the reader's last note minus the overlap.
func (v *noteVerifier) read() []feed.Note {
	from := ""
	if v.since != "" {
		from = overlapStart(ulid.MustParse(v.since)).String()
	}
	notes, err := v.store.Notes(context.Background(), jobOwner, from, retries)
	if err != nil {
		v.failf("Notes: %v", err)
	}
	for _, n := range notes {
		v.seen[n.ID], v.since = true, max(v.since, n.ID)
	}
	return notes
}

func (v *noteVerifier) afterRequest(int) string {
	v.read()
	return v.violation
}

// atEnd advances the clock, adds another note, and adds the note of the key once more. It checks that all successful calls
// returned the same note, and that the reader has it.
func (v *noteVerifier) atEnd(s *schedule) string {
	ctx := context.Background()
	*v.now = v.now.Add(v.later)
	other := noteWithKey(*v.now, 200) // 200, and 100 below, are higher than the numbers of the writers.
	other.Key = ""                    // It moves the reader on. The note of the key must not sort before the reader's overlap.
	if _, _, err := v.store.Add(ctx, jobOwner, other); err != nil {
		v.failf("Add: %v", err)
	}
	v.read()
	v.add(ctx, v.store, 0, 100)
	v.read()
	ids := map[string]bool{}
	for _, n := range v.added {
		ids[n.ID] = true
		if !v.seen[n.ID] && !v.keyOnly {
			v.failf("the note %s was stored, and the reader that has %s does not get it", n.ID, v.since)
		}
	}
	if len(ids) != 1 && !s.crashed {
		v.failf("one key has the notes %v", ids)
	}
	delete(v.seen, other.ID)
	seenOnce := len(v.seen) == 1 || v.keyOnly && len(v.seen) == 0
	if !seenOnce && !s.crashed {
		v.failf("the reader has seen the notes %v of one key", v.seen)
	}
	return v.violation
}

// noteHistory returns a history of writers that add a note with the same key. There is one writer for each of skews, which are the
// errors of their clocks. The verifier adds the note once more when the time later has passed. If diedBefore is positive, a writer
// died that long before the history, after it had written only the key.
func noteHistory(name string, faults int, diedBefore, later time.Duration, skews ...time.Duration) History {
	now := new(time.Time)
	return History{
		Name: name, Faults: faults, writers: len(skews), now: func() time.Time { return *now },
		begin: func(table Table) ([]func(context.Context), verifier) {
			*now = historyTime
			v := &noteVerifier{stores: table.Stores, store: table.Stores[len(skews)], now: now, seen: map[string]bool{}, later: later}
			if diedBefore > 0 {
				v.writeKeyOnly(diedBefore)
			}
			var all []func(context.Context)
			for n, skew := range skews {
				all = append(all, func(ctx context.Context) { v.add(ctx, v.stores[n], skew, n) })
			}
			return all, v
		},
	}
}

// writeKeyOnly writes a key without its note, as if a writer died some time ago.
func (v *noteVerifier) writeKeyOnly(before time.Duration) {
	ctx := context.Background()
	*v.now = v.now.Add(-before)
	first, _, err := v.store.Add(ctx, jobOwner, noteWithKey(*v.now, 50))
	if err == nil {
		_, err = v.store.Dismiss(ctx, jobOwner, first.ID)
	}
	if err != nil {
		v.failf("the history does not begin: %v", err)
	}
	*v.now = v.now.Add(before)
	v.keyOnly = true
}

// noteHistories returns the histories of notes. The numbers after a history's name are its faults, diedBefore, later and the skews.
func noteHistories() []History {
	const long = 10 * time.Minute // longer than feed.NoteSkew
	return []History{
		noteHistory("two notes of one key", 1, 0, 0, 0, 0),
		noteHistory("two notes of one key, and a third later", 1, 0, long, 0, 0),
		noteHistory("a note, and its repetition after a while", 2, 0, long, 0),
		noteHistory("two repeat a note whose writer died", 1, time.Minute, long, 0, 0),
		noteHistory("two repeat a note whose writer died long ago", 0, long, long, 0, 0),
		noteHistory("two clocks that are off", 0, 0, long, long, -long),
		noteHistory("a clock that is ahead, and a repetition", 2, 0, 0, long),
		noteHistory("a clock that is behind, and a repetition", 2, 0, long, -long),
	}
}
