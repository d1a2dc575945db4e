package notify_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// countingStore is a store of connections that counts how often the connections of a user are read.
type countingStore struct {
	*connection.Memory

	reads atomic.Int64
}

func (c *countingStore) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	c.reads.Add(1)

	return c.Memory.ByUser(ctx, id)
}

// TestConnectionsAreReadOnlyForPushes: AWS charges for each read, and most states are not pushed.
func TestConnectionsAreReadOnlyForPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &countingStore{Memory: &connection.Memory{}}
		n := &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: newTabs()}, Feed: &feed.Memory{}}
		for i, step := range []struct {
			r     message.Request
			after time.Duration // since the state before
			reads int64         // of the connections, in total
		}{
			{stateAt(0), 0, 1},
			{stateAt(0.1), 500 * time.Millisecond, 1},
			{stateAt(0.2), 500 * time.Millisecond, 1},
			{stateAt(0.3), time.Second, 2}, // two seconds after the last push
			{stateAt(50), 0, 3},            // waits 250 ms for its push
			{stateAt(50.1), 0, 3},
			{endedWith(message.StatusFailed), 0, 4},
		} {
			time.Sleep(step.after)
			publish(t, n, step.r)
			if got := rows.reads.Load(); got != step.reads {
				t.Errorf("after state %d connections were read %d times, want %d", i, got, step.reads)
			}
		}
	})
}
