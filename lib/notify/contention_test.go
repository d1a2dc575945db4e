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

// contended is a feed whose first calls of Apply lose to other writers.
type contended struct {
	*feed.Memory

	mu    sync.Mutex
	loses int
}

func (c *contended) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	c.mu.Lock()
	c.loses--
	loses := c.loses >= 0
	c.mu.Unlock()
	if loses {
		return feed.Row{}, "", fmt.Errorf("apply update: %w", feed.ErrContention)
	}

	return c.Memory.Apply(ctx, owner, u)
}

// TestContentionIsReportedAsThrottled: what lost to other writers, for all the time that the store has, is not posted out of order,
// and its result is an error that a workflow retries.
func TestContentionIsReportedAsThrottled(t *testing.T) {
	for name, r := range map[string]message.Request{
		"state": at(10), "state with a key": keyed(at(10)), "state of another phase": inPhase(at(10), "q"),
		"part": part("a", 10, 100), "terminal": ended(message.StatusFailed),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publish(t, worker(t, memory, newTabs()), at(1))
				time.Sleep(time.Minute)
				n := worker(t, &contended{Memory: memory, loses: 1}, to)
				if err := n.Publish(t.Context(), r); err != (notify.Throttled{}) {
					t.Errorf("error is %v, want Throttled", err)
				}
				if posts := to.sent(); len(posts) != 0 || row(t, memory).Seq != 1 {
					t.Errorf("posted %v, and the row is %+v", posts, row(t, memory))
				}
				publish(t, n, r) // as the workflow's Retry does
				publish(t, worker(t, memory, to), inPhase(at(11), "last"))
				for _, e := range to.got() {
					if e.Seq == 0 {
						t.Errorf("a frame has no place in the order: %+v", e)
					}
				}
				if got := row(t, memory).Seq; got < 2 {
					t.Errorf("seq is %d, want that what was tried again counts", got)
				}
			})
		})
	}
}
