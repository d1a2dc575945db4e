package states

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// startArguments are the arguments of states:startExecution,
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html.
type startArguments struct {
	StateMachineArn string          `json:"StateMachineArn"`
	Name            string          `json:"Name"`
	Input           json.RawMessage `json:"Input"`
}

// startExecution runs states:startExecution: its result is the answer of the API.
func (r *taskRunner) startExecution(_ context.Context, t asl.Task) (json.RawMessage, error) {
	_, output, err := r.startNested(t) //nolint:contextcheck // As startExecutionSync.
	return output, err
}

// startExecutionSync starts an execution and waits for its end. The result is its description, with input and output as
// text, or as JSON values when the Resource ends in .sync:2.
func (r *taskRunner) startExecutionSync(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	nested, answer, err := r.startNested(t) //nolint:contextcheck // It ends with the task only when that is given up.
	if err != nil {
		return nil, err
	}

	submit(t, answer)
	select {
	case <-nested.done:
	case <-ctx.Done():
		nested.cancel(&asl.Error{})    // An execution that is given up takes those along that it waits for.
		return nil, context.Cause(ctx) //nolint:wrapcheck // The interpreter looks at its own context.
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

// startNested starts the execution that the task asks for.
func (r *taskRunner) startNested(t asl.Task) (*execution, json.RawMessage, error) {
	var arguments startArguments
	err := json.Unmarshal(t.Arguments, &arguments)
	if err != nil || arguments.StateMachineArn == "" {
		return nil, nil, &asl.Error{Name: "States.Runtime", Cause: "states:startExecution needs a StateMachineArn"}
	}

	nested, err := r.states.startExecution(StartExecutionInput{
		StateMachineArn: arguments.StateMachineArn, Name: arguments.Name, Input: inputText(arguments.Input),
	})
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

// inputText returns an Input argument as StartExecution takes it: a string as it is, any other value as its JSON text.
func inputText(input json.RawMessage) string {
	var text *string
	err := json.Unmarshal(input, &text)
	switch {
	case len(input) == 0, err == nil && text == nil:
		return ""
	case err == nil:
		return *text
	default:
		return string(input)
	}
}

// nestedResult returns what .sync answers. Times are in milliseconds, as in the events of Step Functions.
func nestedResult(d ExecutionDescription, parse bool) map[string]any {
	included := map[string]any{"Included": true}
	result := map[string]any{
		"ExecutionArn": d.ExecutionArn, "Input": nestedData(d.Input, parse), "InputDetails": included, "Name": d.Name,
		"StartDate": d.StartDate.UnixMilli(), "StateMachineArn": d.StateMachineArn, "Status": d.Status,
		"StopDate": d.StopDate.UnixMilli(),
	}
	if d.Status == asl.StatusSucceeded {
		result["Output"], result["OutputDetails"] = nestedData(d.Output, parse), included
	}
	if d.Error != "" {
		result["Error"] = d.Error
	}

	if d.Cause != "" {
		result["Cause"] = d.Cause
	}
	return result
}

func nestedData(text string, parse bool) any {
	if parse {
		return json.RawMessage(text)
	}
	return text
}
