package feedtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// expecting returns an edit of an update: after how many seconds without news the job counts as stalled, and after how many it ends.
func expecting(every, endAfter int64) func(*feed.Update) {
	return func(u *feed.Update) { u.State.ExpectEvery, u.State.EndAfter = every, endAfter }
}

// stalledMark returns the mark that the job "job" is stalled, if its Seq is seq.
func stalledMark(seq int64, at time.Time) feed.Update {
	return feed.Update{
		State: message.UploadProgress{UploadID: update(0, at).State.UploadID}, Epoch: epoch(0), ID: fmt.Sprint("stalled at ", seq), At: at, Stalled: true, OnlySeq: seq,
	}
}

// pointerTo returns the pointer without an execution to a job of an owner.
func pointerTo(t *testing.T, s feed.Store, owner string) (feed.Pointer, bool) {
	t.Helper()
	for p, err := range s.AllPointers(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if p.Owner == owner && p.Execution == "" {
			return p, true
		}
	}
	return feed.Pointer{}, false
}

// silentJobs stores jobs that count as stalled or end after a silence.
func silentJobs(t *testing.T, s feed.Store) {
	owner, at := feed.User(t.Name()), now()
	apply(t, s, owner, update(10, at), feed.Accepted)
	if p, ok := pointerTo(t, s, owner); ok {
		t.Errorf("a job that may be silent has the pointer %+v", p)
	}
	row := apply(t, s, owner, edit(update(20, at), expecting(60, 0)), feed.Accepted)
	if p, ok := pointerTo(t, s, owner); !ok || p != row.Pointer() {
		t.Errorf("the pointer is %+v, want %+v", p, row.Pointer())
	}
	row = apply(t, s, owner, part("one", 1, 0, at), feed.Accepted)
	row = apply(t, s, owner, stalledMark(row.Seq, at.Add(time.Minute)), feed.Accepted)
	if !row.Stalled() || !row.UpdatedAt.Equal(at) || row.VisibleState().Status != message.StatusStalled {
		t.Errorf("the marked row is %+v", row)
	}
	apply(t, s, owner, stalledMark(row.Seq-1, at.Add(time.Minute)), feed.Duplicate)
	other := stalledMark(row.Seq-1, at.Add(time.Minute))
	other.ID = "stalled, by another sweeper"
	apply(t, s, owner, other, feed.Stale)
	row = apply(t, s, owner, part("one", 2, 0, at.Add(2*time.Minute)), feed.Accepted)
	if row.Stalled() {
		t.Error("a part leaves the job stalled")
	}
	if row.Pushed() || row.NextPushAt(row.UpdatedAt).After(row.UpdatedAt) {
		t.Errorf("the push of a part that ends a stall is recorded, or not due at once: %+v", row)
	}
	row = apply(t, s, owner, edit(update(30, at.Add(3*time.Minute)), expecting(0, message.MaxEndAfter)), feed.Accepted)
	if row.ExpectEvery != 60 || row.EndAfter != message.MaxEndAfter {
		t.Errorf("the row is %+v", row)
	}
	row = apply(t, s, owner, part("one", 3, 0, at.Add(4*time.Minute)), feed.Accepted) // The row must not expire before it ends.
	if !row.ExpiresAt().After(at.Add(message.MaxEndAfter * time.Second)) {
		t.Errorf("the row expires at %s", row.ExpiresAt())
	}
	end := ended(message.StatusFailed, at.Add(5*time.Minute))
	end.OnlySeq = row.Seq
	apply(t, s, owner, end, feed.Accepted)
	if p, ok := pointerTo(t, s, owner); ok {
		t.Errorf("an ended job has the pointer %+v", p)
	}
}
