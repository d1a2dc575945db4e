package asltest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Call is an attempt of a Task state that called its task.
type Call struct {
	// State is the name of the state.
	State string
	// Arguments is the JSON text that the task was called with; for an invocation of a function its payload.
	Arguments json.RawMessage
	// After is the time since the execution's start.
	After time.Duration
}

// WantStatus checks how the execution ended.
func (e *Execution) WantStatus(want asl.Status) {
	e.t.Helper()
	if e.Status != want {
		e.errorf("the execution ended %s, want %s", e.Status, want)
	}
}

// WantOutput checks that the execution succeeded with an output that is equal as JSON. A string or []byte is the JSON text of want; any
// other value is marshaled.
func (e *Execution) WantOutput(want any) {
	e.t.Helper()
	if e.Status != asl.StatusSucceeded {
		e.errorf("the execution ended %s, want %s", e.Status, asl.StatusSucceeded)
		return
	}
	if diff := e.diff(want, e.Output); diff != "" {
		e.errorf("the output differs:\n%s", diff)
	}
}

// WantError checks that the execution failed with the name of an error, and that its cause contains a text.
func (e *Execution) WantError(name, cause string) {
	e.t.Helper()
	switch {
	case e.Status != asl.StatusFailed:
		e.errorf("the execution ended %s, want %s with %s", e.Status, asl.StatusFailed, name)
	case e.Error.Name != name:
		e.errorf("the execution failed with %s, want %s", e.Error.Name, name)
	case !strings.Contains(e.Error.Cause, cause):
		e.errorf("the cause of %s is %q, want it to contain %q", name, e.Error.Cause, cause)
	}
}

// States returns the names of the states that the execution entered, in order. The states of an iteration or branch come after their Map
// or Parallel state, those of the first one first.
func (e *Execution) States() []string {
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	var names []string
	walk(e.recorder.root, func(v *visit) { names = append(names, v.state) })
	return names
}

// WantStates checks which states the execution entered: see States.
func (e *Execution) WantStates(want ...string) {
	e.t.Helper()
	if got := e.States(); !slices.Equal(got, want) {
		e.errorf("the states are %s, want %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// Calls returns the calls of the tasks that have one of the names, in the order of States; of all tasks if there is no name. A task has each
// name that Tasks could have for it.
func (e *Execution) Calls(names ...string) []Call {
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	var calls []Call
	walk(e.recorder.root, func(v *visit) {
		for _, a := range v.attempts {
			resource := e.resources[v.state]
			if a.arguments == nil || len(names) > 0 && !haveCommon(names, namesOf(v.state, resource, a.arguments)) {
				continue
			}
			arguments := a.arguments
			if service, _ := integration(resource); isInvoke(service) {
				if payload, err := payloadOf(service, arguments); err == nil {
					arguments = payload
				}
			}
			calls = append(calls, Call{State: v.state, Arguments: arguments, After: a.began.Sub(e.recorder.start)})
		}
	})
	return calls
}

// haveCommon reports whether the lists have a common item.
func haveCommon(a, b []string) bool {
	return slices.ContainsFunc(a, func(item string) bool { return slices.Contains(b, item) })
}

// WantCalls checks the calls of a task: how many there are, and that the arguments of each are equal as JSON. A string or []byte is JSON
// text; any other value is marshaled.
func (e *Execution) WantCalls(name string, arguments ...any) {
	e.t.Helper()
	calls := e.Calls(name)
	if len(calls) != len(arguments) {
		e.errorf("%s was called %d times, want %d", name, len(calls), len(arguments))
		return
	}
	for i, want := range arguments {
		if diff := e.diff(want, calls[i].Arguments); diff != "" {
			e.errorf("call %d of %s differs:\n%s", i+1, name, diff)
		}
	}
}

// Retries returns how often the state was retried, by all its retriers together.
func (e *Execution) Retries(state string) int {
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	retries := 0
	walk(e.recorder.root, func(v *visit) {
		if v.state == state {
			retries += len(v.attempts) - 1
		}
	})
	return retries
}

// WantRetries checks how often a state was retried.
func (e *Execution) WantRetries(state string, want int) {
	e.t.Helper()
	if got := e.Retries(state); got != want {
		e.errorf("%s was retried %d times, want %d", state, got, want)
	}
}

// WantDuration checks how long the execution took: exactly, because time is virtual.
func (e *Execution) WantDuration(want time.Duration) {
	e.t.Helper()
	if e.Duration != want {
		e.errorf("the execution took %v, want %v", e.Duration, want)
	}
}

// diff returns how a JSON text differs from the wanted value, or "".
func (e *Execution) diff(want any, got json.RawMessage) string {
	e.t.Helper()
	text, err := jsonText(want, "null")
	if err != nil {
		e.t.Fatalf("asltest: what is wanted: %v", err)
	}
	wanted, err := jsontree.Parse(text)
	if err != nil {
		e.t.Fatalf("asltest: what is wanted: %v", err)
	}
	value, err := jsontree.Parse(got)
	if err != nil {
		return "it is no JSON: " + err.Error()
	}
	return difference(wanted, value)
}
