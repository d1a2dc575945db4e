package states

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/durable"
)

// pendingRedrive is the status of a child execution that will run again in the running redrive of its Map run.
const pendingRedrive asl.Status = "PENDING_REDRIVE"

// redriveMapRun begins the redrive of a Map run, and returns what it has done: asl.Execution.RedriveMapRun. As on AWS, the children that did
// not succeed have the status PENDING_REDRIVE until they run or the Map run ends
// (https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html#redrive-child-workflow-behavior).
func (s *StepFunctions) redriveMapRun(arn string) (*asl.RedrivenMapRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.mapRuns[arn]
	if r == nil {
		return nil, nil // The process ended before it stored the Map run, which has no children.
	}
	if r.incomplete {
		return nil, errIncomplete(r)
	}

	r.status, r.stop = string(StatusRunning), time.Time{}
	r.redrives.count++
	r.redrives.newest = now()
	done := &asl.RedrivenMapRun{
		ARN: r.arn, RedriveCount: r.redrives.count, Limits: r.limits, Total: int(r.executions.Total), Dataset: r.dataset,
	}
	for _, index := range slices.Sorted(maps.Keys(r.children)) {
		x := r.children[index]
		redrivable := x.notRedrivable() == ""
		done.Children = append(done.Children, asl.RedrivenChild{
			Index: index, ID: x.arn, Name: x.name, Input: json.RawMessage(x.input), Items: x.items, Start: x.start, Stop: x.stop,
			RedriveCount: x.redrives.count, RedriveTime: x.redrives.newest, Result: x.result, Redrivable: redrivable, Events: x.events,
		})
		if redrivable {
			r.move(x, x.status, pendingRedrive)
			x.status = pendingRedrive
		}
	}
	s.endedChildren = slices.DeleteFunc(s.endedChildren, func(x *execution) bool { return x.status == pendingRedrive })
	s.saveMapRun(r)
	return done, nil
}

// redriveChild makes a child execution run again. The caller holds the lock.
func (s *StepFunctions) redriveChild(x *execution, c asl.Child) {
	x.mapRun.move(x, x.status, StatusRunning)
	x.status, x.stop, x.result, x.aborted = StatusRunning, time.Time{}, asl.Result{}, nil
	x.done = make(chan struct{})
	if x.mapRun.express {
		x.start = c.Start.Truncate(time.Millisecond)
		s.removeHistory(x) // It starts anew.
		return
	}
	x.redrives.count, x.redrives.newest = c.RedriveCount, c.RedriveTime.Truncate(time.Millisecond)
}

// endPendingRedrives gives the child executions that wait for their redrive the status that they had before. The caller holds the lock.
func (s *StepFunctions) endPendingRedrives(r *mapRun) {
	for _, index := range slices.Sorted(maps.Keys(r.children)) {
		if x := r.children[index]; x.status == pendingRedrive {
			r.move(x, pendingRedrive, x.result.Status)
			x.status = x.result.Status
			s.endedChildren = append(s.endedChildren, x)
		}
	}
}

// addChild adds a child execution that has started. The caller holds the lock.
func (r *mapRun) addChild(x *execution) {
	if r.children[x.index] != nil { // An older version of Herald stored it without its index.
		r.incomplete = true
	}
	r.children[x.index] = x
}

// removeChild removes a child execution from its Map run, which cannot be redriven any more. The caller holds the lock.
func (s *StepFunctions) removeChild(x *execution) {
	r := x.mapRun
	delete(r.children, x.index)
	if !r.incomplete && s.mapRuns[r.arn] == r {
		r.incomplete = true
		s.saveMapRun(r)
	}
}

// lacksChildren returns why an execution cannot be redriven if it would go on with a Map run whose child executions are not all stored, or
// "". The caller holds the lock.
func (x *execution) lacksChildren() string {
	for _, r := range x.mapRuns {
		if r.incomplete && r.status != mapRunSucceeded && x.revision.parsed.RedrivePoint(x.events).MapRun == r.arn {
			return errIncomplete(r).Error()
		}
	}
	return ""
}

func errIncomplete(r *mapRun) error {
	return fmt.Errorf("the results of some child executions of the Map Run %s are not stored any more, so it cannot be redriven", r.arn)
}

// failuresNotRedrivable returns how many child executions, and items of them, did not succeed and cannot be redriven. The caller holds
// the lock.
func (r *mapRun) failuresNotRedrivable() (executions, items int64) {
	for _, x := range r.children {
		switch x.status {
		case asl.StatusFailed, asl.StatusTimedOut, asl.StatusAborted:
			if x.notRedrivable() != "" {
				executions++
				items += int64(x.items)
			}
		}
	}
	return executions, items
}

// setDataset stores what the ItemReader of a Map run has read. Nil removes it, unless the Map run goes on. The caller holds the lock.
func (s *StepFunctions) setDataset(r *mapRun, dataset json.RawMessage) {
	if dataset == nil && r.status == string(StatusRunning) || len(r.dataset) == 0 && len(dataset) == 0 {
		return
	}
	s.countSaved(r.execution, int64(len(dataset)-len(r.dataset)))
	r.dataset = dataset
	s.add(durable.Change{Table: tableDatasets, Key: sequenceKey(r.sequence), Value: dataset})
}
