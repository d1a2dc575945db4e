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

// endless is a feed with more jobs than anybody reads.
type endless struct{ *feed.Memory }

func (endless) JobsAfter(context.Context, string, string) iter.Seq2[feed.Row, error] {
	return func(yield func(feed.Row, error) bool) {
		for n := 0; ; n++ {
			row := feed.Row{Seq: 1, State: message.UploadProgress{UploadID: fmt.Sprintf("j%07d", n)}, UpdatedAt: time.UnixMilli(int64(n))}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// TestASyncReadsABoundedNumberOfJobs: and holds few of them. The newest of those that it read come first.
func TestASyncReadsABoundedNumberOfJobs(t *testing.T) {
	h := &Default{Feed: endless{&feed.Memory{}}}
	found, err := h.readJobs(t.Context(), "user/u1", syncAction{}, time.Now().Add(time.Hour))
	if err != nil || found.read != maxRows || len(found.rows) != maxStates || !found.left {
		t.Errorf("%d rows are read, %d found, left %v, %v", found.read, len(found.rows), found.left, err)
	}
	if want := fmt.Sprintf("j%07d", maxRows-1); found.until != want || found.rows[0].State.UploadID != want {
		t.Errorf("it stopped at %s, and the first is %s; want %s", found.until, found.rows[0].State.UploadID, want)
	}
}
