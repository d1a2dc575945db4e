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

// A taskRunner runs the tasks of one execution. It implements asl.Tasks.
type taskRunner struct {
	states       *StepFunctions
	executionARN string
}

// RunTask runs a task.
func (r *taskRunner) RunTask(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	run := taskFuncFor(t.Resource)
	if run == nil {
		return nil, asl.NotServed(t.Resource)
	}
	return run(r, ctx, t)
}

// invokeResource runs a task whose Resource is a function's ARN. Its result is the function's result.
func (r *taskRunner) invokeResource(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	result, err := r.invokeFunction(ctx, t.Resource, t.Arguments)
	if err != nil {
		return nil, err
	}
	return payloadJSON(result.Payload), nil
}

// invokeArguments has the fields of the Arguments of lambda:invoke,
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html.
type invokeArguments struct {
	FunctionName   string          `json:"FunctionName"`
	Payload        json.RawMessage `json:"Payload"`
	Qualifier      string          `json:"Qualifier"`
	InvocationType string          `json:"InvocationType"`
}

// lambdaInvoke runs lambda:invoke. Its result is the output of the Invoke API.
func (r *taskRunner) lambdaInvoke(ctx context.Context, t asl.Task) (json.RawMessage, error) {
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
		result invoke.Result
		status = http.StatusOK
	)
	switch arguments.InvocationType {
	case "", "RequestResponse":
		result, err = r.invokeFunction(ctx, function, arguments.Payload)
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
		"$LATEST", payloadJSON(result.Payload), metadata(result.RequestID, status, map[string]string{
			"Connection": "keep-alive", "Content-Length": strconv.Itoa(len(result.Payload)),
			"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST", "x-amzn-Remapped-Content-Length": "0",
		}), status,
	})
}

// invokeFunction invokes a function. It returns a function error as the *asl.Error that Step Functions raises for it.
func (r *taskRunner) invokeFunction(ctx context.Context, function string, payload []byte) (invoke.Result, error) {
	result, err := r.states.cfg.Lambda.Invoke(ctx, invoke.Qualify(function), payload)
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

// serviceError converts an error of an AWS API to the error that a task of an optimized integration raises for it. The error's name
// begins with prefix, such as Lambda. Its cause contains service, the SDK's name of the service, such as AWSLambda. Other errors,
// such as those of the context, are returned as they are, and nil as nil.
func serviceError(prefix, service string, err error) error {
	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) {
		return err
	}

	code := apiErr.ErrorCode()
	status := http.StatusBadRequest // The status of all errors of Step Functions.
	if prefix == "Lambda" {
		status = invoke.HTTPStatus(code)
	}

	return &asl.Error{
		Name: prefix + "." + strings.TrimSuffix(code, "Exception") + "Exception",
		Cause: fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
			apiErr.ErrorMessage(), service, status, code, awswire.NewUUID()),
	}
}

// sdkMetadata are the fields that optimized integrations add to the output of the API.
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

// metadata returns the sdkMetadata of a response with the given headers and those that every response has.
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

// recordSubmitted calls t.Submitted, if it is set, with the output of the API that the task has called.
func recordSubmitted(t asl.Task, output json.RawMessage) {
	if t.Submitted != nil {
		t.Submitted(output)
	}
}

// payloadJSON returns a payload as JSON. A payload that is not JSON becomes a string.
func payloadJSON(payload []byte) json.RawMessage {
	if json.Valid(payload) {
		return payload
	}
	text, err := json.Marshal(string(payload))
	if err != nil {
		return json.RawMessage(`""`)
	}
	return text
}

// marshal encodes a task's result.
func marshal(result any) (json.RawMessage, error) {
	text, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return text, nil
}
