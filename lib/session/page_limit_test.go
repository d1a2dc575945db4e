package session

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// endlessFeed is a feed with more jobs than one sync reads.
type endlessFeed struct{ *feed.Memory }

func (endlessFeed) JobsAfter(context.Context, string, string) iter.Seq2[feed.Row, error] {
	return func(yield func(feed.Row, error) bool) {
		for n := 0; ; n++ {
			row := feed.Row{Seq: 1, State: message.UploadProgress{UploadID: fmt.Sprintf("j%07d", n)}, UpdatedAt: time.UnixMilli(int64(n))}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// TestSyncReadsAtMostTwentyThousandJobs checks the memory, too: a sync keeps few jobs. It sends the newest of those that it
// read.
func TestSyncReadsAtMostTwentyThousandJobs(t *testing.T) {
	h := &Default{Feed: endlessFeed{&feed.Memory{}}}
	found, err := h.readJobs(t.Context(), "user/u1", syncAction{}, time.Now().Add(time.Hour))
	if err != nil || found.readCount != maxJobsRead || len(found.rows) != maxStates || !found.truncated {
		t.Errorf("%d rows are read, %d found, left %v, %v", found.readCount, len(found.rows), found.truncated, err)
	}
	if want := fmt.Sprintf("j%07d", maxJobsRead-1); found.stoppedAt != want || found.rows[0].State.UploadID != want {
		t.Errorf("it stopped at %s, and the first is %s; want %s", found.stoppedAt, found.rows[0].State.UploadID, want)
	}
}
