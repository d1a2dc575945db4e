package mock

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// errorRuntime is the name of the error with which Step Functions ends an execution that cannot go on.
const errorRuntime = "States.Runtime"

// tasks runs the tasks of one execution.
type tasks struct {
	testCase *Case
	next     asl.Tasks

	mu          sync.Mutex
	invocations map[string]int // How often each mocked state has been invoked so far.
}

// Tasks returns the tasks of one execution: call it once for each. A state that the test case does not mock goes to next; if next is
// nil, it fails with the error of asl.NotServed.
//
// The invocations of a state count from 0 over the whole execution: retries, loops, the iterations of a Map state and the child
// executions of a Distributed Map count together. A task with .sync or .waitForTaskToken returns at once. An invocation that
// the mocked response does not have fails the execution with States.Runtime, which neither Retry nor Catch handles, and so does a Throw of
// that name.
//
// If the Resource is the ARN of a Lambda function, Return is what the function returns, or the answer of Lambda's Invoke: a
// StatusCode, and that as its Payload.
func (c *Case) Tasks(next asl.Tasks) asl.Tasks {
	return &tasks{testCase: c, next: next, invocations: map[string]int{}}
}

// RunTask returns the mocked answer.
func (t *tasks) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	r, ok := t.testCase.states[task.State]
	switch {
	case !ok && t.next == nil:
		return nil, asl.NotServed(task.Resource)
	case !ok:
		return t.next.RunTask(ctx, task)
	}

	invocation := t.count(task.State)
	a := r.at(invocation)
	if a == nil {
		return nil, &asl.Error{
			Name: errorRuntime, Fatal: true,
			Cause: fmt.Sprintf("The mocked response '%s' of the state '%s' has no invocation %d, in the test case '%s' of the state machine '%s'.",
				r.name, task.State, invocation, t.testCase.name, t.testCase.machine),
		}
	}
	if a.throws != nil {
		if task.Submitted != nil && waits(task.Resource) { // What fails is the job or the callback, not the request.
			task.Submitted(nil)
		}
		return nil, a.throws
	}
	return resultOf(task.Resource, a.returns), nil
}

// count counts an invocation of a state and returns its number.
func (t *tasks) count(state string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	number := t.invocations[state]
	t.invocations[state]++
	return number
}

// waits reports whether a task with this resource waits for its result after the service has accepted the request.
func waits(resource string) bool {
	return strings.HasSuffix(resource, ".waitForTaskToken") || strings.HasSuffix(resource, ".sync") || strings.HasSuffix(resource, ".sync:2")
}

// resultOf returns the result of a task with this resource for a Return. The result of a function's ARN is what the function returns,
// but files that work with LocalStack have the answer of Invoke.
func resultOf(resource string, returns json.RawMessage) json.RawMessage {
	if !strings.HasPrefix(resource, "arn:") || !strings.Contains(resource, ":lambda:") || !strings.Contains(resource, ":function:") {
		return returns
	}
	v, err := jsontree.Parse(returns)
	answer, isObject := v.(*jsontree.Object)
	if err != nil || !isObject {
		return returns
	}
	_, ok := answer.Get("StatusCode") // A function may well return an object with a Payload.
	payload, hasPayload := answer.Get("Payload")
	ok = ok && hasPayload
	for _, key := range answer.Keys() {
		ok = ok && slices.Contains(invokeFields, key)
	}
	if !ok {
		return returns
	}
	return jsontree.Marshal(payload)
}

// invokeFields are the fields of the answer of Lambda's Invoke.
var invokeFields = []string{
	"StatusCode", "Payload", "ExecutedVersion", "LogResult", "FunctionError", "SdkHttpMetadata", "SdkResponseMetadata",
}
