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
	x := s.thread.run.execution
	execution := jsontree.NewObject(
		"Id", x.ID, "Input", s.thread.run.input, "Name", x.Name, "RoleArn", x.RoleARN,
		"StartTime", formatTimestamp(x.Start),
	)
	if !strings.Contains(x.ID, ":express:") {
		execution.Set("RedriveCount", int64(x.RedriveCount))
	}
	if x.RedriveCount > 0 && !x.RedriveTime.IsZero() {
		execution.Set("RedriveTime", formatTimestamp(x.RedriveTime))
	}

	current := jsontree.NewObject("Name", s.state.name, "EnteredTime", formatTimestamp(s.entered))
	switch s.state.kind {
	case kindTask, kindMap, kindParallel:
		current.Set("RetryCount", int64(s.retries))
	}

	o := jsontree.NewObject(
		"Execution", execution, "State", current,
		"StateMachine", jsontree.NewObject("Id", x.StateMachineID, "Name", x.StateMachineName),
	)
	if s.item != nil {
		o.Set("Map", jsontree.NewObject("Item", s.item))
	}
	if s.token != "" {
		o.Set("Task", jsontree.NewObject("Token", s.token))
	}
	return o
}
