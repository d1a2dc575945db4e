package asl

import (
	"context"
	"sync"
)

// A group runs threads beside each other. The first failure cancels the others.
type group struct {
	parent *thread
	ctx    context.Context //nolint:containedctx // A group lives no longer than its context.
	cancel context.CancelCauseFunc

	wait    sync.WaitGroup
	mu      sync.Mutex
	failure *failure
	threads []*member
}

// A member is a thread of a group.
type member struct {
	*thread

	name  string // Of the Map state whose iteration it is; empty in a Parallel state.
	index int
	done  bool
}

func newGroup(parent *thread) *group {
	ctx, cancel := context.WithCancelCause(parent.ctx)
	return &group{parent: parent, ctx: ctx, cancel: cancel}
}

// thread makes a thread of the group, with a scope of variables inside the parent's.
func (g *group) thread() *member {
	m := &member{thread: &thread{
		run: g.parent.run, recorder: g.parent.recorder, ctx: g.ctx, item: g.parent.item,
		variables: &variables{outer: g.parent.variables}, previous: g.parent.previous,
	}}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.threads = append(g.threads, m)
	return m
}

// fail keeps the first failure and stops the group. report, if not nil, records it.
func (g *group) fail(f *failure, report func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.aborted || g.failure != nil {
		return
	}

	if report != nil && !f.final {
		report()
	}
	g.failure = f
	g.cancel(errSibling)
}

// end waits for all threads, records which were left in the middle, and returns the first failure.
func (g *group) end() error {
	g.wait.Wait()
	defer g.cancel(nil)
	for _, m := range g.threads {
		g.parent.previous = max(g.parent.previous, m.previous)
	}

	switch {
	case g.failure == nil && g.parent.ctx.Err() != nil:
		return &failure{aborted: true, final: true}
	case g.failure == nil:
		return nil
	case g.failure.final:
		return g.failure
	}

	for _, m := range g.threads {
		if m.done {
			continue
		}
		if m.open != "" {
			m.record(m.open, nil)
		}
		if m.name != "" {
			m.record("MapIterationAborted", details("mapIterationAbortedEventDetails", object{"name": m.name, "index": m.index}))
		}
		g.parent.previous = max(g.parent.previous, m.previous)
	}

	return g.failure
}

// parallel runs a Parallel state once.
func (s *scope) parallel() (any, error) {
	input, err := s.effective()
	if err != nil {
		return nil, err
	}

	s.thread.record("ParallelStateStarted", nil)
	g := newGroup(s.thread)
	outputs := make([]any, len(s.state.branches))
	for i, branch := range s.state.branches {
		m := g.thread()
		g.wait.Go(func() {
			output, err := m.runFlow(branch, input)
			if err != nil {
				g.fail(asFailure(err), nil)
				return
			}
			outputs[i], m.done = output, true
		})
	}

	if err := g.end(); err != nil {
		return nil, err
	}
	return outputs, nil
}
