package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

// maxPanicFrames bounds the stack trace of a panic.
const maxPanicFrames = 32

// callHandler calls the function and names its error, or its panic, as aws-lambda-go does. Each call has a lambda.Handler
// of its own: one hands out a buffer that its next call overwrites.
func callHandler(
	ctx context.Context, call invocation,
) (answer []byte, failure *messages.InvokeResponse_Error) {
	defer func() {
		if value := recover(); value != nil {
			answer, failure = nil, panicError(value)
		}
	}()

	answer, err := lambda.NewHandler(call.Handler).Invoke(ctx, call.payload)
	if err != nil {
		return nil, handlerError(err)
	}
	return answer, nil
}

// handlerError returns err as a function error, whose type is the name of the Go type. The outermost type counts: a
// wrapped error loses its name.
func handlerError(err error) *messages.InvokeResponse_Error {
	if known, ok := err.(messages.InvokeResponse_Error); ok { //nolint:errorlint // aws-lambda-go does not unwrap either.
		return &known
	}
	return &messages.InvokeResponse_Error{Type: typeName(err), Message: err.Error()}
}

// panicError returns the value of a panic as a function error. It is to be called by the deferred function.
func panicError(value any) *messages.InvokeResponse_Error {
	if known, ok := value.(messages.InvokeResponse_Error); ok {
		return &known
	}
	return &messages.InvokeResponse_Error{
		Type:       typeName(value),
		Message:    fmt.Sprint(value),
		StackTrace: panicStack(),
	}
}

// timeoutError returns the function error of an invocation that was given up.
func timeoutError(call invocation) *messages.InvokeResponse_Error {
	return &messages.InvokeResponse_Error{
		Type: "Sandbox.Timedout",
		Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds",
			call.requestID, call.Timeout.Seconds()),
	}
}

// typeName returns the name of the value's type, for a pointer that of what it points to.
func typeName(value any) string {
	typ := reflect.TypeOf(value)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ.Name()
}

// panicStack returns the stack of a recovered panic, from the function that panicked outwards.
func panicStack() []*messages.InvokeResponse_Error_StackFrame {
	callers := make([]uintptr, maxPanicFrames)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	var stack []*messages.InvokeResponse_Error_StackFrame
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" {
			stack = nil
		} else {
			stack = append(stack, stackFrame(frame))
		}

		if !more {
			return stack
		}
	}
}

// stackFrame names a function without its package's path, and its file with the package's last folder.
func stackFrame(frame runtime.Frame) *messages.InvokeResponse_Error_StackFrame {
	label := frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
	_, label, _ = strings.Cut(label, ".")

	folder := strings.LastIndexByte(frame.File, '/')
	path := frame.File[strings.LastIndexByte(frame.File[:max(folder, 0)], '/')+1:]
	return &messages.InvokeResponse_Error_StackFrame{
		Path:  path,
		Line:  int32(frame.Line), //nolint:gosec // No source file has two billion lines.
		Label: label,
	}
}

// failureJSON returns a function error as the payload that Lambda answers.
func failureJSON(failure *messages.InvokeResponse_Error) []byte {
	body, err := json.Marshal(failure)
	if err != nil {
		return []byte(`{"errorMessage":"","errorType":"Runtime.SerializationError"}`)
	}
	return body
}
