package awswire

import (
	"context"
	"sync"
)

// Work holds the goroutines that outlive the request that started them. Its methods may be called from many goroutines.
type Work struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup

	// base is the parent of every goroutine's context.
	base context.Context //nolint:containedctx // The work outlives its caller, as on AWS.
	stop context.CancelFunc
}

// NewWork returns work that goes on until Close.
func NewWork() *Work {
	base, stop := context.WithCancel(context.Background())
	return &Work{base: base, stop: stop}
}

// Context returns the context of all goroutines, which Close cancels.
func (w *Work) Context() context.Context { return w.base }

// Start runs do in a goroutine. It reports false, without running it, once Close has been called.
func (w *Work) Start(do func(ctx context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.running.Go(func() { do(w.base) })
	return true
}

// Close cancels the context of all goroutines and waits until they have returned. If ctx ends first, it returns ctx's
// error.
func (w *Work) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()

	w.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.running.Wait()
	}()

	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // The service says what was closed.
	}
}
