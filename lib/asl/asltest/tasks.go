package asltest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/herald-progress/herald/lib/asl"
)

// Tasks run the Task states of a machine. The name of each is, in this order of preference:
//
//   - the name of a state;
//   - a Lambda function, an activity or a state machine that states call: its ARN or its name;
//   - a Resource, such as arn:aws:states:::sqs:sendMessage, or only sqs:sendMessage.
//
// Func, Lambda, Return, Fail, Sequence and TaskFunc make them.
type Tasks map[string]asl.Tasks

// TaskFunc is a function that runs a task as it is: with the Arguments of its state, and with the answer of its service. An *asl.Error
// fails the task with its name.
type TaskFunc func(ctx context.Context, task asl.Task) (json.RawMessage, error)

// RunTask calls f.
func (f TaskFunc) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	return f(ctx, task)
}

// Sequence answers the first call of an execution by the first task, the second by the second, and so on. The last one answers all
// further calls.
func Sequence(first asl.Tasks, more ...asl.Tasks) asl.Tasks {
	return sequence(append([]asl.Tasks{first}, more...))
}

// A sequence is the tasks of Sequence.
type sequence []asl.Tasks

// RunTask runs the first task: start returns what counts the calls.
func (s sequence) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	return s[0].RunTask(ctx, task)
}

// start returns the sequence for a new execution.
func (s sequence) start() asl.Tasks {
	var mu sync.Mutex
	rest := make([]asl.Tasks, len(s))
	for i, task := range s {
		rest[i] = started(task)
	}
	return TaskFunc(func(ctx context.Context, task asl.Task) (json.RawMessage, error) {
		mu.Lock()
		next := rest[0]
		if len(rest) > 1 {
			rest = rest[1:]
		}
		mu.Unlock()
		return next.RunTask(ctx, task)
	})
}

// started returns the task for a new execution.
func started(task asl.Tasks) asl.Tasks {
	if s, ok := task.(sequence); ok {
		return s.start()
	}
	return task
}

// A served runs the tasks of one execution by name.
type served struct {
	tasks Tasks

	mu       sync.Mutex
	unserved []string
}

// newServed returns the tasks of all, in which the later ones replace the earlier ones.
func newServed(tasks Tasks, more ...Tasks) *served {
	s := &served{tasks: Tasks{}}
	for _, set := range append([]Tasks{tasks}, more...) {
		for name, task := range set {
			s.tasks[name] = started(task)
		}
	}
	return s
}

// RunTask runs the task that has one of the names of the call.
func (s *served) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	names := namesOf(task.State, task.Resource, task.Arguments)
	for _, name := range names {
		if run := s.tasks[name]; run != nil {
			return run.RunTask(ctx, task)
		}
	}

	problem := fmt.Sprintf("no task for the state %s: none is called %s; there are %s",
		task.State, strings.Join(names, " or "), strings.Join(slices.Sorted(maps.Keys(s.tasks)), ", "))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.unserved, problem) {
		s.unserved = append(s.unserved, problem)
	}
	return nil, asl.NotServed(task.Resource)
}

// problems returns a text for each task that was called and that nobody serves.
func (s *served) problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.unserved) // Branches run in any order.
	return s.unserved
}

// namesOf returns the names under which Tasks may have the task of a state, the preferred one first.
func namesOf(state, resource string, arguments json.RawMessage) []string {
	names := []string{state}
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}

	service, isIntegration := integration(resource)
	if isIntegration {
		var called struct {
			FunctionName    string `json:"FunctionName"`
			StateMachineArn string `json:"StateMachineArn"`
		}
		_ = json.Unmarshal(arguments, &called) // Arguments of another service have no such text.
		switch {
		case isInvoke(service):
			addARN(add, called.FunctionName)
		case strings.HasPrefix(service, "states:startExecution"):
			addARN(add, called.StateMachineArn)
		}
	} else {
		addARN(add, resource)
	}
	add(resource)
	if isIntegration {
		add(service)
		add(withoutPattern(service))
	}
	return names
}

// addARN adds an ARN, or a name, and the name in the ARN without a version or alias.
func addARN(add func(string), arn string) {
	add(arn)
	const nameAt = 6
	segments := strings.Split(arn, ":")
	if segments[0] != "arn" {
		add(segments[0])
		return
	}
	if len(segments) > nameAt {
		add(strings.Join(segments[:nameAt+1], ":"))
		add(segments[nameAt])
	}
}

// integration returns the service and action of a Resource such as arn:aws:states:::sqs:sendMessage: here, sqs:sendMessage. ok is false for
// the ARN of a function or an activity.
func integration(resource string) (service string, ok bool) {
	_, service, ok = strings.Cut(resource, ":states:::")
	return service, ok
}

// withoutPattern returns the service and action without .sync, .sync:2 or .waitForTaskToken.
func withoutPattern(service string) string {
	service, _, _ = strings.Cut(service, ".")
	return service
}

// isInvoke reports whether the integration calls a Lambda function.
func isInvoke(service string) bool {
	action := withoutPattern(service)
	return action == "lambda:invoke" || action == sdkInvoke
}

// sdkInvoke is the integration in which a function's payload and result are texts.
const sdkInvoke = "aws-sdk:lambda:invoke"
