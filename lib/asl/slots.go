package asl

import (
	"context"
	"sync"
)

// slots bounds how many iterations of a Map state run at once. The bound may change meanwhile. One goroutine calls take.
type slots struct {
	mu      sync.Mutex
	limit   int
	taken   int
	changed chan struct{} // Of capacity 1: it has a value if a slot may have become free.
}

func newSlots(limit int) *slots {
	return &slots{limit: limit, changed: make(chan struct{}, 1)}
}

// take waits for a free slot and takes it. It returns false when ctx is done.
func (s *slots) take(ctx context.Context) bool {
	for ctx.Err() == nil {
		if s.takeFree() {
			return true
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
		}
	}
	return false
}

func (s *slots) takeFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.limit {
		return false
	}
	s.taken++
	return true
}

// release makes a slot free that was taken.
func (s *slots) release() { s.change(func() { s.taken-- }) }

// setLimit changes the bound. Iterations that are running go on, even if they are more than the new bound.
func (s *slots) setLimit(limit int) { s.change(func() { s.limit = limit }) }

func (s *slots) change(do func()) {
	s.mu.Lock()
	do()
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // take will look in any case.
	}
}
