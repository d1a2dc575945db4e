package asl

import (
	"context"
	"errors"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxPayload is the most bytes that a state's input, output or result may have.
const maxPayload = 262_144

// The reasons for which an execution or a part of it is cancelled.
var (
	errTimedOut    = errors.New("asl: the execution timed out")
	errFull        = errors.New("asl: the history is full")
	errSibling     = errors.New("asl: another branch failed")
	errTaskTime    = errors.New("asl: the task timed out")
	errTaskSilence = errors.New("asl: the task sent no heartbeat")
)

// A run is one execution on its way.
type run struct {
	execution Execution
	input     any
}

// Run runs one execution to its end and returns how it ended. When ctx is cancelled the execution is ABORTED,
// with the error and cause of context.Cause(ctx) when that is an *Error.
func (m *Machine) Run(ctx context.Context, x Execution) Result {
	if x.Start.IsZero() {
		x.Start = time.Now()
	}
	if len(x.Input) == 0 {
		x.Input = []byte("{}")
	}

	input, err := jsontree.Parse(x.Input)
	if err != nil {
		return Result{Status: StatusFailed, Error: &Error{Name: errorRuntime, Cause: "The input is not valid JSON: " + err.Error()}}
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if m.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, m.timeout, errTimedOut)
		defer stop()
	}

	rec := &recorder{record: x.Record, full: func() { cancel(errFull) }}
	t := &thread{run: &run{execution: x, input: input}, recorder: rec, variables: &variables{}, ctx: ctx}
	t.record("ExecutionStarted", details("executionStartedEventDetails",
		withText(object{"roleArn": x.RoleARN}, "input", input)))

	output, err := t.runFlow(m.flow, input) //nolint:contextcheck // The thread holds the context.
	return t.finish(output, err)
}

// finish records the last event and returns the result.
func (t *thread) finish(output any, err error) Result {
	if err == nil {
		t.recorder.add(t.previous, "ExecutionSucceeded", details("executionSucceededEventDetails",
			withText(object{}, "output", output)), true)
		return Result{Status: StatusSucceeded, Output: jsontree.Marshal(output)}
	}

	f := asFailure(err)
	status, event := StatusFailed, "ExecutionFailed"
	if f.aborted {
		status, event, f = t.interruption()
	}

	name := map[string]string{
		"ExecutionFailed": "executionFailedEventDetails", "ExecutionTimedOut": "executionTimedOutEventDetails",
		"ExecutionAborted": "executionAbortedEventDetails",
	}[event]
	t.recorder.add(t.previous, event, details(name, errorDetails(f.name, f.cause)), true)
	return Result{Status: status, Error: f.public()}
}

// interruption says how an execution ended that was cancelled.
func (t *thread) interruption() (Status, string, *failure) {
	cause := context.Cause(t.ctx)
	var stop *Error
	switch {
	case errors.Is(cause, errTimedOut):
		return StatusTimedOut, "ExecutionTimedOut", &failure{}
	case errors.Is(cause, errFull):
		return StatusFailed, "ExecutionFailed", &failure{
			name: errorRuntime, cause: "The execution reached the maximum number of history events (25000).",
		}
	case errors.As(cause, &stop):
		return StatusAborted, "ExecutionAborted", &failure{name: stop.Name, cause: stop.Cause}
	default:
		return StatusAborted, "ExecutionAborted", &failure{}
	}
}
