package asltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/herald-progress/herald/lib/asl"
)

// Func makes a task of a function that could be a Lambda function. Its input is decoded, and its output encoded, by encoding/json. A state
// that invokes a function by lambda:invoke passes its Payload and gets the answer of that service.
//
// An error fails the task as aws-lambda-go does: the error's name is the name of its Go type, and its cause an object with errorMessage
// and errorType. An *asl.Error fails the task as it is.
//
// With .waitForTaskToken, the output is what the task is answered with.
func Func[In, Out any](f func(context.Context, In) (Out, error)) asl.Tasks {
	return function(func(ctx context.Context, payload []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(payload, &in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	})
}

// Lambda makes a task of a handler such as lambda.NewHandler of aws-lambda-go returns. It does what Func does.
func Lambda(handler interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}) asl.Tasks {
	return function(handler.Invoke)
}

// Return makes a task that returns an output, as a function in Func does. A string or []byte is the output's JSON text; any other value is
// marshaled.
func Return(output any) asl.Tasks {
	return function(func(context.Context, []byte) ([]byte, error) {
		text, err := jsonText(output, "null")
		if err != nil {
			return nil, &misuseError{err.Error()}
		}
		return text, nil
	})
}

// Fail makes a task that fails with the name of an error and a cause.
func Fail(name, cause string) asl.Tasks {
	return TaskFunc(func(context.Context, asl.Task) (json.RawMessage, error) {
		return nil, &asl.Error{Name: name, Cause: cause}
	})
}

// A function is what runs in Lambda.
type function func(ctx context.Context, payload []byte) ([]byte, error)

// RunTask calls the function as the task's resource does.
func (f function) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	service, _ := integration(task.Resource)
	payload := task.Arguments
	if isInvoke(service) {
		var err error
		if payload, err = payloadOf(service, task.Arguments); err != nil {
			return nil, err
		}
	}

	output, err := f(ctx, payload)
	var misused *misuseError
	switch {
	case errors.As(err, &misused):
		return nil, err
	case err != nil:
		return nil, functionError(err)
	}
	if err := checkOutput(output); err != nil {
		return nil, err
	}
	if !isInvoke(service) || strings.HasSuffix(service, ".waitForTaskToken") {
		return output, nil
	}

	answer := map[string]any{"ExecutedVersion": "$LATEST", "Payload": json.RawMessage(output), "StatusCode": 200}
	if withoutPattern(service) == sdkInvoke {
		answer["Payload"] = string(output)
	}
	return json.Marshal(answer)
}

// payloadOf returns the payload in the arguments of an invocation; null if there is none.
func payloadOf(service string, arguments json.RawMessage) (json.RawMessage, error) {
	var in struct {
		Payload json.RawMessage `json:"Payload"`
	}
	if err := json.Unmarshal(arguments, &in); err != nil {
		return nil, &asl.Error{Name: "Lambda.InvalidParameterValueException", Cause: "The arguments are no object: " + err.Error()}
	}
	var text string
	switch {
	case len(in.Payload) == 0:
		return json.RawMessage("null"), nil
	case withoutPattern(service) == sdkInvoke && json.Unmarshal(in.Payload, &text) == nil:
		return json.RawMessage(text), nil
	default:
		return in.Payload, nil
	}
}

// typeName returns the name of an error's type, or of the type that it points to.
func typeName(err error) string {
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// functionError returns err as Lambda reports it.
func functionError(err error) error {
	var named *asl.Error
	if errors.As(err, &named) {
		return named
	}
	report := messages.InvokeResponse_Error{Message: err.Error(), Type: typeName(err)}
	if own, ok := err.(messages.InvokeResponse_Error); ok { //nolint:errorlint // As aws-lambda-go does, which looks at the outermost error.
		report = own
	}
	cause, marshalErr := json.Marshal(map[string]string{"errorMessage": report.Message, "errorType": report.Type})
	if marshalErr != nil {
		return fmt.Errorf("marshal the error %s: %w", report.Type, marshalErr)
	}
	return &asl.Error{Name: report.Type, Cause: string(cause)}
}
