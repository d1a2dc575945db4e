package states_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestLambdaTasksEndAsOnAWS(t *testing.T) {
	t.Parallel()

	testEnded := make(chan struct{})
	lambda := newLambda(t, map[string]invoke.Function{
		"echo": {Handler: func(_ context.Context, payload json.RawMessage) (json.RawMessage, error) { return payload, nil }},
		"fail": {Handler: func() error { return brokenError{"went wrong"} }},
		// This function runs until the test ends, because a busy machine notices a timeout late.
		"timeout": {Timeout: time.Millisecond, Handler: func() { <-testEnded }},
	})
	t.Cleanup(func() { close(testEnded) })

	const lambdaInvoke = "arn:aws:states:::lambda:invoke"
	for name, tt := range map[string]struct {
		machine string
		output  string // The Payload of the output if the task is lambda:invoke, else the whole output.
		error   string
		cause   string // A * stands for any text.
	}{
		"invoke": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"echo","Payload":{"a":[1,"<"]}}`),
			output:  `{"a":[1,"<"]}`,
		},
		"by ARN": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"`+invoke.FunctionARN("echo")+`:$LATEST","Payload":"p"}`),
			output:  `"p"`,
		},
		"without payload": {machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"echo"}`), output: `{}`},
		"event": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"fail","InvocationType":"Event"}`), output: `""`,
		},
		"ARN as resource": {
			machine: taskMachine(invoke.FunctionARN("echo"), `,"Arguments":{"b":2}`), output: `{"b":2}`,
		},
		"function error": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"fail"}`),
			error:   "brokenError", cause: `{"errorMessage":"went wrong","errorType":"brokenError"}`,
		},
		"function error by ARN": {
			machine: taskMachine(invoke.FunctionARN("fail"), ""),
			error:   "brokenError", cause: `{"errorMessage":"went wrong","errorType":"brokenError"}`,
		},
		"timeout": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"timeout"}`), error: "Sandbox.Timedout",
			cause: `{"errorMessage":"RequestId: * Error: Task timed out after 0.00 seconds","errorType":"Sandbox.Timedout"}`,
		},
		"unknown": {
			machine: taskMachine(lambdaInvoke, `,"Arguments":{"FunctionName":"unknown"}`), error: "Lambda.ResourceNotFoundException",
			cause: "Function not found: arn:aws:lambda:us-east-1:000000000000:function:unknown:$LATEST (Service: AWSLambda; " +
				"Status Code: 404; Error Code: ResourceNotFoundException; Request ID: *; Proxy: null)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(statusChanges, 2)
			service := newService(t, states.Config{Lambda: lambda, StatusChanged: ended.add},
				map[string]string{"task": tt.machine})
			start(t, service, "task", "", "")
			got := ended.nextEnded()
			if got.Error != tt.error || !matches(tt.cause, got.Cause) {
				t.Errorf("failed with %s: %s", got.Error, got.Cause)
			}

			if tt.error != "" {
				return
			}

			output := decode(t, got.Output)
			if strings.Contains(tt.machine, lambdaInvoke) {
				answer, _ := output.(map[string]any)
				checkInvokeResult(t, answer, name == "event")
				output = answer["Payload"]
			}

			if diff := cmp.Diff(decode(t, tt.output), output); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// matches reports whether text is the pattern, in which a * stands for any text.
func matches(pattern, text string) bool {
	before, after, hasWildcard := strings.Cut(pattern, "*")
	return text == pattern || hasWildcard && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// checkInvokeResult checks the result of lambda:invoke; event is set if its InvocationType is Event.
func checkInvokeResult(t *testing.T, answer map[string]any, event bool) {
	t.Helper()
	status := 200.0
	if event {
		status = 202
	}

	response, _ := answer["SdkResponseMetadata"].(map[string]any)
	http, _ := answer["SdkHttpMetadata"].(map[string]any)
	headers, _ := http["HttpHeaders"].(map[string]any)
	allHeaders, _ := http["AllHttpHeaders"].(map[string]any)
	if answer["ExecutedVersion"] != "$LATEST" || answer["StatusCode"] != status || http["HttpStatusCode"] != status ||
		response["RequestId"] == nil || headers["x-amzn-RequestId"] != response["RequestId"] || len(allHeaders) != len(headers) ||
		len(answer) != 5 {
		t.Errorf("answer %v", answer)
	}
}
