package states

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// startArguments has the fields of the Arguments of states:startExecution,
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html.
type startArguments struct {
	StateMachineArn string          `json:"StateMachineArn"`
	Name            string          `json:"Name"`
	Input           json.RawMessage `json:"Input"`
}

// startExecution runs states:startExecution. Its result is the output of StartExecution.
func (r *taskRunner) startExecution(_ context.Context, t asl.Task) (json.RawMessage, error) {
	_, output, err := r.startNested(t, "")
	return output, err
}

// startExecutionSync runs states:startExecution.sync and .sync:2: it starts an execution and waits until it has ended. The
// result is the execution's description, with input and output as text for .sync and as JSON values for .sync:2.
func (r *taskRunner) startExecutionSync(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	nested, output, err := r.startNested(t, typeStandard)
	if err != nil {
		return nil, err
	}

	recordSubmitted(t, output)
	select {
	case <-r.states.doneOf(nested):
	case <-ctx.Done():
		r.states.abort(nested, &asl.Error{}) // A task that is cancelled aborts the execution that it waits for, without an error.
		return nil, fmt.Errorf("wait for %s: %w", nested.arn, context.Cause(ctx))
	}

	description := r.states.describe(nested)
	result, err := marshal(nestedResult(description, strings.HasSuffix(t.Resource, ":2")))
	if err != nil {
		return nil, err
	}
	if description.Status != asl.StatusSucceeded {
		return nil, &asl.Error{Name: "States.TaskFailed", Cause: string(result)}
	}

	return result, nil
}

// startNested starts the execution that the task's arguments describe. Its state machine must be of the type kind; empty means any
// type. It returns the execution and the output of StartExecution.
func (r *taskRunner) startNested(t asl.Task, kind string) (*execution, json.RawMessage, error) {
	var arguments startArguments
	err := json.Unmarshal(t.Arguments, &arguments)
	if err != nil || arguments.StateMachineArn == "" {
		return nil, nil, &asl.Error{Name: "States.Runtime", Cause: "states:startExecution needs a StateMachineArn"}
	}

	nested, err := r.states.startExecution(StartExecutionInput{
		StateMachineArn: arguments.StateMachineArn, Name: arguments.Name, Input: executionInput(arguments.Input),
	}, kind)
	if err != nil {
		return nil, nil, serviceError("StepFunctions", "AWSStepFunctions", err)
	}

	output, err := marshal(struct {
		ExecutionArn string `json:"ExecutionArn"`
		sdkMetadata
		StartDate Timestamp `json:"StartDate"`
	}{
		nested.arn,
		metadata(awswire.NewUUID(), 200, map[string]string{"Content-Type": contentType, "connection": "keep-alive"}),
		Timestamp{nested.start},
	})
	return nested, output, err
}

// executionInput returns the input of StartExecution for the argument Input: a string is the input itself, and any other value
// becomes JSON text. For an absent or null argument it returns "", so that StartExecution uses {}.
func executionInput(argument json.RawMessage) string {
	if len(argument) == 0 {
		return ""
	}
	var text *string
	if err := json.Unmarshal(argument, &text); err != nil { // neither a string nor null
		return string(argument)
	}
	if text == nil {
		return ""
	}
	return *text
}

// nestedResult returns the result of a task with .sync, or with .sync:2 if parse is set. Times are in milliseconds.
func nestedResult(d ExecutionDescription, parse bool) map[string]any {
	included := map[string]any{"Included": true}
	result := map[string]any{
		"ExecutionArn": d.ExecutionArn, "Input": dataValue(d.Input, parse), "InputDetails": included, "Name": d.Name,
		"StartDate": d.StartDate.UnixMilli(), "StateMachineArn": d.StateMachineArn, "Status": d.Status,
		"StopDate": d.StopDate.UnixMilli(),
	}
	if d.Status == asl.StatusSucceeded {
		result["Output"], result["OutputDetails"] = dataValue(d.Output, parse), included
	}
	if d.Error != "" {
		result["Error"] = d.Error
	}

	if d.Cause != "" {
		result["Cause"] = d.Cause
	}
	return result
}

// dataValue returns an input or output as a JSON value if parse is set, otherwise as text.
func dataValue(text string, parse bool) any {
	if parse {
		return json.RawMessage(text)
	}
	return text
}
