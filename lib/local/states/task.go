package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
)

// taskRunner runs the tasks of one execution.
type taskRunner struct {
	states    *StepFunctions
	execution string // Its ARN.
}

// RunTask runs a task as asl.Tasks says.
func (r *taskRunner) RunTask(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	run := taskKind(t.Resource)
	if run == nil {
		return nil, &asl.Error{Name: "States.Runtime", Cause: fmt.Sprintf("%v: %s", ErrResource, t.Resource)}
	}
	return run(r, ctx, t)
}

// function runs a task whose Resource is a function's ARN: its result is the function's answer.
func (r *taskRunner) function(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	result, err := r.call(ctx, t.Resource, t.Arguments)
	if err != nil {
		return nil, err
	}
	return jsonOf(result.Payload), nil
}

// invokeArguments are the arguments of lambda:invoke,
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html.
type invokeArguments struct {
	FunctionName   string          `json:"FunctionName"`
	Payload        json.RawMessage `json:"Payload"`
	Qualifier      string          `json:"Qualifier"`
	InvocationType string          `json:"InvocationType"`
}

// invoke runs lambda:invoke: its result is the answer of the Invoke API.
func (r *taskRunner) invoke(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	var arguments invokeArguments
	err := json.Unmarshal(t.Arguments, &arguments)
	if err != nil || arguments.FunctionName == "" {
		return nil, &asl.Error{Name: "States.Runtime", Cause: "lambda:invoke needs a FunctionName"}
	}

	function := arguments.FunctionName
	if arguments.Qualifier != "" {
		function += ":" + arguments.Qualifier
	}

	var (
		result invoke.Invocation
		status = http.StatusOK
	)

	switch arguments.InvocationType {
	case "", "RequestResponse":
		result, err = r.call(ctx, function, arguments.Payload)
	case "Event":
		status = http.StatusAccepted
		result.RequestID, err = r.states.cfg.Lambda.InvokeEvent(function, arguments.Payload)
		err = serviceError("Lambda", "AWSLambda", err)
	default:
		err = &asl.Error{Name: "States.Runtime", Cause: "InvocationType cannot be run here: " + arguments.InvocationType}
	}
	if err != nil {
		return nil, err
	}

	return marshal(struct {
		ExecutedVersion string          `json:"ExecutedVersion"`
		Payload         json.RawMessage `json:"Payload"`
		sdkMetadata
		StatusCode int `json:"StatusCode"`
	}{
		"$LATEST", jsonOf(result.Payload), metadata(result.RequestID, status, map[string]string{
			"Connection": "keep-alive", "Content-Length": strconv.Itoa(len(result.Payload)),
			"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST", "x-amzn-Remapped-Content-Length": "0",
		}), status,
	})
}

// call invokes a function and names its failure as Step Functions does.
func (r *taskRunner) call(ctx context.Context, function string, payload []byte) (invoke.Invocation, error) {
	result, err := r.states.cfg.Lambda.Invoke(ctx, invoke.Qualified(function), payload)
	if err != nil {
		return result, serviceError("Lambda", "AWSLambda", err)
	}

	switch {
	case result.Error == nil:
		return result, nil
	case result.Error.Type == "":
		return result, &asl.Error{
			Name: "Lambda.Unknown",
			Cause: "The cause could not be determined because Lambda did not return an error type. " +
				"Returned payload: " + string(result.Payload),
		}
	default:
		return result, &asl.Error{Name: result.Error.Type, Cause: string(result.Payload)}
	}
}

// serviceError returns an error of an AWS API as a task's error. Others, those of the context, are returned as they are.
func serviceError(prefix, service string, err error) error {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return err
	}

	code := refused.ErrorCode()
	status := http.StatusBadRequest
	if prefix == "Lambda" {
		status = invoke.HTTPStatus(code)
	}

	return &asl.Error{
		Name: prefix + "." + strings.TrimSuffix(code, "Exception") + "Exception",
		Cause: fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
			refused.ErrorMessage(), service, status, code, awswire.NewUUID()),
	}
}

// sdkMetadata is what the results of optimized integrations carry beside the API's own answer.
type sdkMetadata struct {
	SdkHTTPMetadata struct {
		AllHTTPHeaders map[string][]string `json:"AllHttpHeaders"`
		HTTPHeaders    map[string]string   `json:"HttpHeaders"`
		HTTPStatusCode int                 `json:"HttpStatusCode"`
	} `json:"SdkHttpMetadata"`
	SdkResponseMetadata struct {
		RequestID string `json:"RequestId"`
	} `json:"SdkResponseMetadata"`
}

func metadata(requestID string, status int, headers map[string]string) sdkMetadata {
	headers = maps.Clone(headers)
	headers["Date"] = time.Now().UTC().Format(http.TimeFormat)
	headers["x-amzn-RequestId"] = requestID
	var meta sdkMetadata
	meta.SdkHTTPMetadata.HTTPHeaders = headers
	meta.SdkHTTPMetadata.HTTPStatusCode = status
	meta.SdkHTTPMetadata.AllHTTPHeaders = map[string][]string{}
	meta.SdkResponseMetadata.RequestID = requestID
	for name, value := range headers {
		meta.SdkHTTPMetadata.AllHTTPHeaders[name] = []string{value}
	}

	return meta
}

// submit records that the service has taken the task.
func submit(t asl.Task, output json.RawMessage) {
	if t.Submitted != nil {
		t.Submitted(output)
	}
}

// jsonOf returns a payload as JSON: what is not JSON becomes a string.
func jsonOf(payload []byte) json.RawMessage {
	if json.Valid(payload) {
		return payload
	}
	text, err := json.Marshal(string(payload))
	if err != nil {
		return json.RawMessage(`""`)
	}
	return text
}

// marshal returns a task's result.
func marshal(result any) (json.RawMessage, error) {
	text, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return text, nil
}
