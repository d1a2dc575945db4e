package asl

import (
	"context"
	"errors"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxPayload is the greatest size of a state's input, output or result, in bytes.
const maxPayload = 262_144

// The causes with which the context of an execution, or of a part of it, is cancelled.
var (
	errExecutionTimeout = errors.New("asl: the execution timed out")
	errHistoryFull      = errors.New("asl: the history is full")
	errSiblingFailed    = errors.New("asl: another branch failed")
	errTaskTimeout      = errors.New("asl: the task timed out")
	errTaskHeartbeat    = errors.New("asl: the task sent no heartbeat")
)

// A run holds the data that all threads of an execution share.
type run struct {
	execution Execution
	input     any
	probe     *probe // Nil unless a state is run by itself.
	from      Point  // Where a redrive goes on. MapRun is empty as soon as its state has taken it.
}

// Run runs one execution and returns its result. If ctx is cancelled the execution ends as ABORTED, with the name and cause of
// context.Cause(ctx) if that is an *Error.
func (m *Machine) Run(ctx context.Context, execution Execution) Result {
	if execution.Start.IsZero() {
		execution.Start = time.Now()
	}
	if len(execution.Input) == 0 {
		execution.Input = []byte("{}")
	}

	input, err := jsontree.Parse(execution.Input)
	if err != nil {
		return Result{Status: StatusFailed, Error: &Error{Name: errorRuntime, Cause: "The input is not valid JSON: " + err.Error()}}
	}
	if m.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, m.timeout, errExecutionTimeout)
		defer stop()
	}
	result, _, _ := runFlowAsExecution(ctx, m.flow, execution, input)
	return result
}

// runFlowAsExecution runs an execution, or a child execution of a Distributed Map, with an input. It returns the result, and the output
// or the failure. The failure is aborted if ctx was cancelled.
func runFlowAsExecution(ctx context.Context, flow *flow, execution Execution, input any) (Result, any, *failure) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	t := newThread(execution, input, cancel)
	t.recordLazily("ExecutionStarted", func() *Details {
		return NewDetails("executionStartedEventDetails", t.withText(object{"roleArn": execution.RoleARN}, "input", input))
	})

	t.previous = 0
	output, err := t.runFlow(ctx, flow, input)
	result := t.finishExecution(ctx, output, err)
	if err != nil {
		return result, nil, endOf(ctx, err)
	}
	return result, output, nil
}

// newThread returns the thread that runs the flow of an execution, or of a child execution. cancel ends it when its history is full.
func newThread(execution Execution, input any, cancel context.CancelCauseFunc) *thread {
	return &thread{
		run: &run{execution: execution, input: input}, variables: &variables{}, path: execution.thread,
		recorder: &recorder{record: execution.Record, onFull: func() { cancel(errHistoryFull) }},
	}
}

// endOf returns the failure with which an execution ends whose context is ctx. err is what runFlow returned.
func endOf(ctx context.Context, err error) *failure {
	f := toFailure(err)
	if f.aborted && errors.Is(context.Cause(ctx), errHistoryFull) {
		_, _, f = cancellation(errHistoryFull)
	}
	return f
}

// finishExecution records the last event and returns the result. output and err are what runFlow returned.
func (t *thread) finishExecution(ctx context.Context, output any, err error) Result {
	if err == nil {
		t.recorder.addLast(t.previous, "ExecutionSucceeded", NewDetails("executionSucceededEventDetails",
			t.withText(object{}, "output", output)))
		return Result{Status: StatusSucceeded, Output: []byte(t.texts.text(output))}
	}

	f := toFailure(err)
	const failedEvent = "ExecutionFailed"
	status, event := StatusFailed, failedEvent
	if f.aborted {
		status, event, f = cancellation(context.Cause(ctx))
	}

	detailsName := map[string]string{
		failedEvent: "executionFailedEventDetails", "ExecutionTimedOut": "executionTimedOutEventDetails",
		"ExecutionAborted": "executionAbortedEventDetails",
	}[event]
	previous := t.previous
	if event != failedEvent {
		previous = 0
	}
	t.recorder.addLast(previous, event, NewDetails(detailsName, errorDetails(f.name, f.cause)))
	return Result{Status: status, Error: f.asError()}
}

// cancellation returns the status, the type of the last event and the failure of an execution that was cancelled with cause.
func cancellation(cause error) (Status, string, *failure) {
	var stopped *Error
	switch {
	case errors.Is(cause, errExecutionTimeout): // The event has neither a name nor a cause.
		return StatusTimedOut, "ExecutionTimedOut", &failure{}
	case errors.Is(cause, errHistoryFull):
		return StatusFailed, "ExecutionFailed", &failure{
			name: errorRuntime, cause: "The execution reached the maximum number of history events (25000).",
		}
	case errors.As(cause, &stopped):
		return StatusAborted, "ExecutionAborted", &failure{name: stopped.Name, cause: stopped.Cause}
	default:
		return StatusAborted, "ExecutionAborted", &failure{}
	}
}
