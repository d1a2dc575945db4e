package feedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// epochs tests that an update joins the run of its epoch. Its updates have the same key, which only counts within a run.
func epochs(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	inEpoch := func(epoch string, progress float64) feed.Update {
		u := update(progress, at)
		u.Epoch, u.Key = epoch, "the same key"
		u.ID += epoch
		return u
	}
	if row := apply(t, s, owner, inEpoch(epoch(0), 20), feed.Accepted); row.Seq != 1 || row.State.Progress != 20 {
		t.Errorf("the first epoch begins with %+v", row)
	}
	other := inEpoch("", 10)
	other.Key = "other"
	if row := apply(t, s, owner, other, feed.Accepted); row.Epoch != epoch(0) || row.Seq != 2 || row.State.Progress != 20 {
		t.Errorf("without an epoch the row becomes %+v", row)
	}
	apply(t, s, owner, part("one", 5, 0, at), feed.Accepted)
	apply(t, s, owner, ended(message.StatusFailed, at), feed.Accepted)
	apply(t, s, owner, part("one", 6, 0, at), feed.Ignored)
	if row := apply(t, s, owner, inEpoch(epoch(1), 5), feed.Accepted); row.Seq != 1 || row.State.Progress != 5 || row.Parts != nil {
		t.Errorf("a redrive begins with %+v", row)
	}
	apply(t, s, owner, inEpoch(epoch(0), 99), feed.Stale)
	apply(t, s, owner, part("one", 7, 0, at), feed.Stale)
	end := ended(message.StatusSucceeded, at)
	apply(t, s, owner, end, feed.Stale)
	end.Epoch = ""
	if row := apply(t, s, owner, end, feed.Accepted); row.Epoch != epoch(1) || row.State.Progress != 100 {
		t.Errorf("the end is %+v", row)
	}
	redriven := part("one", 1, 0, at)
	redriven.Epoch = epoch(2)
	if row := apply(t, s, owner, redriven, feed.Accepted); row.Seq != 1 || row.PartsDone != 1 || row.State.Status != "" {
		t.Errorf("a part begins the next epoch with %+v", row)
	}
}

// noEpoch tests that a job without an epoch gets one from its time, so that tabs can order its runs. The job begins, expires,
// begins again without an epoch, and is then updated and redriven by a workflow that has an epoch.
func noEpoch(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	const tabSeq = 57 // the last seq that a tab has of the run before
	begun := update(30, at.Add(-feed.JobTTL-time.Hour))
	begun.Epoch = ""
	first, outcome, err := s.Apply(t.Context(), owner, begun)
	if want := begun.At.Format("2006-01-02T15:04:05.000Z") + "#0000"; err != nil || outcome != feed.Accepted || first.Epoch != want || first.Seq != 1 {
		t.Errorf("without an epoch the row begins as %+v, %q, %v, want the epoch %s", first, outcome, err, want)
	}
	begun.At, begun.ID = at, "again"
	row := apply(t, s, owner, begun, feed.Accepted)
	if !row.Newer(first.Epoch, tabSeq) || row.Seq != 1 {
		t.Errorf("a tab that has seq %d of %s drops seq %d of %s", tabSeq, first.Epoch, row.Seq, row.Epoch)
	}
	workflow := update(20, at)
	next := apply(t, s, owner, workflow, feed.Accepted)
	if next.Seq != 2 || next.State.Progress != 30 || next.Epoch != row.Epoch {
		t.Errorf("the workflow's epoch leads from %+v to %+v", row, next)
	}
	end := ended(message.StatusSucceeded, at)
	if row := apply(t, s, owner, end, feed.Accepted); !row.Terminal() || row.Epoch != next.Epoch {
		t.Errorf("the workflow's end leads to %+v", row)
	}
	redriven := part("one", 1, 0, at)
	redriven.Epoch = epoch(1)
	if row := apply(t, s, owner, redriven, feed.Accepted); !row.Newer(next.Epoch, tabSeq) || row.Terminal() {
		t.Errorf("the workflow's redrive begins as %+v", row)
	}
}

// endsOfExecutions reports the end of a first execution. A second execution may have taken over the job before.
func endsOfExecutions(t *testing.T, s feed.Store) {
	at := now()
	for _, tt := range []struct {
		name     string
		epochs   [2]string // of the updates of the first and of the second execution; empty means that there is no update
		endEpoch string
		want     feed.Outcome
	}{
		{"one execution", [2]string{epoch(0), ""}, epoch(0), feed.Accepted},
		{"two executions in one epoch", [2]string{epoch(0), epoch(0)}, epoch(0), feed.Stale},
		{"two executions in one epoch, an end without an epoch", [2]string{epoch(0), epoch(0)}, "", feed.Stale},
		{"two executions in two epochs", [2]string{epoch(0), epoch(1)}, epoch(0), feed.Stale},
		{"two executions in two epochs, an end without an epoch", [2]string{epoch(0), epoch(1)}, "", feed.Stale},
	} {
		t.Run(tt.name, func(t *testing.T) {
			owner := feed.User(t.Name())
			for n, epoch := range tt.epochs {
				if u := update(float64(n), at); epoch != "" {
					u.Epoch, u.Execution = epoch, fmt.Sprint("arn ", n)
					apply(t, s, owner, u, feed.Accepted)
				}
			}
			end := ended(message.StatusFailed, at)
			end.Epoch, end.EndedExecution = tt.endEpoch, "arn 0"
			row := apply(t, s, owner, end, tt.want)
			if row.Terminal() != (tt.want == feed.Accepted) {
				t.Errorf("the end of the first execution leads to %+v", row)
			}
		})
	}
	for _, epoch := range []string{"", epoch(0)} {
		end := ended(message.StatusFailed, at)
		end.Epoch, end.EndedExecution = epoch, "arn"
		if _, outcome, err := s.Apply(t.Context(), feed.User(t.Name()), end); err != nil || outcome != feed.Stale {
			t.Errorf("the end of an execution without a job: %q, %v", outcome, err)
		}
	}
}
