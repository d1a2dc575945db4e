package feedtest

import (
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
)

// sent returns an edit of an update: when its state was sent.
func sent(at time.Time) func(*feed.Update) { return func(u *feed.Update) { u.SentAt = at } }

// statesSentEarlier applies states in another order than they were sent.
func statesSentEarlier(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	newest := edit(update(40, at), sent(at), func(u *feed.Update) { u.State.Message, u.State.Phase = "Saving", "save" })
	apply(t, s, owner, newest, feed.Accepted)
	earlier := edit(update(50, at.Add(time.Second)), sent(at.Add(-time.Millisecond)))
	row := apply(t, s, owner, earlier, feed.Accepted)
	want := newest.State
	want.Progress = 50
	if row.State != want || row.Seq != 2 || !row.SentAt.Equal(at) || row.ID != earlier.ID {
		t.Errorf("after a state that was sent earlier the row is %+v", row)
	}
	later := edit(update(45, at.Add(2*time.Second)), sent(at.Add(time.Millisecond)))
	row = apply(t, s, owner, later, feed.Accepted)
	want = later.State
	want.Progress = 50
	if row.State != want || !row.SentAt.Equal(later.SentAt) {
		t.Errorf("after a state that was sent later the row is %+v", row)
	}
	untimed := update(51, at.Add(3*time.Second))
	row = apply(t, s, owner, untimed, feed.Accepted)
	if row.State != untimed.State || !row.SentAt.Equal(later.SentAt) {
		t.Errorf("after a state without a time the row is %+v", row)
	}
	if row = apply(t, s, owner, edit(update(1, at), inEpoch(epoch(1)), sent(at)), feed.Accepted); !row.SentAt.Equal(at) || row.State.Message != "Parsing" {
		t.Errorf("in the next run the row is %+v", row)
	}
}

// partsSentEarlier applies parts that were sent before and after the newest state of the job.
func partsSentEarlier(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	apply(t, s, owner, edit(part("begin", 1, 0, at), sent(at)), feed.Accepted)
	for _, step := range []struct {
		name, want string
		u          feed.Update
	}{
		{"a part after the first", "one: 1", edit(part("one", 1, 0, at), sent(at.Add(5*time.Second)))},
		{"a part that was sent before that part, but after the first", "two: 1", edit(part("two", 1, 0, at), sent(at.Add(time.Second)))},
		{"a state", "Parsing", edit(update(1, at), sent(at.Add(3*time.Second)))},
		{"a part that was sent before the state", "Parsing", edit(part("two", 2, 0, at), sent(at.Add(2*time.Second)))},
		{"a new part that was sent before the state", "Parsing", edit(part("three", 1, 0, at), sent(at.Add(2*time.Second)))},
		{"a part that was sent with the state", "one: 2", edit(part("one", 2, 0, at), sent(at.Add(3*time.Second)))},
		{"a part without a time", "two: 3", part("two", 3, 0, at)},
	} {
		row := apply(t, s, owner, step.u, feed.Accepted)
		if p := step.u.Part; row.State.Message != step.want || p != nil && row.Parts[p.ID].Done != p.Done {
			t.Errorf("%s: the row is %+v, want the message %q", step.name, row, step.want)
		}
	}
}
