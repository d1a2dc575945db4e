package client

import (
	"context"
	"fmt"
	"slices"
)

// waiter is a call of [Client.Sync].
type waiter struct {
	// sent says that a sync has begun since the call.
	sent bool
	// done is closed when a sync that has begun since the call is complete.
	done chan struct{}
}

// Sync requests everything that the client has missed, and returns once it has come: OnFrame has been called by then with
// everything that the server had when Sync was called. Sync has no timeout, and goes on after a lost connection. Its error
// is that of ctx.
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

// syncSent records that a sync begins. This sync serves all calls of Sync so far.
func (c *Client) syncSent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiters {
		w.sent = true
	}
}

// syncDone ends the calls of Sync that came before the sync that is now complete.
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

// syncWanted reports whether a call of Sync waits for a sync that has not begun.
func (c *Client) syncWanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.waiters, func(w *waiter) bool { return !w.sent })
}
