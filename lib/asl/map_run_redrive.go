package asl

import (
	"context"
	"encoding/json"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// RedrivenMapRun is what a Map run has done before a redrive goes on with it. The redrive runs the child executions that did not succeed or
// never started; the results of the others stay (https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html).
type RedrivenMapRun struct {
	// ARN is the Map run's ARN, which stays.
	ARN string
	// RedriveCount counts the redrives of the Map run, with this one.
	RedriveCount int
	// Limits are the limits of the Map run, which stay.
	Limits MapRunLimits
	// Total is the number of all child executions. It is zero if the items could not be read: then they are read now.
	Total int
	// Dataset is what MapRun.Dataset returned. It is needed if the state has an ItemReader and a child never started: as on AWS, the
	// redrive does not read the items again.
	Dataset json.RawMessage
	// Children are the child executions that have started, in the order of Index.
	Children []RedrivenChild
}

// RedrivenChild is what a child execution has done before the redrive of its Map run.
type RedrivenChild struct {
	// Index is the child's place among the children, from 0.
	Index int
	// ID and Name are the child's ARN and its name, which stay.
	ID, Name string
	// Input is the child's input as JSON text, and Items the number of items in it.
	Input json.RawMessage
	Items int
	// Start and Stop are when the child started and ended.
	Start, Stop time.Time
	// RedriveCount and RedriveTime are those of the redrives before this one.
	RedriveCount int
	RedriveTime  time.Time
	// Result is how the child ended.
	Result Result
	// Redrivable is set if the child runs again. Otherwise its result stays, and a failure counts towards the tolerated ones.
	Redrivable bool
	// Events are the child's history. A Standard child goes on from the state that failed; without a history, it starts again.
	Events []Event
}

// redrivenMapRun returns the Map run that the state goes on with, or nil if it needs a new one.
func (s *stateRun) redrivenMapRun() (*RedrivenMapRun, error) {
	run := s.thread.run
	arn, find := run.from.MapRun, run.execution.RedriveMapRun
	if arn == "" || find == nil || s.state.name != run.from.State {
		return nil, nil
	}
	run.from.MapRun = "" // Further runs of the state, and its retries, need new ones.
	redriven, err := find(arn)
	if err != nil {
		return nil, runtimeFailuref("%v", err)
	}
	return redriven, nil
}

// datasetText returns items that ItemReader has read as JSON text, or nil if it has more than limit bytes. It is an object if they are its
// entries.
func datasetText(items []any, limit int) json.RawMessage {
	var v any = items
	if len(items) > 0 {
		if _, ok := items[0].(*entry); ok {
			o := &jsontree.Object{}
			for _, item := range items {
				if e, ok := item.(*entry); ok {
					o.Set(e.key, e.value)
				}
			}
			v = o
		}
	}
	text, ok := jsontree.TextUpTo(v, limit)
	if !ok {
		return nil
	}
	return json.RawMessage(text)
}

// notRedrivablef returns the failure of a Map run that cannot go on. As it is a States.Runtime, the next redrive starts a new Map run.
func notRedrivablef(format string, args ...any) error {
	return runtimeFailuref("The Map Run cannot be redriven: "+format+" Another redrive starts a new Map Run.", args...)
}

// hasAllChildren reports whether each child of a redriven Map run has started, so that the items are not needed.
func (r *mapRun) hasAllChildren() bool {
	return r.redriven != nil && r.redriven.Total > 0 && len(r.redriven.Children) == r.redriven.Total
}

// items returns the items of the Map run. ofState are those of a state without an ItemReader.
func (r *mapRun) items(ctx context.Context, ofState []any) ([]any, error) {
	switch {
	case r.hasAllChildren():
		return nil, nil
	case r.state.state.mapFields.reader == nil:
		return ofState, nil
	case r.redriven == nil || r.redriven.Total == 0:
		return r.state.readItems(ctx)
	case r.redriven.Dataset == nil:
		return nil, notRedrivablef("the items of the child executions that have not started are not stored.")
	}

	v, err := jsontree.Parse(r.redriven.Dataset)
	if err != nil {
		return nil, runtimeFailuref("The stored items of the Map Run are not valid JSON: %v", err)
	}
	if o, ok := v.(*jsontree.Object); ok {
		return entriesOf(o), nil
	}
	items, _ := v.([]any)
	return items, nil
}

// restoreChildren gives the children of a redriven Map run what they have done. A failure says that the state has made other children, as
// an expression with $random can.
func (r *mapRun) restoreChildren() error {
	if r.redriven == nil || r.redriven.Total == 0 {
		return nil
	}
	if len(r.children) != r.redriven.Total {
		return notRedrivablef("it had %d child executions, and now it would have %d.", r.redriven.Total, len(r.children))
	}
	for i := range r.redriven.Children {
		redriven := &r.redriven.Children[i]
		if redriven.Index < 0 || redriven.Index >= len(r.children) {
			return notRedrivablef("it has no child execution with the index %d.", redriven.Index)
		}
		c := r.children[redriven.Index]
		if c.redriven != nil || c.items != redriven.Items {
			return notRedrivablef("the child execution with the index %d had other items.", redriven.Index)
		}
		if err := c.restore(redriven); err != nil {
			return err
		}
		if c.failure != nil && !c.failure.aborted && !redriven.Redrivable {
			r.failed += c.items
		}
	}
	return nil
}

// restore sets what the child has done.
func (c *childRun) restore(redriven *RedrivenChild) (err error) {
	c.redriven, c.status, c.stop = redriven, redriven.Result.Status, redriven.Stop
	c.execution.ID, c.execution.Name, c.execution.Start = redriven.ID, redriven.Name, redriven.Start
	c.execution.RedriveCount, c.execution.RedriveTime = redriven.RedriveCount, redriven.RedriveTime
	if c.input, err = jsontree.Parse(redriven.Input); err != nil {
		return runtimeFailuref("The input of the child execution %s is not valid JSON: %v", redriven.Name, err)
	}
	if c.status == StatusSucceeded {
		if c.output, err = jsontree.Parse(redriven.Result.Output); err != nil {
			return runtimeFailuref("The output of the child execution %s is not valid JSON: %v", redriven.Name, err)
		}
		return nil
	}
	c.failure = &failure{aborted: c.status == StatusAborted, completeCause: true}
	if e := redriven.Result.Error; e != nil {
		c.failure.name, c.failure.cause = e.Name, e.Cause
	}
	return nil
}

// unfinished returns the children that run now: those that have not started, and those that are redriven.
func (r *mapRun) unfinished() []*childRun {
	var children []*childRun
	for _, c := range r.children {
		if c.redriven == nil || c.redriven.Redrivable && c.status != StatusSucceeded {
			children = append(children, c)
		}
	}
	return children
}

// begin sets the execution of a child that starts or is redriven. An Express child keeps its ARN, but starts anew.
func (c *childRun) begin(s *stateRun) {
	x := s.thread.run.execution
	x.Record, x.thread = nil, s.childPath(c.index)
	x.RedriveCount, x.RedriveTime, x.Start = 0, time.Time{}, time.Now()
	if c.redriven == nil {
		x.Name = jsonata.UUID()
		x.ID = s.labelled(":execution:") + ":" + x.Name
	} else {
		x.Name, x.ID = c.redriven.Name, c.redriven.ID
		if !s.state.mapFields.express {
			x.RedriveCount, x.RedriveTime, x.Start = c.redriven.RedriveCount+1, x.Start, c.redriven.Start
		}
	}
	c.execution, c.output, c.failure = x, nil, nil
}

// run runs the child, or the rest of a Standard child that is redriven.
func (c *childRun) run(ctx context.Context, processor *flow) (Result, any, *failure) {
	if c.execution.RedriveCount > 0 && len(c.redriven.Events) > 0 {
		return redriveFlowAsExecution(ctx, processor, c.execution, c.input, processor.redrivePoint(c.redriven.Events))
	}
	return runFlowAsExecution(ctx, processor, c.execution, c.input)
}
