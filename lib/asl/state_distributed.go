package asl

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A mapRun runs the child executions of a Distributed Map state.
type mapRun struct {
	state    *stateRun
	id       string
	arn      string
	redriven *RedrivenMapRun // Nil if the Map run is new.
	children []*childRun
	finish   func(*Error) // Nil before start.

	// The group's lock guards the fields below.
	limits MapRunLimits
	total  int // The number of items.
	failed int // The number of items that have failed.
}

// A childRun is a child execution.
type childRun struct {
	index     int
	items     int            // The number of items in the input.
	redriven  *RedrivenChild // Nil if the child has not run before.
	execution Execution
	stop      time.Time
	input     any
	output    any
	status    Status // Empty before the child has ended.
	failure   *failure
}

// runDistributed runs a Distributed Map state, whose iterations are child executions, and returns its result. items are the items
// unless the state has an ItemReader.
func (s *stateRun) runDistributed(ctx context.Context, items []any, concurrency int) (any, error) {
	r, err := s.newMapRun(concurrency)
	if err != nil {
		return nil, err
	}
	result, err := r.run(ctx, items)
	if r.finish == nil { // No child was made.
		r.children, r.total = nil, 0
		r.start(nil, nil)
	}
	if err != nil {
		f := toFailure(err)
		r.finish(f.asError())
		if !f.aborted {
			s.thread.record("MapRunFailed", NewDetails("mapRunFailedEventDetails", errorDetails(f.name, f.cause)))
		}
		return nil, err
	}

	r.finish(nil)
	s.thread.recordBeside("MapRunSucceeded", nil)
	return result, nil
}

// newMapRun returns the Map run that the state goes on with, or else a new one, and records its first event.
func (s *stateRun) newMapRun(concurrency int) (*mapRun, error) {
	redriven, err := s.redrivenMapRun()
	if err != nil {
		return nil, err
	}
	if redriven != nil {
		s.thread.record("MapRunRedriven", NewDetails("mapRunRedrivenEventDetails", object{
			"mapRunArn": redriven.ARN, "redriveCount": redriven.RedriveCount,
		}))
		id := redriven.ARN[strings.LastIndexByte(redriven.ARN, ':')+1:]
		return &mapRun{state: s, id: id, arn: redriven.ARN, limits: redriven.Limits, redriven: redriven}, nil
	}

	limits, err := s.mapRunLimits(concurrency)
	if err != nil {
		return nil, err
	}
	id := jsonata.UUID()
	r := &mapRun{state: s, id: id, arn: s.labelled(":mapRun:") + ":" + id, limits: limits}
	s.thread.record("MapRunStarted", NewDetails("mapRunStartedEventDetails", object{"mapRunArn": r.arn}))
	return r, nil
}

// labelled returns the ARN of what belongs to the Map state. kind is the ARN's resource type between colons, such as :mapRun:.
func (s *stateRun) labelled(kind string) string {
	return strings.Replace(s.thread.run.execution.StateMachineID, ":stateMachine:", kind, 1) + "/" + s.state.mapFields.label
}

// run reads the items, runs the child executions and returns the state's result.
func (r *mapRun) run(ctx context.Context, items []any) (any, error) {
	items, err := r.items(ctx, items)
	if err != nil {
		return nil, err
	}
	if err := r.makeChildren(items); err != nil {
		return nil, err
	}
	if err := r.restoreChildren(); err != nil {
		return nil, err
	}

	runErr := r.runChildren(ctx, items)
	if ctx.Err() != nil {
		return nil, &failure{aborted: true, fatal: true}
	}
	result, err := r.result(ctx)
	if runErr != nil {
		return nil, runErr
	}
	return result, err
}

// start reports the start of the Map run. setLimits may be nil.
func (r *mapRun) start(items []any, setLimits func(MapRunLimits)) {
	r.finish = func(*Error) {}
	if report := r.state.thread.run.execution.StartMapRun; report != nil {
		if setLimits == nil {
			setLimits = func(MapRunLimits) {}
		}
		m := MapRun{
			ARN: r.arn, State: r.state.state.name, Items: r.total, Children: len(r.children), Express: r.state.state.mapFields.express,
			MapRunLimits: r.limits, SetLimits: setLimits,
		}
		if items != nil && r.state.state.mapFields.reader != nil {
			m.Dataset = func(limit int) json.RawMessage { return datasetText(items, limit) }
		}
		r.finish = report(m)
	}
}

// makeChildren makes a child execution for each item, or for each batch of items.
func (r *mapRun) makeChildren(items []any) error {
	r.total = len(items)
	batcher := r.state.state.mapFields.batcher
	switch {
	case r.hasAllChildren():
		r.children = make([]*childRun, len(r.redriven.Children))
		for i, c := range r.redriven.Children {
			r.children[i] = &childRun{index: i, items: c.Items} // restoreChildren sets the input.
			r.total += c.Items
		}
		return nil
	case batcher == nil:
		r.children = make([]*childRun, len(items))
		for i := range items {
			r.children[i] = &childRun{index: i, items: 1} // runChildren sets the input.
		}
		return nil
	}

	batches, err := r.state.batches(batcher, items)
	for i, batch := range batches {
		r.children = append(r.children, &childRun{index: i, items: batch.items, input: batch.input})
	}
	return err
}

// runChildren runs the child executions, without those whose results stay after a redrive. The error is the first one that ends the Map run.
func (r *mapRun) runChildren(ctx context.Context, items []any) error {
	s := r.state
	g, childCtx := newGroup(ctx, s.thread)
	free := newSlots(r.limits.concurrency())
	r.start(items, func(limits MapRunLimits) {
		free.setLimit(limits.concurrency())
		r.update(g, func() { r.limits = limits })
	})
	r.update(g, func() {}) // Children that cannot be redriven may have failed.
	unfinished := r.unfinished()
	g.forEach(childCtx, len(unfinished), free, func(i int) (func(), error) {
		c := unfinished[i]
		if c.redriven == nil && s.state.mapFields.batcher == nil {
			input, _, err := s.itemInput(items[c.index], c.index)
			if err != nil {
				return nil, err
			}
			c.input = input
		}

		return func() {
			r.runChild(childCtx, c)
			if c.failure != nil && !c.failure.aborted { // An aborted child does not count as a failed one.
				r.update(g, func() { r.failed += c.items })
			}
		}, nil
	})
	return g.wait(ctx)
}

// update changes the limits or the number of failed items. If more items have failed than may, it fails the group.
func (r *mapRun) update(g *group, change func()) {
	g.mu.Lock()
	change()
	exceeded := r.failed > r.limits.tolerated(r.total)
	g.mu.Unlock()
	if exceeded {
		g.fail(thresholdFailure(), nil)
	}
}

// thresholdFailure returns the failure of a Map run of which too many items have failed.
func thresholdFailure() *failure {
	return &failure{name: errorThreshold, cause: "The specified tolerated failure threshold was exceeded", completeCause: true}
}

// runChild runs or redrives a child execution and stores its result. The child does not have the parent's variables. It records a history
// only if the execution has StartChild.
func (r *mapRun) runChild(ctx context.Context, c *childRun) {
	s := r.state
	c.begin(s)
	if start := c.execution.StartChild; start != nil {
		ctx, abort := context.WithCancelCause(ctx)
		defer abort(nil)
		c.execution.Input = jsontree.Marshal(c.input)
		record, finish := start(Child{
			ID: c.execution.ID, Name: c.execution.Name, MapRunARN: r.arn, StateMachineID: s.labelled(":stateMachine:"),
			Index: c.index, Redriven: c.redriven != nil, Items: c.items, Input: c.execution.Input, Start: c.execution.Start,
			RedriveCount: c.execution.RedriveCount, RedriveTime: c.execution.RedriveTime, Abort: func(err *Error) { abort(err) },
		})
		c.execution.Record = record
		result, output, f := c.run(ctx, s.state.mapFields.processor)
		c.output, c.failure, c.status, c.stop = output, f, result.Status, time.Now()
		finish(result)
		return
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := newThread(c.execution, c.input, cancel) // It counts events, so that an endless loop ends.
	output, err := t.runFlow(ctx, s.state.mapFields.processor, c.input)
	c.output, c.status, c.stop = output, StatusSucceeded, time.Now()
	if err != nil {
		c.failure, c.status = endOf(ctx, err), StatusFailed
		if c.failure.aborted {
			c.status = StatusAborted
		}
	}
}

// mapRunLimits returns the limits of the definition. It evaluates ToleratedFailureCount and ToleratedFailurePercentage.
func (s *stateRun) mapRunLimits(maxConcurrency int) (MapRunLimits, error) {
	m, l := s.state.mapFields, MapRunLimits{MaxConcurrency: maxConcurrency}
	count, hasCount, err := s.evalNumber(m.toleratedCount, "integer")
	if err != nil {
		return l, err
	}
	percentage, hasPercentage, err := s.evalNumber(m.toleratedPercentage, "float")
	if err != nil {
		return l, err
	}
	if percentage < 0 || percentage > maxPercentage {
		return l, runtimeFailuref("ToleratedFailurePercentage must be between 0 and 100.")
	}

	if hasCount {
		whole := int64(min(count, math.MaxInt64/2))
		l.ToleratedFailureCount = &whole
	}
	if hasPercentage {
		l.ToleratedFailurePercentage = &percentage
	}
	return l, nil
}
