package feed_test

import (
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// The epoch of the redrive is older than the epoch of the run, which is the time of its first update. The updates of the redrive
// are recognized by the epoch in them.
func TestRedriveOfARunWithoutEpochContinues(t *testing.T) {
	var m feed.Memory
	at := time.Now().UTC().Truncate(time.Millisecond)
	epoch, err := message.NormalizeEpoch(at.Add(-time.Second).Format(time.RFC3339Nano))
	if err != nil {
		t.Fatal(err)
	}
	redriven, again := epoch[:len(epoch)-1]+"1", epoch[:len(epoch)-1]+"2"
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
			t.Errorf("update %d: %s, %v: %s run %q seq %d", n, outcome, err, row.Epoch, row.NamedEpoch, row.Seq)
		}
		if row.Epoch < lastEpoch {
			t.Errorf("update %d: epoch %s is before %s", n, row.Epoch, lastEpoch)
		}
		lastEpoch = row.Epoch
	}
	late := feed.Update{Epoch: redriven, State: message.UploadProgress{UploadID: "j"}, At: at.Add(time.Minute), ID: "late"}
	if row, outcome, err := m.Apply(t.Context(), "user/u", late); err != nil || outcome != feed.Stale {
		t.Errorf("a late update of an earlier run: %s, %v: %+v", outcome, err, row)
	}
}
