package asl

import (
	"context"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A mapRun runs the child executions of a Distributed Map state.
type mapRun struct {
	state     *stateRun
	id        string
	arn       string
	children  []*childRun
	tolerated tolerance
	failed    int // The number of items that have failed; the group's lock guards it.
	finish    func(*Error)
}

// A childRun is a child execution.
type childRun struct {
	items     int // The number of items in the input.
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
	tolerated, err := s.toleratedFailures()
	if err != nil {
		return nil, err
	}

	id := jsonata.UUID()
	r := &mapRun{tolerated: tolerated, state: s, id: id, arn: s.labelled(":mapRun:") + ":" + id, finish: func(*Error) {}}
	s.thread.record("MapRunStarted", details("mapRunStartedEventDetails", object{"mapRunArn": r.arn}))

	result, err := r.run(ctx, items, concurrency)
	if err != nil {
		f := toFailure(err)
		r.finish(f.asError())
		if !f.aborted {
			s.thread.record("MapRunFailed", details("mapRunFailedEventDetails", errorDetails(f.name, f.cause)))
		}
		return nil, err
	}

	r.finish(nil)
	s.thread.recordBeside("MapRunSucceeded", nil)
	return result, nil
}

// labelled returns the ARN of what belongs to the Map state. kind is the ARN's resource type between colons, such as :mapRun:.
func (s *stateRun) labelled(kind string) string {
	return strings.Replace(s.thread.run.execution.StateMachineID, ":stateMachine:", kind, 1) + "/" + s.state.mapFields.label
}

// run reads the items, runs the child executions and returns the state's result.
func (r *mapRun) run(ctx context.Context, items []any, concurrency int) (any, error) {
	s := r.state
	if s.state.mapFields.reader != nil {
		var err error
		if items, err = s.readItems(ctx); err != nil {
			return nil, err
		}
	}

	tolerated := r.tolerated.of(len(items))
	if err := r.makeChildren(items); err != nil {
		return nil, err
	}

	if start := s.thread.run.execution.StartMapRun; start != nil {
		r.finish = start(MapRun{
			ARN: r.arn, State: s.state.name, Items: len(items), Children: len(r.children),
			MaxConcurrency: concurrency, ToleratedFailures: tolerated,
		})
	}

	runErr := r.runChildren(ctx, items, concurrency, tolerated)
	if ctx.Err() != nil {
		return nil, &failure{aborted: true, fatal: true}
	}
	result, err := r.result(ctx)
	if runErr != nil {
		return nil, runErr
	}
	return result, err
}

// makeChildren makes a child execution for each item, or for each batch of items.
func (r *mapRun) makeChildren(items []any) error {
	batcher := r.state.state.mapFields.batcher
	if batcher == nil {
		r.children = make([]*childRun, len(items))
		for i := range items {
			r.children[i] = &childRun{items: 1} // runChildren sets the input.
		}
		return nil
	}

	batches, err := r.state.batches(batcher, items)
	for _, batch := range batches {
		r.children = append(r.children, &childRun{items: batch.items, input: batch.input})
	}
	return err
}

// runChildren runs the child executions. The error is the first one that ends the Map run.
func (r *mapRun) runChildren(ctx context.Context, items []any, concurrency, tolerated int) error {
	s := r.state
	g, childCtx := newGroup(ctx, s.thread)
	g.forEach(childCtx, len(r.children), concurrency, func(i int) (func(), error) {
		c := r.children[i]
		if s.state.mapFields.batcher == nil {
			input, _, err := s.itemInput(items[i], i)
			if err != nil {
				return nil, err
			}
			c.input = input
		}

		return func() {
			r.runChild(childCtx, c)
			if c.failure == nil || c.failure.aborted { // An aborted child does not count as a failed one.
				return
			}

			g.mu.Lock()
			r.failed += c.items
			exceeded := r.failed > tolerated
			g.mu.Unlock()

			if exceeded {
				g.fail(thresholdFailure(), nil)
			}
		}, nil
	})
	return g.wait(ctx)
}

// thresholdFailure returns the failure of a Map run of which too many items have failed.
func thresholdFailure() *failure {
	return &failure{name: errorThreshold, cause: "The specified tolerated failure threshold was exceeded", completeCause: true}
}

// runChild runs a child execution and stores its result. The child does not have the parent's variables. It records a history only if
// the execution has StartChild.
func (r *mapRun) runChild(ctx context.Context, c *childRun) {
	s := r.state
	c.execution = s.thread.run.execution
	c.execution.Name = jsonata.UUID()
	c.execution.ID = s.labelled(":execution:") + ":" + c.execution.Name
	c.execution.Start = time.Now()
	c.execution.Record = nil

	if start := c.execution.StartChild; start != nil {
		c.execution.Input = jsontree.Marshal(c.input)
		record, finish := start(Child{
			ID: c.execution.ID, Name: c.execution.Name, MapRunARN: r.arn, StateMachineID: s.labelled(":stateMachine:"),
			Input: c.execution.Input, Start: c.execution.Start,
		})
		c.execution.Record = record
		result, output, f := runFlowAsExecution(ctx, s.state.mapFields.processor, c.execution, c.input)
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

// A tolerance is how many items of a Map run may fail.
type tolerance struct {
	count         float64
	percentage    float64 // Of all items.
	hasCount      bool
	hasPercentage bool
}

// of returns how many of the items may fail.
func (t tolerance) of(items int) int {
	byPercentage := t.percentage * float64(items) / maxPercentage
	switch { // If both limits are set, the lower one applies. If none is set, byPercentage is 0: no item may fail.
	case t.hasCount && t.hasPercentage:
		return int(min(t.count, byPercentage))
	case t.hasCount:
		return int(t.count)
	default:
		return int(byPercentage)
	}
}

// toleratedFailures evaluates ToleratedFailureCount and ToleratedFailurePercentage.
func (s *stateRun) toleratedFailures() (t tolerance, err error) {
	m := s.state.mapFields
	if t.count, t.hasCount, err = s.evalNumber(m.toleratedCount, "integer"); err != nil {
		return t, err
	}
	if t.percentage, t.hasPercentage, err = s.evalNumber(m.toleratedPercentage, "float"); err != nil {
		return t, err
	}
	if t.percentage < 0 || t.percentage > maxPercentage {
		return t, runtimeFailuref("ToleratedFailurePercentage must be between 0 and 100.")
	}
	return t, nil
}
