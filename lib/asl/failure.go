package asl

import (
	"errors"
	"fmt"
)

// The names of the errors that the service raises itself (States Language, appendix A).
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
)

// A failure is why a state failed.
type failure struct {
	name  string
	cause string

	// final failures end the execution: no Retry or Catch sees them.
	final bool
	// named failures are matched by their name only, not by States.ALL.
	named bool
	// placed failures tell in their cause in which state they happened.
	placed bool
	// aborted failures come from outside the thread: a sibling failed, the time is up, or the execution was stopped.
	aborted bool
	// silent failures are timeouts for want of a heartbeat, which States.HeartbeatTimeout matches too.
	silent bool
	// location is the field whose expression failed, for the event EvaluationFailed.
	location string
}

func (f *failure) Error() string { return "asl: " + f.name + ": " + f.cause }

// public returns the failure as the package shows it.
func (f *failure) public() *Error { return &Error{Name: f.name, Cause: f.cause} }

// runtimef returns a failure with States.Runtime, which nothing can catch.
func runtimef(format string, args ...any) error {
	return &failure{name: errorRuntime, cause: fmt.Sprintf(format, args...), final: true}
}

// failf returns a failure that Retry and Catch can handle.
func failf(name, format string, args ...any) error {
	return &failure{name: name, cause: fmt.Sprintf(format, args...)}
}

// queryf returns a failure of the expression in a field.
func queryf(field, format string, args ...any) error {
	return &failure{name: errorQuery, cause: fmt.Sprintf(format, args...), location: field}
}

// asFailure returns the failure that err is.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{name: errorRuntime, cause: err.Error(), final: true}
}
