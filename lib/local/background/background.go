// Package background runs goroutines that outlive the request that started them.
package background

import (
	"context"
	"fmt"
	"sync"
)

// Group is a group of goroutines. Its methods are safe for concurrent use.
type Group struct {
	running sync.WaitGroup
	ctx     context.Context // The context of goroutines that outlive their callers.
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
}

// NewGroup returns an empty group. Close it after use.
func NewGroup() *Group {
	ctx, cancel := context.WithCancel(context.Background())
	return &Group{ctx: ctx, cancel: cancel}
}

// Go calls do in a goroutine, with a context that Close cancels. After Close, Go does not call do and returns false.
func (g *Group) Go(do func(ctx context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Go(func() { do(g.ctx) })
	return true
}

// Close cancels the context of all goroutines and waits until they have returned. If ctx ends first, it returns ctx's error.
func (g *Group) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()

	done := make(chan struct{})
	go func() {
		defer close(done)
		g.running.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for goroutines: %w", ctx.Err())
	}
}
