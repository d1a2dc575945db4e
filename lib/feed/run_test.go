package feed_test

import (
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// TestRedriveOfARunWithoutEpochContinues begins a job with an update without an epoch, so the epoch of its run is the time of this update.
// The workflow of the job began a second before. The epochs in the updates of the workflow and of its redrives are therefore older than
// the epoch of the run. In spite of that these updates must be accepted, and the epoch of the row must never become older.
func TestRedriveOfARunWithoutEpochContinues(t *testing.T) {
	var m feed.Memory
	at := time.Now().UTC().Truncate(time.Millisecond)
	epoch, err := message.NormalizeEpoch(at.Add(-time.Second).Format(time.RFC3339Nano))
	if err != nil {
		t.Fatal(err)
	}
	withoutCount := epoch[:len(epoch)-1] // An epoch ends with the number of redrives.
	redriven, again := withoutCount+"1", withoutCount+"2"
	lastEpoch := ""
	for n, u := range []feed.Update{
		{State: message.UploadProgress{Progress: 1}},
		{Epoch: epoch, State: message.UploadProgress{Progress: 2}},
		{Epoch: epoch, State: message.UploadProgress{Status: message.StatusFailed}},
		{Epoch: redriven, State: message.UploadProgress{Progress: 3}},
		{Epoch: redriven, State: message.UploadProgress{Progress: 4}},
		{Epoch: redriven, State: message.UploadProgress{Status: message.StatusFailed}},
		{Epoch: again, State: message.UploadProgress{Progress: 5}},
		{Epoch: again, State: message.UploadProgress{Status: message.StatusSucceeded}},
	} {
		u.State.UploadID, u.At, u.ID = "j", at.Add(time.Duration(n)*time.Second), string(rune('a'+n))
		row, outcome, err := m.Apply(t.Context(), "user/u", u)
		if err != nil || outcome != feed.Accepted {
			t.Errorf("update %d: %s, %v; the row has the epoch %s, the named epoch %q, the seq %d", n, outcome, err, row.Epoch, row.NamedEpoch, row.Seq)
		}
		if row.Epoch < lastEpoch {
			t.Errorf("update %d: epoch %s is before %s", n, row.Epoch, lastEpoch)
		}
		lastEpoch = row.Epoch
	}
	late := feed.Update{Epoch: redriven, State: message.UploadProgress{UploadID: "j"}, At: at.Add(time.Minute), ID: "late"}
	if row, outcome, err := m.Apply(t.Context(), "user/u", late); err != nil || outcome != feed.Stale {
		t.Errorf("a late update of the run before: %s, %v; the row is %+v", outcome, err, row)
	}
}
