package asl

import (
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

const tokenSuffix = ".waitForTaskToken"

// A taskHistory says how the events of a task are named and what stands in each.
type taskHistory struct {
	prefix   string // Of the event types: Task, LambdaFunction or Activity.
	common   object // In each event's details.
	resource string // As error texts name it.
}

// newTaskHistory returns how the history shows a resource.
func newTaskHistory(resource string) taskHistory {
	const parts = 6
	segments := strings.SplitN(resource, ":", parts)
	if len(segments) < parts {
		return taskHistory{prefix: "Task", common: object{"resource": resource}, resource: resource}
	}

	rest := segments[parts-1]
	switch {
	case segments[2] == "lambda":
		return taskHistory{prefix: "LambdaFunction", common: object{}, resource: resource}
	case strings.HasPrefix(rest, "activity:"):
		return taskHistory{prefix: "Activity", common: object{}, resource: resource}
	}

	service, action, _ := strings.Cut(rest, ":")
	if service == "aws-sdk" {
		var sdk string
		sdk, action, _ = strings.Cut(action, ":")
		service += ":" + sdk
	}
	return taskHistory{prefix: "Task", common: object{"resourceType": service, "resource": action}, resource: service}
}

// event records an event of the task.
func (h taskHistory) event(t *thread, what string, fields object) {
	kind := h.prefix + what
	name := strings.ToLower(kind[:1]) + kind[1:] + "EventDetails"

	all := maps.Clone(h.common)
	maps.Copy(all, fields)
	if len(all) == 0 {
		t.record(kind, nil)
	} else {
		t.record(kind, details(name, all))
	}
}

// task runs a Task state once.
func (s *scope) task() (any, error) {
	call, err := s.newTask()
	if err != nil {
		return nil, err
	}

	h := newTaskHistory(call.Resource)
	h.event(s.thread, "Scheduled", s.scheduled(h, call))
	h.event(s.thread, "Started", nil)
	started := time.Now()

	ctx, cancel := context.WithCancelCause(s.thread.ctx)
	defer cancel(nil)
	if call.Timeout > 0 {
		timer := time.AfterFunc(call.Timeout, func() { cancel(errTaskTime) })
		defer timer.Stop()
	}

	call.Heartbeat = func() {}
	if call.HeartbeatTimeout > 0 {
		timer := time.AfterFunc(call.HeartbeatTimeout, func() { cancel(errTaskSilence) })
		defer timer.Stop()
		call.Heartbeat = func() {
			if ctx.Err() == nil {
				timer.Reset(call.HeartbeatTimeout)
			}
		}
	}

	var once sync.Once
	submit := func(output object) { once.Do(func() { h.event(s.thread, "Submitted", output) }) }
	call.Submitted = func(output json.RawMessage) {
		submit(object{"output": string(output), "outputDetails": notTruncated()})
	}
	output, err := s.runTask(ctx, call)

	reason := context.Cause(ctx)
	if call.Timeout > 0 && err != nil && time.Since(started) >= call.Timeout {
		reason = errTaskTime // Its time is up, even if something else has stopped it.
	}
	if hasPattern(call.Resource) && (err == nil || isTimeout(reason)) {
		submit(object{})
	}

	once.Do(func() {}) // A submission that is told of only now would come after the task's end.
	return s.taskEnd(h, reason, output, err)
}

func isTimeout(reason error) bool {
	return errors.Is(reason, errTaskTime) || errors.Is(reason, errTaskSilence)
}

// hasPattern reports whether a resource waits for what it started, so that its history has a TaskSubmitted.
func hasPattern(resource string) bool {
	return strings.HasSuffix(resource, tokenSuffix) || strings.HasSuffix(resource, ".sync") || strings.HasSuffix(resource, ".sync:2")
}

func (s *scope) runTask(ctx context.Context, call Task) (json.RawMessage, error) {
	tasks := s.thread.run.execution.Tasks
	if tasks == nil {
		return nil, &Error{Name: errorRuntime, Cause: "No task can be run here"}
	}
	return tasks.RunTask(ctx, call) //nolint:wrapcheck // taskFailure reads it.
}

// newTask evaluates the fields of a Task state.
func (s *scope) newTask() (Task, error) {
	st := s.state
	call := Task{State: st.name, Resource: st.resource}

	s.token = ""
	if hasPattern(st.resource) {
		s.token = jsonata.UUID()
		call.Token = s.token
	}

	arguments, err := s.effective()
	if err != nil {
		return call, err
	}
	if arguments, err = s.limited(arguments, st.name); err != nil {
		return call, err
	}

	call.Arguments = jsontree.Marshal(arguments)
	if call.Timeout, err = s.limit(st.timeout); err != nil {
		return call, err
	}
	if call.HeartbeatTimeout, err = s.limit(st.heartbeat); err != nil {
		return call, err
	}

	if st.credentials != nil {
		credentials, err := st.credentials.eval(s, "Credentials")
		if err != nil {
			return call, err
		}
		call.Credentials = jsontree.Marshal(credentials)
	}

	return call, nil
}

// limit evaluates a number of seconds; 0 if there is none.
func (s *scope) limit(l limit) (time.Duration, error) {
	switch {
	case l.path != nil:
		v, err := s.evalPath(l.path)
		if err != nil {
			return 0, err
		}

		n, ok := wholeNumber(v)
		if !ok || n < 1 {
			return 0, runtimef("The %sPath parameter does not reference a positive integer: %s == %s", l.field, l.path.text, display(v))
		}
		return time.Duration(n) * time.Second, nil
	case l.seconds != nil:
		return s.number(l.seconds, l.field, 1, maxWaitSeconds)
	default:
		return 0, nil
	}
}

func (s *scope) scheduled(h taskHistory, call Task) object {
	fields := object{}
	if h.prefix == "Task" {
		fields["parameters"] = string(call.Arguments)
		fields["region"] = region(s.thread.run.execution.ID)
	} else {
		fields["resource"] = call.Resource
		fields["input"], fields["inputDetails"] = string(call.Arguments), notTruncated()
	}

	if call.Timeout > 0 {
		fields["timeoutInSeconds"] = int64(call.Timeout / time.Second)
	}
	if call.HeartbeatTimeout > 0 {
		fields["heartbeatInSeconds"] = int64(call.HeartbeatTimeout / time.Second)
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

// taskEnd records how a task ended and returns its result. reason is why its context was cancelled, if it was.
func (s *scope) taskEnd(h taskHistory, reason error, output json.RawMessage, err error) (any, error) {
	switch {
	case isTimeout(reason):
		h.event(s.thread, "TimedOut", errorDetails(errorTimeout, ""))
		return nil, &failure{name: errorTimeout, placed: true, silent: errors.Is(reason, errTaskSilence)}
	case s.thread.ctx.Err() != nil:
		return nil, &failure{aborted: true, final: true}
	}

	var result any
	if err == nil {
		if result, err = jsontree.Parse(output); err != nil {
			err = &Error{Name: errorRuntime, Cause: "The result of the task is not valid JSON: " + err.Error()}
		} else if len(output) > maxPayload {
			_, err = s.limited(result, h.resource)
			err = &Error{Name: errorDataLimit, Cause: asFailure(err).cause}
		}
	}

	if err != nil {
		f := taskFailure(err)
		h.event(s.thread, "Failed", errorDetails(f.name, f.cause))
		return nil, f
	}

	h.event(s.thread, "Succeeded", object{"output": string(output), "outputDetails": notTruncated()})
	return result, nil
}
