package session_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// countedFeed is a feed that counts how many pages of jobs were read.
type countedFeed struct {
	faultyFeed

	readings *int
}

func (f countedFeed) JobsAfter(ctx context.Context, owner, after string, limit int) (feed.JobPage, error) {
	*f.readings++
	return f.faultyFeed.JobsAfter(ctx, owner, after, limit)
}

// TestSyncReadsNothingWhenTheBudgetIsSpent: a read may take 20 requests, and each of 50 connections may send ten messages
// before it is closed.
func TestSyncReadsNothingWhenTheBudgetIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		readings := 0
		f.handler.Feed, f.handler.Limits = countedFeed{f.feed, &readings}, smallLimits
		f.addJob("u1", "j", 10)
		f.connect("theirs", "u2", time.Hour)
		for n := range 10 {
			f.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		for range 12 { // each costs three posts: welcome, a job and synced
			f.send("c0", `{"action":"sync"}`)
		}
		f.send("c0", `{"action":"sync"}`)
		before := readings
		for n := range 10 {
			for range 9 {
				f.send(fmt.Sprint("c", n), `{"action":"sync"}`)
			}
		}
		if readings != before {
			t.Errorf("%d syncs are read though they are refused", readings-before)
		}
		f.send("theirs", `{"action":"sync"}`)
		if readings != before+1 {
			t.Error("the sync of another user is not read")
		}
		time.Sleep(time.Minute)
		f.gateway.takeFrames("c1")
		f.send("c1", `{"action":"sync"}`)
		frames := f.gateway.takeFrames("c1")
		if end, ok := frames[len(frames)-1].Data.(message.Synced); !ok || end.More || end.Jobs != 1 {
			t.Errorf("in the next minute c1 gets %v", frames)
		}
	})
}

func TestUnknownConnectionIsClosedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for range 10 {
			f.send("c1", dance)
		}
		if diff := cmp.Diff([]string{"closing c1", "close c1"}, f.gateway.events); diff != "" || len(f.gateway.tried) != 1 {
			t.Errorf("%d posts (-want +got):\n%s", len(f.gateway.tried), diff)
		}
		for _, e := range f.gateway.tried {
			if closing, ok := e.Data.(message.Closing); !ok || closing.Code != message.CloseUnknownConnection {
				t.Errorf("it gets %s", describe(e))
			}
		}
	})
}
