// Package asltest tests state machines of AWS Step Functions with go test: no AWS account, no server, no waiting.
//
//	var album = asltest.Machine{
//		File:          "album.asl.json",
//		Substitutions: map[string]string{"ResizeFunctionArn": "resize"},
//		Tasks:         asltest.Tasks{"resize": asltest.Func(resize)},
//	}
//
//	func TestAlbum(t *testing.T) {
//		run := asltest.Run(t, album, `{"pictures": ["a.png"]}`)
//		run.WantOutput(`{"resized": 1}`)
//	}
//
// An execution runs in virtual time: a Wait of a day takes no time. A failed assertion prints the timeline of the execution. Golden
// compares the whole timeline with a file. RequireCoverage fails if the tests leave a part of the definition untested.
package asltest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
)

// longest is how long an execution may run in virtual time. AWS ends an execution after a year.
const longest = 366 * 24 * time.Hour

// errTooLong ends an execution that runs for too long.
var errTooLong = errors.New("asltest: the execution still runs after a year")

// Execution is an execution of a machine that has ended. Its Want methods fail the test with the timeline of the execution, and let it go
// on.
type Execution struct {
	asl.Result

	// Duration is how long the execution took: by the virtual clock, unless Machine.RealTime is set.
	Duration time.Duration

	t         reporter
	recorder  recorder
	served    *served
	resources map[string]string // The Resource of each Task state.
	isVirtual bool
	shown     bool // The timeline was printed.
}

// Run runs the machine with an input and returns the execution after its end. A string or []byte is the input's JSON text; nil stands for
// {}; any other value is marshaled. Each of tasks replaces those of machine.Tasks that have the same name.
//
// The execution runs in a bubble of testing/synctest of its own, where the clock jumps ahead when all goroutines wait. If t is the T of such
// a bubble already, it runs in that one. Retriers with jitter wait for their longest time.
//
// A task that ignores its context goes on when its state has timed out or was aborted, as a function in Lambda does: the execution does not
// wait for it, but Run does.
//
// Run fails the test at once if the machine cannot be loaded. It fails the test, too, if a task is called that nobody
// serves, or if a task returns no JSON text.
func Run(t *testing.T, machine Machine, input any, tasks ...Tasks) *Execution {
	t.Helper()
	loaded, err := machine.load()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jsonText(input, "{}")
	if err != nil {
		t.Fatalf("asltest: the input: %v", err)
	}
	return run(t, t, machine, loaded, text, tasks)
}

// A reporter is the part of a *testing.T that reports failures.
type reporter interface {
	Helper()
	Error(args ...any)
	Fatalf(format string, args ...any)
}

// run runs a machine in t and reports failures to r.
func run(t *testing.T, r reporter, machine Machine, loaded *loaded, input json.RawMessage, tasks []Tasks) *Execution {
	t.Helper()
	r.Helper()
	e := &Execution{t: r, isVirtual: true, served: newServed(machine.Tasks, tasks...), resources: map[string]string{}}
	addResources(loaded.machine.Outline(), e.resources)
	execution := machine.execution(loaded, input)
	execution.Tasks = e.served
	if machine.Mock != nil {
		execution.Tasks = machine.Mock.Tasks(e.served)
	}
	profile, alsoTrace := loaded.profile, execution.Trace
	execution.Trace = func(s asl.Step) {
		profile.Trace(s)
		e.recorder.trace(s)
		if alsoTrace != nil {
			alsoTrace(s)
		}
	}

	start := func(t *testing.T) {
		t.Helper()
		ctx := t.Context()
		if e.isVirtual {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, longest, errTooLong)
			defer cancel()
		}
		began := time.Now()
		e.recorder.start, execution.Start = began, cmp.Or(execution.Start, began)
		e.Result = loaded.machine.Run(ctx, execution)
		e.Duration = time.Since(began)
		e.served.running.Wait()
		if errors.Is(context.Cause(ctx), errTooLong) {
			e.errorf("%v", errTooLong)
		}
	}
	switch {
	case isInBubble(t):
		start(t)
	case machine.RealTime:
		e.isVirtual = false
		start(t)
	default:
		synctest.Test(t, start)
	}
	for _, problem := range e.served.problems() {
		e.errorf("%s", problem)
	}
	return e
}

// addResources adds the Resource of each Task state.
func addResources(o asl.Outline, resources map[string]string) {
	for _, s := range o.States {
		if s.Resource != "" {
			resources[s.Name] = s.Resource
		}
		for _, inner := range s.Inner {
			addResources(inner, resources)
		}
	}
}

// isInBubble reports whether t belongs to a bubble of testing/synctest, where Deadline panics.
func isInBubble(t *testing.T) (is bool) {
	t.Helper()
	defer func() { is = recover() != nil }()
	t.Deadline()
	return false
}

// errorf fails the test with a message, and with the timeline unless an earlier message had it.
func (e *Execution) errorf(format string, args ...any) {
	e.t.Helper()
	message := fmt.Sprintf(format, args...)
	if !e.shown {
		e.shown = true
		message += "\n" + e.Timeline()
	}
	e.t.Error(message)
}

// jsonText returns the JSON text of v: v itself if it is a string or []byte, and fallback if v is nil.
func jsonText(v any, fallback string) (json.RawMessage, error) {
	var text []byte
	switch v := v.(type) {
	case nil:
		text = []byte(fallback)
	case string:
		text = []byte(v)
	case []byte:
		text = v
	case json.RawMessage:
		text = v
	default:
		marshaled, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("marshal %T: %w", v, err)
		}
		return marshaled, nil
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("%s is not JSON; a string in JSON has quotes", shorten(string(text)))
	}
	return text, nil
}
