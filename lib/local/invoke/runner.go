package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Runner runs a function outside of this process. Function.Handler may be one. It is called concurrently.
type Runner interface {
	// Run returns what the function returned. If the function failed, the error is a *FunctionError. Run enforces the timeout of
	// the call, because a function's time begins after its init.
	Run(ctx context.Context, call Call) ([]byte, error)
}

// Call is an invocation that a Runner runs.
type Call struct {
	// RequestID is the invocation's id.
	RequestID string
	// FunctionARN is the function's ARN.
	FunctionARN string
	// Timeout is how long the function may run.
	Timeout time.Duration
	// Payload is JSON text.
	Payload []byte
}

// FunctionError is the error of a function outside of this process.
type FunctionError struct {
	// Type is the errorType in the payload, or empty if it has none.
	Type string
	// Payload is the error as JSON text, as the function's runtime reports it.
	Payload []byte
}

// Error returns the type. The payload may have data of users.
func (e *FunctionError) Error() string { return "invoke: function failed: " + e.Type }

// NewFunctionError returns an error with the given type and message.
func NewFunctionError(kind, message string) *FunctionError {
	return &FunctionError{Type: kind, Payload: failureJSON(&messages.InvokeResponse_Error{Type: kind, Message: message})}
}

// ParseFunctionError returns the error that a runtime reports as JSON text. Text that is not JSON becomes a JSON string.
func ParseFunctionError(payload []byte) *FunctionError {
	var fields struct {
		Type string `json:"errorType"`
	}
	if !json.Valid(payload) {
		quoted, err := json.Marshal(string(payload))
		if err != nil {
			quoted = []byte(`""`)
		}
		return &FunctionError{Payload: quoted}
	}
	_ = json.Unmarshal(payload, &fields) // Any JSON may be an error; only an object has a type.
	return &FunctionError{Type: fields.Type, Payload: payload}
}

// NewTimeout returns the error of an invocation that has timed out.
func NewTimeout(requestID string, timeout time.Duration) *FunctionError {
	return NewFunctionError(timedOut, timeoutMessage(requestID, timeout))
}

// timedOut is the errorType of an invocation that has timed out.
const timedOut = "Sandbox.Timedout"

func timeoutMessage(requestID string, timeout time.Duration) string {
	return fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", requestID, timeout.Seconds())
}

// NewTooLarge returns the error of a function whose response has more bytes than Lambda accepts.
func NewTooLarge(size int64) *FunctionError {
	failure := tooLarge(size)
	return NewFunctionError(failure.Type, failure.Message)
}

func tooLarge(size int64) *messages.InvokeResponse_Error {
	return &messages.InvokeResponse_Error{
		Type:    "Function.ResponseSizeTooLarge",
		Message: fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", size, maxResult),
	}
}

// runOutside runs the call with a Runner and sends exactly one result.
func (l *Lambda) runOutside(ctx context.Context, call invocation, runner Runner, results chan<- Result) {
	payload, err := runner.Run(ctx, Call{
		RequestID: call.requestID, FunctionARN: FunctionARN(call.name), Timeout: call.Timeout, Payload: call.payload,
	})
	if err == nil {
		l.finish(ctx, call, payload, nil, results)
		return
	}

	var failure *FunctionError
	if !errors.As(err, &failure) {
		failure = NewFunctionError("Runtime.Unknown", err.Error())
	}
	l.logFailure(ctx, call, failure.Type)
	results <- Result{RequestID: call.requestID, Payload: failure.Payload, Error: &messages.InvokeResponse_Error{Type: failure.Type}}
}
