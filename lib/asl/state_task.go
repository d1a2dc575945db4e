package asl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// tokenSuffix is the suffix of a Resource whose task waits for a callback with the task token.
const tokenSuffix = ".waitForTaskToken"

// A taskHistory records the events of a task.
type taskHistory struct {
	prefix        string // The beginning of the event types: Task, LambdaFunction or Activity.
	commonDetails object // The fields that the details of each event have.
	resource      string // The resource's name in error texts.
}

// newTaskHistory returns the taskHistory for a Resource.
func newTaskHistory(resource string) taskHistory {
	parts, ok := parseARN(resource)
	switch {
	case !ok: // Parse accepts an empty Resource.
		return taskHistory{prefix: "Task", commonDetails: object{"resource": resource}, resource: resource}
	case parts.service == lambdaService:
		return taskHistory{prefix: "LambdaFunction", commonDetails: object{}, resource: resource}
	case strings.HasPrefix(parts.resource, "activity:"):
		return taskHistory{prefix: "Activity", commonDetails: object{}, resource: resource}
	}

	service, action, _ := strings.Cut(parts.resource, ":")
	if service == "aws-sdk" { // Such as aws-sdk:dynamodb:getItem.
		var sdk string
		sdk, action, _ = strings.Cut(action, ":")
		service += ":" + sdk
	}
	return taskHistory{prefix: "Task", commonDetails: object{"resourceType": service, "resource": action}, resource: service}
}

// record records an event whose type is the prefix followed by suffix, such as TaskScheduled. makeFields returns the fields that its
// details have in addition to commonDetails; it may be nil.
func (h taskHistory) record(t *thread, suffix string, makeFields func() object) {
	kind := h.prefix + suffix
	t.recordLazily(kind, func() *Details {
		all := maps.Clone(h.commonDetails)
		if makeFields != nil {
			maps.Copy(all, makeFields())
		}
		if len(all) == 0 {
			return nil
		}
		return NewDetails(strings.ToLower(kind[:1])+kind[1:]+"EventDetails", all)
	})
}

// runTask runs a Task state once and returns its result.
func (s *stateRun) runTask(ctx context.Context) (any, error) {
	task, arguments, err := s.newTask()
	if err != nil {
		return nil, err
	}

	h := newTaskHistory(task.Resource)
	h.record(s.thread, "Scheduled", func() object { return s.scheduledDetails(h, task, arguments) })
	h.record(s.thread, "Started", nil)
	started := time.Now()

	taskCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if task.Timeout > 0 {
		timer := time.AfterFunc(task.Timeout, func() { cancel(errTaskTimeout) })
		defer timer.Stop()
	}

	task.Heartbeat = func() {}
	if task.HeartbeatTimeout > 0 {
		timer := time.AfterFunc(task.HeartbeatTimeout, func() { cancel(errTaskHeartbeat) })
		defer timer.Stop()
		task.Heartbeat = func() {
			if taskCtx.Err() == nil {
				timer.Reset(task.HeartbeatTimeout)
			}
		}
	}

	var submitted sync.Once // TaskSubmitted is recorded once, and not after the task's last event.
	recordSubmitted := func(makeFields func() object) {
		submitted.Do(func() { h.record(s.thread, "Submitted", makeFields) })
	}
	task.Submitted = func(output json.RawMessage) {
		if output == nil {
			recordSubmitted(nil)
			return
		}
		recordSubmitted(func() object { return outputFields(string(output)) })
	}
	output, err := s.callTask(taskCtx, task)

	cause := context.Cause(taskCtx)
	if task.Timeout > 0 && err != nil && time.Since(started) >= task.Timeout {
		cause = errTaskTimeout // If the timeout and another reason cancelled the task at the same time, the timeout counts.
	}
	if waitsForResult(task.Resource) && (err == nil || isTimeout(cause)) {
		recordSubmitted(nil) // The service must have accepted the request, even if RunTask did not call Submitted.
	}
	submitted.Do(func() {}) // From now on, a call of Submitted records nothing.
	return s.finishTask(ctx, h, cause, output, err)
}

// isTimeout reports whether a task was cancelled by its timeout or its heartbeat timeout.
func isTimeout(cause error) bool {
	return errors.Is(cause, errTaskTimeout) || errors.Is(cause, errTaskHeartbeat)
}

// waitsForResult reports whether a task with this resource waits for its result after the service has accepted the request. The
// history of such a task contains a TaskSubmitted.
func waitsForResult(resource string) bool {
	return strings.HasSuffix(resource, tokenSuffix) || strings.HasSuffix(resource, ".sync") || strings.HasSuffix(resource, ".sync:2")
}

// callTask calls Tasks.RunTask of the execution.
func (s *stateRun) callTask(ctx context.Context, task Task) (json.RawMessage, error) {
	s.trace(Step{Kind: StepCalled}, func() []byte { return bytes.Clone(task.Arguments) })
	tasks := s.thread.run.execution.Tasks
	if tasks == nil {
		return nil, NotServed(task.Resource)
	}

	output, err := tasks.RunTask(ctx, task)
	if err == nil {
		s.trace(Step{Kind: StepReturned}, func() []byte { return bytes.Clone(output) })
	}
	return output, err
}

// outputFields returns the fields of an event that holds the output of a task.
func outputFields(output string) object {
	return object{"output": output, "outputDetails": notTruncated}
}

// newTask evaluates the fields of a Task state. It returns the task, and its Arguments as a string. It sets s.token, so that Arguments
// or Parameters can contain the task token.
func (s *stateRun) newTask() (task Task, argumentsText string, err error) {
	st := s.state
	task = Task{State: st.name, Resource: st.resource}
	s.token = ""
	if waitsForResult(st.resource) {
		s.token = jsonata.UUID()
		task.Token = s.token
	}

	arguments, err := s.effectiveInput()
	if err != nil {
		return task, "", err
	}
	if err = s.checkSize(arguments); err != nil {
		return task, "", err
	}

	argumentsText = s.thread.texts.text(arguments)
	task.Arguments = json.RawMessage(argumentsText) // A copy, which RunTask may change.
	if task.Timeout, err = s.evalSeconds(st.timeout); err != nil {
		return task, "", err
	}
	if task.HeartbeatTimeout, err = s.evalSeconds(st.heartbeat); err != nil {
		return task, "", err
	}

	if st.credentials != nil {
		credentials, err := st.credentials.eval(s, "Credentials")
		if err != nil {
			return task, "", err
		}
		task.Credentials = jsontree.Marshal(credentials)
	}
	return task, argumentsText, nil
}

// evalSeconds evaluates TimeoutSeconds or HeartbeatSeconds. It returns 0 if the definition has no such field.
func (s *stateRun) evalSeconds(field secondsField) (time.Duration, error) {
	switch {
	case field.path != nil:
		v, err := s.evalPath(field.path)
		if err != nil {
			return 0, err
		}

		n, ok := asInteger(v)
		if !ok || n < 1 {
			return 0, runtimeFailuref("The %s parameter does not reference a positive integer: %s == %s", field.name, field.path.text, formatAsJava(v))
		}
		return time.Duration(n) * time.Second, nil
	case field.seconds != nil:
		return s.evalWholeSeconds(field.seconds, field.name, 1, maxWaitSeconds)
	default:
		return 0, nil
	}
}

// scheduledDetails returns the fields of the event Scheduled. arguments is the text of task.Arguments.
func (s *stateRun) scheduledDetails(h taskHistory, task Task, arguments string) object {
	fields := object{}
	if h.prefix == "Task" {
		fields["parameters"] = arguments
		fields["region"] = region(s.thread.run.execution.ID)
	} else {
		fields["resource"] = task.Resource
		fields["input"], fields["inputDetails"] = arguments, notTruncated
	}

	if task.Timeout > 0 {
		fields["timeoutInSeconds"] = int64(task.Timeout / time.Second)
	}
	if task.HeartbeatTimeout > 0 {
		fields["heartbeatInSeconds"] = int64(task.HeartbeatTimeout / time.Second)
	}
	return fields
}

// region returns the Region of an ARN.
func region(arn string) string {
	const regionAt = 3
	if segments := strings.Split(arn, ":"); len(segments) > regionAt {
		return segments[regionAt]
	}
	return ""
}

// finishTask records the last event of a task and returns its result. ctx is the state's context. cause is the reason why the
// task's own context was cancelled, or nil. output and err are what Tasks.RunTask returned.
func (s *stateRun) finishTask(
	ctx context.Context, h taskHistory, cause error, output json.RawMessage, err error,
) (any, error) {
	switch {
	case isTimeout(cause):
		h.record(s.thread, "TimedOut", func() object { return errorDetails(errorTimeout, "") })
		return nil, &failure{name: errorTimeout, completeCause: true, noHeartbeat: errors.Is(cause, errTaskHeartbeat)}
	case ctx.Err() != nil:
		return nil, &failure{aborted: true, fatal: true}
	}

	var result any
	if err == nil {
		if result, err = jsontree.Parse(output); err != nil {
			err = &Error{Name: errorRuntime, Cause: "The result of the task is not valid JSON: " + err.Error()}
		} else if len(output) > maxPayload {
			err = &Error{Name: errorDataLimit, Cause: dataLimitCause(h.resource)}
		}
	}
	if err != nil {
		f := taskFailure(err)
		h.record(s.thread, "Failed", func() object { return errorDetails(f.name, f.cause) })
		return nil, f
	}

	h.record(s.thread, "Succeeded", func() object {
		text := string(output)
		s.thread.texts.shareNext(text)
		return outputFields(text)
	})
	return result, nil
}
