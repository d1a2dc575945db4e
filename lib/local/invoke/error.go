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

// maxPanicFrames is the maximum number of frames in a panic's stack trace.
const maxPanicFrames = 32

// callHandler calls the function. It converts an error or a panic to a function error as aws-lambda-go does. Each call makes a
// lambda.Handler of its own, because a handler returns a buffer that its next call overwrites.
func callHandler(
	ctx context.Context, call invocation,
) (payload []byte, failure *messages.InvokeResponse_Error) {
	defer func() {
		if value := recover(); value != nil {
			payload, failure = nil, panicError(value)
		}
	}()

	payload, err := lambda.NewHandler(call.Handler).Invoke(ctx, call.payload)
	if err != nil {
		return nil, handlerError(err)
	}
	return payload, nil
}

// handlerError converts an error that a handler returned to a function error.
func handlerError(err error) *messages.InvokeResponse_Error {
	return functionError(err, err.Error(), nil)
}

// panicError converts the value of a panic to a function error. Call it in the deferred function that has recovered, because its
// stack still contains the function that panicked.
func panicError(value any) *messages.InvokeResponse_Error {
	return functionError(value, fmt.Sprint(value), panicStack())
}

// functionError returns value if it is a function error. Otherwise it returns one whose type is the name of value's Go type.
// As in aws-lambda-go, it does not unwrap errors: a wrapped error has the name of the outer type.
func functionError(
	value any, message string, stack []*messages.InvokeResponse_Error_StackFrame,
) *messages.InvokeResponse_Error {
	if failure, ok := value.(messages.InvokeResponse_Error); ok {
		return &failure
	}
	return &messages.InvokeResponse_Error{Type: typeName(value), Message: message, StackTrace: stack}
}

// timeoutError returns the function error of an invocation that timed out.
func timeoutError(call invocation) *messages.InvokeResponse_Error {
	return &messages.InvokeResponse_Error{
		Type: timedOut, Message: timeoutMessage(call.requestID, call.Timeout),
	}
}

// typeName returns the name of the value's type; for a pointer, of the type that it points to.
func typeName(value any) string {
	typ := reflect.TypeOf(value)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ.Name()
}

// panicStack returns the stack of a recovered panic. The function that panicked comes first.
func panicStack() []*messages.InvokeResponse_Error_StackFrame {
	callers := make([]uintptr, maxPanicFrames)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	var stack []*messages.InvokeResponse_Error_StackFrame
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" { // The frames so far are those of the recovery.
			stack = nil
		} else {
			stack = append(stack, stackFrame(frame))
		}

		if !more {
			return stack
		}
	}
}

// stackFrame converts a frame: the function without its package, the file with its folder only.
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

// failureJSON returns a function error as the payload of Lambda's response.
func failureJSON(failure *messages.InvokeResponse_Error) []byte {
	body, err := json.Marshal(failure)
	if err != nil {
		return []byte(`{"errorMessage":"","errorType":"Runtime.SerializationError"}`)
	}
	return body
}
