package client

import (
	"context"
	"fmt"
	"slices"
)

// waiter is a call of Sync.
type waiter struct {
	// sent says that the sync which is under way began after the call.
	sent bool
	done chan struct{}
}

// Sync asks for what the client has missed, and returns when all of it has come: what the server knew when Sync was called
// has reached OnFrame by then. It waits as long as it takes, over lost connections, too; its error is that of ctx.
func (c *Client) Sync(ctx context.Context) error {
	w := &waiter{done: make(chan struct{})}
	c.mu.Lock()
	c.waiters = append(c.waiters, w)
	c.mu.Unlock()
	select {
	case c.syncCalled <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		c.waiters = slices.DeleteFunc(c.waiters, func(other *waiter) bool { return other == w })
		c.mu.Unlock()
		return fmt.Errorf("sync: %w", ctx.Err())
	}
}

// syncSent notes that a sync begins, which answers all who wait.
func (c *Client) syncSent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiters {
		w.sent = true
	}
}

// syncDone ends the calls that the sync which has ended has answered.
func (c *Client) syncDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
		if w.sent {
			close(w.done)
		}
		return w.sent
	})
}

// syncWanted reports whether somebody waits for a sync that has not begun.
func (c *Client) syncWanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.waiters, func(w *waiter) bool { return !w.sent })
}
