package asl

import (
	"context"
	"encoding/json"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Point is where Machine.Redrive goes on: a state of the machine itself, not of a branch or a Map.
type Point struct {
	// State is the name of the state that runs first.
	State string
	// Input is the state's input as JSON text.
	Input json.RawMessage
	// Variables are the values of the variables as JSON text, by name.
	Variables map[string]json.RawMessage
	// LastEvent is the ID of the newest event of the history. The next event has the next ID.
	LastEvent int64
}

// Redrive goes on with an execution that did not succeed, as RedriveExecution does. The state that failed is entered anew: a Parallel or
// Map state starts from its beginning. execution has the RedriveCount of this redrive. The timeout of the machine starts anew. An
// unknown state or text that is not JSON fails the execution with States.Runtime.
func (m *Machine) Redrive(ctx context.Context, execution Execution, from Point) Result {
	input, err := jsontree.Parse(execution.Input)
	if err != nil {
		return invalidPoint("The input is not valid JSON: " + err.Error())
	}
	stateInput, err := jsontree.Parse(from.Input)
	if err != nil {
		return invalidPoint("The state's input is not valid JSON: " + err.Error())
	}
	if _, ok := m.flow.states[from.State]; !ok {
		return invalidPoint("There is no state '" + from.State + "'")
	}
	values := map[string]any{}
	for name, text := range from.Variables {
		if values[name], err = jsontree.Parse(text); err != nil {
			return invalidPoint("The variable " + name + " is not valid JSON: " + err.Error())
		}
	}

	if m.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, m.timeout, errExecutionTimeout)
		defer stop()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if execution.Start.IsZero() {
		execution.Start = time.Now()
	}
	rec := &recorder{last: from.LastEvent, record: execution.Record, onFull: func() { cancel(errHistoryFull) }}
	t := &thread{
		run: &run{execution: execution, input: input}, recorder: rec, variables: &variables{values: values}, previous: from.LastEvent,
	}
	t.record("ExecutionRedriven", NewDetails("executionRedrivenEventDetails", object{"redriveCount": execution.RedriveCount}))
	output, err := t.runFlow(ctx, &flow{startAt: from.State, states: m.flow.states}, stateInput)
	return t.finishExecution(ctx, output, err)
}

// invalidPoint is the result of a redrive that cannot start.
func invalidPoint(cause string) Result {
	return Result{Status: StatusFailed, Error: &Error{Name: errorRuntime, Cause: cause}}
}
