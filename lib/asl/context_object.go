package asl

import (
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// formatTimestamp formats a time as Step Functions does: in UTC, with milliseconds unless they are zero.
func formatTimestamp(t time.Time) string {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// contextObject returns the context object: $$ in JSONPath, $states.context in JSONata.
func (s *stateRun) contextObject() *jsontree.Object {
	p := s.thread.run.probe
	if p != nil && p.context != nil {
		return p.context
	}

	execution := s.thread.run.execution
	executionObject := jsontree.NewObject(
		"Id", execution.ID, "Input", s.thread.run.input, "Name", execution.Name, "RoleArn", execution.RoleARN,
		"StartTime", formatTimestamp(execution.Start),
	)
	if p != nil && execution.RoleARN == "" { // A state can be tested without a role.
		executionObject.Set("RoleArn", nil)
	}
	if !strings.Contains(execution.ID, ":express:") { // Only a Standard execution can be redriven.
		executionObject.Set("RedriveCount", int64(execution.RedriveCount))
	}
	if execution.RedriveCount > 0 && !execution.RedriveTime.IsZero() {
		executionObject.Set("RedriveTime", formatTimestamp(execution.RedriveTime))
	}

	stateObject := jsontree.NewObject("Name", s.state.name, "EnteredTime", formatTimestamp(s.entered))
	switch s.state.kind {
	case kindTask, kindMap, kindParallel: // Only these types of states have Retry.
		stateObject.Set("RetryCount", int64(s.retries))
	}

	o := jsontree.NewObject(
		"Execution", executionObject, "State", stateObject,
		"StateMachine", jsontree.NewObject("Id", execution.StateMachineID, "Name", execution.StateMachineName),
	)
	if s.item != nil {
		o.Set("Map", jsontree.NewObject("Item", s.item))
	}
	if s.token != "" {
		o.Set("Task", jsontree.NewObject("Token", s.token))
	}
	return o
}
