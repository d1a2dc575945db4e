package asl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// variables are those of one scope: the machine, a branch or an iteration. An inner scope sees those of the outer ones.
type variables struct {
	outer  *variables
	values map[string]any
}

func (v *variables) lookup(name string) (any, bool) {
	for ; v != nil; v = v.outer {
		if value, ok := v.values[name]; ok {
			return value, true
		}
	}
	return nil, false
}

// assign sets variables. The map is replaced, not changed: an inner scope may be reading it.
func (v *variables) assign(values *jsontree.Object) {
	changed := maps.Clone(v.values)
	if changed == nil {
		changed = map[string]any{}
	}
	for _, key := range values.Keys() {
		changed[key], _ = values.Get(key)
	}
	v.values = changed
}

// A thread runs one flow, state by state: the machine's own, a branch or an iteration.
type thread struct {
	run       *run
	recorder  *recorder
	variables *variables
	ctx       context.Context //nolint:containedctx // A thread lives no longer than its context.
	item      *jsontree.Object

	mu       sync.Mutex // Guards previous: a task reports its submission from a goroutine of its own.
	previous int64
	open     string // The event of abortion of the state the thread is in, if it has one.
}

// runFlow runs the states of a flow and returns its output.
func (t *thread) runFlow(f *flow, input any) (any, error) {
	name := f.startAt
	for {
		output, next, err := t.runState(f.states[name], input)
		if err != nil || next == "" {
			return output, err
		}
		input, name = output, next
	}
}

// A scope is one visit of a state.
type scope struct {
	thread  *thread
	state   *state
	input   any // The state's input as it came.
	data    any // $ in JSONPath: what InputPath made of it, or what the stage at hand works on.
	entered time.Time
	eventID int64
	retries int
	token   string

	result      *any
	errorOutput *jsontree.Object
	item        *jsontree.Object
}

// A outcome is what a state gives when it succeeds.
type outcome struct {
	output   any
	assigned *jsontree.Object
	next     string
}

// runState visits a state: its attempts, its retries and its catchers.
func (t *thread) runState(st *state, input any) (any, string, error) {
	if t.ctx.Err() != nil {
		return nil, "", &failure{aborted: true, final: true}
	}

	s := &scope{thread: t, state: st, input: input, entered: time.Now(), item: t.item}
	s.eventID = t.record(st.kind+"StateEntered", details("stateEnteredEventDetails", withText(object{"name": st.name}, "input", input)))
	t.open = abortable[st.kind]

	out, err := s.attempts()
	if err != nil {
		return nil, "", err
	}

	t.open = ""

	exited := withText(object{"name": st.name}, "output", out.output)
	if out.assigned != nil {
		t.variables.assign(out.assigned)
		assigned := object{}
		for _, key := range out.assigned.Keys() {
			v, _ := out.assigned.Get(key)
			assigned[key] = string(jsontree.Marshal(v))
		}
		exited["assignedVariables"], exited["assignedVariablesDetails"] = assigned, notTruncated()
	}

	t.record(st.kind+"StateExited", details("stateExitedEventDetails", exited))
	return out.output, out.next, nil
}

// abortable gives the event that says that a state was left because a sibling failed.
var abortable = map[string]string{
	kindTask: "TaskStateAborted", kindWait: "WaitStateAborted", kindMap: "MapStateAborted", kindParallel: "ParallelStateAborted",
}

// attempts runs the state until it succeeds, is caught, or fails for good.
func (s *scope) attempts() (outcome, error) {
	tried := make([]int, len(s.state.retry))
	for {
		out, err := s.attempt()
		if err == nil {
			return out, nil
		}

		f := s.place(asFailure(err))
		if f.aborted {
			return outcome{}, f
		}

		s.reportEvaluation(f)
		if wait, ok := s.retryAfter(f, tried); ok {
			if err := s.sleep(wait); err != nil {
				return outcome{}, err
			}
			s.retries++
			continue
		}

		return s.handle(f)
	}
}

// handle ends a state that has failed: by a catcher, or with the failure.
func (s *scope) handle(f *failure) (outcome, error) {
	c := s.catcherOf(f)
	group := s.state.kind == kindMap || s.state.kind == kindParallel

	// A JSONata state that catches its own failure does not report it.
	if group && !f.final && (c == nil || !s.state.jsonata) {
		s.thread.record(s.state.kind+"StateFailed", nil)
	}

	if c == nil {
		return outcome{}, f
	}
	out, err := s.caught(c, f)
	if err != nil {
		f := s.place(asFailure(err))
		s.reportEvaluation(f)
		return outcome{}, f
	}

	return out, nil
}

// reportEvaluation records that an expression failed, in the state in which it did.
func (s *scope) reportEvaluation(f *failure) {
	if f.location == "" {
		return
	}
	s.thread.record("EvaluationFailed", details("evaluationFailedEventDetails", object{
		"error": f.name, "cause": f.cause, "location": f.location, "state": s.state.name,
	}))
	f.location = ""
}

// place says in the cause of a failure in which state it happened, as the service does for the errors it raises itself.
func (s *scope) place(f *failure) *failure {
	if f.placed || f.aborted {
		return f
	}
	placed := *f
	placed.placed = true

	switch f.name {
	case errorRuntime, errorQuery, errorNoChoice, errorResultPath, errorIntrinsic:
		placed.cause = fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s",
			s.state.name, s.eventID, f.cause)
	}
	return &placed
}

// sleep waits, unless the thread is cancelled.
func (s *scope) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return nil
	case <-s.thread.ctx.Done():
		return &failure{aborted: true, final: true}
	}
}

// limited returns v unless its text is longer than the service allows.
func (s *scope) limited(v any, what string) (any, error) {
	if len(jsontree.Marshal(v)) > maxPayload {
		f := &failure{name: errorDataLimit, named: true}
		f.cause = "The state/task '" + what + "' returned a result with a size exceeding the maximum number of bytes service limit."
		return nil, f
	}
	return v, nil
}

// taskFailure returns the failure that a task's error means.
func taskFailure(err error) *failure {
	var known *Error
	if errors.As(err, &known) {
		return &failure{name: known.Name, cause: known.Cause, placed: true}
	}
	return &failure{name: errorTaskFailed, cause: strings.TrimSpace(err.Error()), placed: true}
}
