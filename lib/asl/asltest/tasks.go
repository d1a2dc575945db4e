package asltest

import (
	"context"
	"encoding/json"
	"errors"
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
	tasks   Tasks
	running sync.WaitGroup // The tasks that have not returned.

	mu       sync.Mutex
	reported []string
}

// A misuseError says that a test made a task that cannot run. No Catch hides it.
type misuseError struct{ text string }

func (e *misuseError) Error() string { return e.text }

// checkOutput returns a misuseError if the output of a task is not JSON.
func checkOutput(output json.RawMessage) error {
	switch {
	case len(output) == 0:
		return &misuseError{"it returned no JSON text; null stands for nothing"}
	case !json.Valid(output):
		return &misuseError{"it returned " + shorten(string(output)) + ", which is not JSON"}
	}
	return nil
}

// newServed returns the tasks of all, in which the later ones replace the earlier ones. A task that is nil serves nothing.
func newServed(tasks Tasks, more ...Tasks) *served {
	s := &served{tasks: Tasks{}}
	for _, set := range append([]Tasks{tasks}, more...) {
		for name, task := range set {
			if s.tasks[name] = started(task); task == nil {
				delete(s.tasks, name)
			}
		}
	}
	return s
}

// RunTask runs the task that has one of the names of the call.
func (s *served) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	names := namesOf(task.State, task.Resource, task.Arguments)
	for _, name := range names {
		if run := s.tasks[name]; run != nil {
			output, err := s.call(ctx, run, task)
			return output, s.check(task.State, output, err)
		}
	}

	s.report(fmt.Sprintf("no task for the state %s: none is called %s; there are %s",
		task.State, strings.Join(names, " or "), strings.Join(slices.Sorted(maps.Keys(s.tasks)), ", ")))
	return nil, asl.NotServed(task.Resource)
}

// call runs a task, and waits for it until ctx is done: when a state has timed out, its function in Lambda goes on.
func (s *served) call(ctx context.Context, run asl.Tasks, task asl.Task) (json.RawMessage, error) {
	type answer struct {
		output json.RawMessage
		err    error
	}
	answered := make(chan answer, 1)
	s.running.Go(func() {
		a := answer{err: &asl.Error{Name: "Runtime.ExitError", Cause: "the function ended its goroutine, as t.FailNow does"}}
		defer func() { answered <- a }()
		a.output, a.err = run.RunTask(ctx, task)
	})
	select {
	case a := <-answered:
		return a.output, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answered: // It returned at the same time.
		return a.output, a.err
	default:
		return nil, context.Cause(ctx) // The execution reports the timeout, or what aborted the state.
	}
}

// check returns the error of a task. It reports a task that was misused, or whose output is not JSON.
func (s *served) check(state string, output json.RawMessage, err error) error {
	if err == nil {
		err = checkOutput(output)
	}
	var misused *misuseError
	if errors.As(err, &misused) {
		s.report("the task of the state " + state + ": " + misused.text)
	}
	return err
}

// report adds a problem, unless it is there.
func (s *served) report(problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.reported, problem) {
		s.reported = append(s.reported, problem)
	}
}

// problems returns a text for each task that was called and that nobody serves, or that was misused.
func (s *served) problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.reported) // Branches run in any order.
	return s.reported
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
