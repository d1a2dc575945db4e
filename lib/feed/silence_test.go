package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// expecting returns an edit of an update: after how many seconds without news the job counts as stalled, and after how many it ends.
func expecting(every, endAfter int64) func(*feed.Update) {
	return func(u *feed.Update) { u.State.ExpectEvery, u.State.EndAfter = every, endAfter }
}

// stalled returns the mark that a row is stalled.
func stalled(row feed.Row, at time.Time) feed.Update {
	return feed.Update{State: message.UploadProgress{UploadID: "job"}, Epoch: row.Epoch, ID: fmt.Sprint("stalled ", row.Seq), At: at, Stalled: true, OnlySeq: row.Seq}
}

func TestTheMarkOfAStalledJobIsTakenBackByTheNextUpdate(t *testing.T) {
	before := applyAll(t, running(50, start, expecting(60, 0), sentAt(startPlus(9)), withStatus(message.StatusRetrying)))
	mark := stalled(before, startPlus(100_000))
	marked, outcome, err := feed.Apply(before, mark)
	if err != nil || outcome != feed.Accepted {
		t.Fatalf("%q, %v", outcome, err)
	}
	if got := marked.Envelope(); marked.VisibleState().Status != message.StatusStalled || !marked.Pushed() || !got.Timestamp.Equal(start) || got.Seq != 2 || !marked.PushedAt.Equal(mark.At) {
		t.Errorf("the marked row is %+v, its frame %+v", marked, got)
	}
	if again, outcome, _ := feed.Apply(marked, mark); outcome != feed.Duplicate || !cmp.Equal(again, marked) {
		t.Errorf("a repetition of the mark is %q", outcome)
	}
	for name, u := range map[string]feed.Update{
		"a state":                      running(50.1, startPlus(100_001), withStatus(message.StatusRetrying)),
		"a state that was sent before": running(50.1, startPlus(100_001), sentAt(start)),
		"a part":                       running(0, startPlus(100_001), ofPart("1", 1, 0)),
	} {
		row, outcome, err := feed.Apply(marked, u)
		due := row.Pushed() || !row.NextPushAt(u.At).After(u.At)
		if err != nil || outcome != feed.Accepted || row.VisibleState().Status != message.StatusRetrying || !due {
			t.Errorf("after %s, %q, the row is %+v, its push is due: %v", name, outcome, row, due)
		}
	}
	ended := applyAll(t, running(50, start, expecting(60, 0)), running(50, startPlus(1), withStatus(message.StatusFailed)))
	if _, outcome, _ := feed.Apply(ended, stalled(ended, startPlus(100_000))); outcome != feed.Ignored {
		t.Errorf("the mark of an ended job is %q", outcome)
	}
}

// TestAnUpdateAboutOneStateChangesNoOther: the sweeper marks or ends only the state that it has read.
func TestAnUpdateAboutOneStateChangesNoOther(t *testing.T) {
	first := applyAll(t, running(50, start, expecting(60, 600)))
	mark := stalled(first, startPlus(100_000))
	end := running(50, startPlus(700_000), withStatus(message.StatusFailed), withKey("end"), func(u *feed.Update) { u.OnlySeq = 1 })
	for name, row := range map[string]feed.Row{
		"another state":              applyAll(t, running(50, start, expecting(60, 600)), running(60, startPlus(1))),
		"another run":                applyAll(t, running(50, start, inEpoch(laterEpoch))),
		"no row":                     {Owner: first.Owner},
		"an earlier run":             applyAll(t, running(50, start.Add(-time.Hour), inEpoch("2026-11-22T09:00:00.000Z#0000"))),
		"a row that cannot be read":  {Owner: first.Owner, Epoch: first.Epoch, Seq: 1, Unreadable: true},
		"a row with another seq too": {Owner: first.Owner, Epoch: first.Epoch, Seq: 7, Unreadable: true},
	} {
		for _, u := range []feed.Update{mark, end} {
			if next, outcome, err := feed.Apply(row, u); err != nil || outcome != feed.Stale || !cmp.Equal(next, row) {
				t.Errorf("%s: %q, %v, want stale", name, outcome, err)
			}
		}
	}
	if _, outcome, _ := feed.Apply(first, end); outcome != feed.Accepted {
		t.Errorf("the end of the state is %q", outcome)
	}
}

func TestAJobIsOverdueAfterTheTimeThatItHasNamed(t *testing.T) {
	after := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for _, tt := range []struct {
		name                string
		updates             []feed.Update
		overdue, abandoned  int // the first second of each after the start; 0 for never
		every, endAfterSeen int64
	}{
		{"nothing", []feed.Update{running(1, start)}, 0, 0, 0, 0},
		{"expectEvery", []feed.Update{running(1, start, expecting(60, 0))}, 61, 0, 60, 0},
		{"endAfter", []feed.Update{running(1, start, expecting(0, 600))}, 0, 601, 0, 600},
		{"both", []feed.Update{running(1, start, expecting(60, 600))}, 61, 601, 60, 600},
		{"a state that names neither", []feed.Update{running(1, start, expecting(60, 600)), running(2, after(10))}, 71, 611, 60, 600},
		{"a state that names others", []feed.Update{running(1, start, expecting(60, 600)), running(2, after(10), expecting(100, 1000))}, 111, 1011, 100, 1000},
		{"a part", []feed.Update{running(1, start, expecting(60, 600)), running(0, after(10), ofPart("1", 1, 0), expecting(5, 60))}, 71, 611, 60, 600},
		{"a first part", []feed.Update{running(0, start, ofPart("1", 1, 0), expecting(60, 600))}, 61, 601, 60, 600},
		{"a state that was sent earlier", []feed.Update{running(1, start, expecting(60, 600), sentAt(after(5))), running(2, after(10), sentAt(start), expecting(5, 61))}, 71, 611, 60, 600},
		{"waiting is silent", []feed.Update{running(1, start, expecting(60, 600)), running(2, after(10), withStatus(message.StatusWaiting))}, 0, 611, 0, 600},
		{"queued is silent, unless it says so", []feed.Update{running(1, start, withStatus(message.StatusQueued), expecting(60, 600))}, 61, 601, 60, 600},
		{"running after waiting", []feed.Update{running(1, start, expecting(60, 600)), running(2, start, withStatus(message.StatusWaiting)), running(3, after(10))}, 71, 611, 60, 600},
		{"stalled already", []feed.Update{running(1, start, expecting(60, 600), withStatus(message.StatusStalled))}, 0, 601, 60, 600},
		{"an end", []feed.Update{running(1, start, expecting(60, 600)), running(2, after(10), withStatus(message.StatusFailed))}, 0, 0, 0, 0},
		{"a new run", []feed.Update{running(1, start, expecting(60, 600)), running(2, after(10), inEpoch(redrivenEpoch))}, 0, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row := applyAll(t, tt.updates...)
			for second := range 2000 {
				at := after(second)
				wantOverdue, wantAbandoned := tt.overdue > 0 && second >= tt.overdue, tt.abandoned > 0 && second >= tt.abandoned
				if row.IsOverdue(at) != wantOverdue || row.IsAbandoned(at) != wantAbandoned {
					t.Fatalf("after %d s the job is overdue: %v, abandoned: %v", second, row.IsOverdue(at), row.IsAbandoned(at))
				}
			}
			if state := row.VisibleState(); state.ExpectEvery != tt.every || state.EndAfter != tt.endAfterSeen {
				t.Errorf("the state shows %d and %d", state.ExpectEvery, state.EndAfter)
			}
		})
	}
}

// TestAJobExpiresAfterItMustHaveEnded: the sweeper must find the row when the job must end.
func TestAJobExpiresAfterItMustHaveEnded(t *testing.T) {
	const month = message.MaxEndAfter
	row := applyAll(t, running(1, start, expecting(0, month)))
	if want := start.Add(month*time.Second + feed.JobTTL).Truncate(time.Second); !row.ExpiresAt().Equal(want) {
		t.Errorf("the row expires at %s, want %s", row.ExpiresAt(), want)
	}
	row = applyAll(t, running(1, start, expecting(0, month)), running(2, start, withStatus(message.StatusFailed)))
	if want := start.Add(feed.JobTTL).Truncate(time.Second); !row.ExpiresAt().Equal(want) {
		t.Errorf("the ended row expires at %s, want %s", row.ExpiresAt(), want)
	}
}
