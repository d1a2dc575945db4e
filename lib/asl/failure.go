package asl

import (
	"errors"
	"fmt"
)

// The names of the errors that Step Functions itself raises (States Language, appendix A).
const (
	errorAll              = "States.ALL"
	errorTaskFailed       = "States.TaskFailed"
	errorTimeout          = "States.Timeout"
	errorHeartbeatTimeout = "States.HeartbeatTimeout"
	errorRuntime          = "States.Runtime"
	errorQuery            = "States.QueryEvaluationError"
	errorDataLimit        = "States.DataLimitExceeded"
	errorNoChoice         = "States.NoChoiceMatched"
	errorIntrinsic        = "States.IntrinsicFailure"
	errorResultPath       = "States.ResultPathMatchFailure"
	errorThreshold        = "States.ExceedToleratedFailureThreshold"
	errorItemReader       = "States.ItemReaderFailed"
	errorResultWriter     = "States.ResultWriterFailed"
)

// A failure is the error of a state.
type failure struct {
	name  string
	cause string

	// fatal is set if no Retry or Catch may handle the failure.
	fatal bool
	// nameOnly is set if ErrorEquals handles the failure only by the failure's own name, not by States.ALL or States.TaskFailed.
	nameOnly bool
	// completeCause is set if the cause names the state already, or must not name it. Otherwise addStateToCause may add the name.
	completeCause bool
	// aborted is set if the thread was cancelled, because a sibling failed or the execution timed out or was stopped.
	aborted bool
	// noHeartbeat is set if the task sent no heartbeat in time. Then States.HeartbeatTimeout in ErrorEquals also handles the
	// failure, whose name is States.Timeout.
	noHeartbeat bool
	// location is the field whose expression failed, for the event EvaluationFailed; empty if no expression failed, or after the
	// event was recorded.
	location string
}

func (f *failure) Error() string { return "asl: " + f.name + ": " + f.cause }

// asError converts the failure to the exported type.
func (f *failure) asError() *Error { return &Error{Name: f.name, Cause: f.cause} }

// runtimeFailuref returns a fatal failure with the name States.Runtime.
func runtimeFailuref(format string, args ...any) error {
	return &failure{name: errorRuntime, cause: fmt.Sprintf(format, args...), fatal: true}
}

// failuref returns a failure that Retry and Catch can handle.
func failuref(name, format string, args ...any) error {
	return &failure{name: name, cause: fmt.Sprintf(format, args...)}
}

// queryFailuref returns a failure of the JSONata expression in a field.
func queryFailuref(field, format string, args ...any) error {
	return &failure{name: errorQuery, cause: fmt.Sprintf(format, args...), location: field}
}

// toFailure returns the failure that err is or wraps. It converts any other error to a fatal failure with the name States.Runtime.
func toFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{name: errorRuntime, cause: err.Error(), fatal: true}
}
