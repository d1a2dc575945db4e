package asl

import (
	"context"
	"sync"
)

// A group runs threads concurrently: the branches of a Parallel state or the iterations of a Map state. The first failure cancels all
// other threads.
type group struct {
	parent *thread
	cancel context.CancelCauseFunc // Cancels the context of the group's threads.

	running sync.WaitGroup
	mu      sync.Mutex     // Guards failure and threads.
	failure *failure       // The first failure.
	threads []*groupThread // Empty for a Distributed Map, whose threads are child executions.
}

// A groupThread is a thread of a group.
type groupThread struct {
	*thread

	iteration object // The fields of the iteration's events, such as MapIterationStarted; nil for a branch of a Parallel state.
	lastID    int64  // The ID of the event after which the parent goes on: MapIterationSucceeded. 0 stands for the thread's last event.
	succeeded bool
	failed    bool // The iteration has recorded MapIterationFailed, so wait does not record it as aborted.
}

// newGroup returns a group of threads under parent, and the context for them.
func newGroup(ctx context.Context, parent *thread) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &group{parent: parent, cancel: cancel}, ctx
}

// newThread adds a thread to the group. Its variables are a scope inside the parent's.
func (g *group) newThread() *groupThread {
	t := &groupThread{thread: &thread{
		run: g.parent.run, recorder: g.parent.recorder, item: g.parent.item,
		variables: &variables{parent: g.parent.variables}, previous: g.parent.previous, texts: g.parent.texts,
	}}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.threads = append(g.threads, t)
	return t
}

// fail ends the group with a failure, if the group has none yet: it calls record, unless record is nil or the failure is fatal, stores
// the failure and cancels the other threads. It ignores a failure that the cancellation caused.
func (g *group) fail(f *failure, record func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.aborted || g.failure != nil {
		return
	}
	if record != nil && !f.fatal {
		record()
	}
	g.failure = f
	g.cancel(errSiblingFailed)
}

// wait waits for all threads and returns the first failure, after it has recorded which threads that failure aborted. ctx is the
// parent's context.
func (g *group) wait(ctx context.Context) error {
	g.running.Wait()
	defer g.cancel(nil)
	g.mu.Lock()
	failed := g.failure // UpdateMapRun may still come.
	g.mu.Unlock()
	for _, t := range g.threads { // The parent's next event comes after the last event of all threads.
		g.parent.previous = max(g.parent.previous, t.previous, t.lastID)
	}

	switch {
	case failed == nil && ctx.Err() != nil: // The parent was cancelled.
		return &failure{aborted: true, fatal: true}
	case failed == nil:
		return nil
	case failed.fatal: // After a fatal failure, the aborted threads are not recorded.
		return failed
	}

	for _, t := range g.threads {
		if t.succeeded {
			continue
		}
		if t.abortEvent != "" {
			t.recordBeside(t.abortEvent, nil)
		}
		if t.iteration != nil && !t.failed {
			t.recordBeside("MapIterationAborted", NewDetails("mapIterationAbortedEventDetails", t.iteration))
		}
	}
	return failed
}

// runParallel runs the branches of a Parallel state and returns their outputs.
func (s *stateRun) runParallel(ctx context.Context) (any, error) {
	input, err := s.effectiveInput()
	if err != nil {
		return nil, err
	}

	s.thread.record("ParallelStateStarted", nil)
	g, branchCtx := newGroup(ctx, s.thread)
	outputs := make([]any, len(s.state.branches))
	for i, branch := range s.state.branches {
		t := g.newThread()
		t.path = s.childPath(i)
		g.running.Go(func() {
			output, err := t.runFlow(branchCtx, branch, input)
			if err != nil {
				g.fail(toFailure(err), nil) // No event to record: a branch has no event of its own.
				return
			}
			outputs[i], t.succeeded = output, true
		})
	}

	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	return outputs, nil
}
