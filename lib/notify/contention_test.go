package notify_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// contendedFeed is a feed whose first calls of Apply fail with ErrContention, as if other writers had written the job each time.
type contendedFeed struct {
	*feed.Memory

	mu       sync.Mutex
	failures int // how many of the next calls fail
}

func (c *contendedFeed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	c.mu.Lock()
	c.failures--
	fails := c.failures >= 0
	c.mu.Unlock()
	if fails {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", feed.ErrContention)
	}

	return c.Memory.Apply(ctx, owner, u)
}

// TestContentionIsReportedAsThrottled: a message that could not be stored because of other writers is not posted, as its state may be
// older than theirs. Its result is an error that a workflow retries.
func TestContentionIsReportedAsThrottled(t *testing.T) {
	for name, r := range map[string]message.Request{
		"state": stateAt(10), "state with a key": withKey(stateAt(10)), "state of another phase": inPhase(stateAt(10), "q"),
		"part": partState("a", 10, 100), "terminal": endedWith(message.StatusFailed),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publish(t, newNotifier(t, memory, newTabs()), stateAt(1))
				time.Sleep(time.Minute)
				n := newNotifier(t, &contendedFeed{Memory: memory, failures: 1}, to)
				if err := n.Publish(t.Context(), r); err != (notify.Throttled{}) {
					t.Errorf("error is %v, want Throttled", err)
				}
				if posts := to.posted(); len(posts) != 0 || jobRow(t, memory).Seq != 1 {
					t.Errorf("posted %v, and the row is %+v", posts, jobRow(t, memory))
				}
				publish(t, n, r) // as the workflow's Retry does
				publish(t, newNotifier(t, memory, to), inPhase(stateAt(11), "last"))
				for _, e := range to.received() {
					if e.Seq == 0 {
						t.Errorf("a frame without seq has no order: %+v", e)
					}
				}
				if got := jobRow(t, memory).Seq; got < 2 {
					t.Errorf("seq is %d, want at least 2: the second try must be stored", got)
				}
			})
		})
	}
}
