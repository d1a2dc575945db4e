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

// variables are the variables of one scope: a state machine, a branch or an iteration. lookup continues in the parent scope.
type variables struct {
	parent *variables
	values map[string]any
}

func (v *variables) lookup(name string) (any, bool) {
	for ; v != nil; v = v.parent {
		if value, ok := v.values[name]; ok {
			return value, true
		}
	}
	return nil, false
}

// assign sets variables. It replaces the map v.values and does not change it, because threads in inner scopes may be reading it.
func (v *variables) assign(values *jsontree.Object) {
	updated := maps.Clone(v.values)
	if updated == nil {
		updated = map[string]any{}
	}
	for _, key := range values.Keys() {
		updated[key], _ = values.Get(key)
	}
	v.values = updated
}

// A thread runs the states of one flow, one after the other. The flow is a state machine, a branch or an iteration.
type thread struct {
	run       *run
	recorder  *recorder
	variables *variables
	item      *jsontree.Object // $states.context.Map.Item in an iteration.
	texts     textCache
	path      string // Step.Thread

	mu         sync.Mutex // Guards previous: a task may call Submitted from another goroutine.
	previous   int64      // The ID of the last event.
	abortEvent string     // The type of the event that records that the current state was aborted; empty for none.
}

// runFlow runs the states of a flow and returns its output.
func (t *thread) runFlow(ctx context.Context, flow *flow, input any) (any, error) {
	name := flow.startAt
	for {
		output, next, err := t.runState(ctx, flow.states[name], input)
		if err != nil || next == "" {
			return output, err
		}
		input, name = output, next
	}
}

// A stateRun is one run of a state, with all its attempts, from the event StateEntered to StateExited. It holds the values that
// templates and paths refer to.
type stateRun struct {
	thread   *thread
	state    *state
	input    any // The state's input.
	pathRoot any // $ in JSONPath: the input after InputPath; for the output fields the result; in a Catch the error output.
	entered  time.Time
	eventID  int64  // The ID of the event StateEntered.
	cause    int64  // The ID of the event that the event StateEntered follows.
	retries  int    // The number of retries so far, by all retriers.
	token    string // The task token of the current attempt.

	result      *any             // $states.result, nil if there is none yet.
	errorOutput *jsontree.Object // $states.errorOutput, nil if there is none.
	item        *jsontree.Object // $states.context.Map.Item, nil outside a Map state.

	field  string // Step.Field, once a choice or a catcher has been found.
	caught *Error // The error that a catcher handles.
}

// An outcome is the result of a state that has succeeded.
type outcome struct {
	output   any
	assigned *jsontree.Object // The variables that Assign sets, or nil.
	next     string           // The name of the next state, or "".
}

// runState runs a state with its retries and catchers. It returns the output and the name of the next state, or "" after the last
// state.
func (t *thread) runState(ctx context.Context, st *state, input any) (output any, next string, err error) {
	if ctx.Err() != nil {
		return nil, "", &failure{aborted: true, fatal: true}
	}

	events := stateEvents[st.kind]
	s := &stateRun{thread: t, state: st, input: input, entered: time.Now(), item: t.item, cause: t.previous}
	s.eventID = t.recordLazily(events.entered, func() *Details {
		return &Details{form: formEntered, name: st.name, text: t.texts.text(input)}
	})
	t.abortEvent = events.aborted
	s.trace(Step{Kind: StepEntered}, func() []byte { return jsontree.Marshal(input) })

	out, err := s.runWithRetries(ctx)
	s.traceEnd(out, err)
	if err != nil {
		return nil, "", err
	}

	t.abortEvent = "" // The state has ended, so it cannot be aborted.
	if out.assigned != nil {
		t.variables.assign(out.assigned)
	}
	t.recordLazily(events.exited, func() *Details { return t.exitedDetails(st.name, out) })
	return out.output, out.next, nil
}

// exitedDetails returns the details of the event StateExited of the state called name.
func (t *thread) exitedDetails(name string, out outcome) *Details {
	if out.assigned == nil {
		return &Details{form: formExited, name: name, text: t.texts.text(out.output)}
	}

	exited := t.withText(object{"name": name}, "output", out.output)
	assigned := object{}
	for _, key := range out.assigned.Keys() {
		v, _ := out.assigned.Get(key)
		assigned[key] = t.texts.textOnce(v)
	}
	exited["assignedVariables"], exited["assignedVariablesDetails"] = assigned, notTruncated
	return NewDetails("stateExitedEventDetails", exited)
}

// stateEvents maps a type of state to the types of its events. aborted is the event that records that a failed sibling aborted such a
// state; it is empty if there is none.
var stateEvents = map[string]struct{ entered, exited, aborted string }{
	kindPass:     {"PassStateEntered", "PassStateExited", ""},
	kindTask:     {"TaskStateEntered", "TaskStateExited", "TaskStateAborted"},
	kindChoice:   {"ChoiceStateEntered", "ChoiceStateExited", ""},
	kindWait:     {"WaitStateEntered", "WaitStateExited", "WaitStateAborted"},
	kindSucceed:  {"SucceedStateEntered", "SucceedStateExited", ""},
	kindFail:     {"FailStateEntered", "FailStateExited", ""},
	kindParallel: {"ParallelStateEntered", "ParallelStateExited", "ParallelStateAborted"},
	kindMap:      {"MapStateEntered", "MapStateExited", "MapStateAborted"},
}

// runWithRetries runs the state until it succeeds, its failure is caught, or no retrier is left.
func (s *stateRun) runWithRetries(ctx context.Context) (outcome, error) {
	retries := make([]int, len(s.state.retry))
	for {
		out, err := s.runOnce(ctx)
		if err == nil {
			return out, nil
		}

		f := s.addStateToCause(toFailure(err))
		if f.aborted {
			return outcome{}, f
		}

		s.recordEvaluationFailed(f)
		if wait, ok := s.retryAfter(f, retries); ok {
			if err := sleep(ctx, wait); err != nil {
				return outcome{}, err
			}
			s.retries++
			continue
		}

		return s.handleFailure(f)
	}
}

// handleFailure returns the outcome of the catcher that handles the failure, or the failure itself if no catcher handles it.
func (s *stateRun) handleFailure(f *failure) (outcome, error) {
	c := s.findCatcher(f)
	runsThreads := s.state.kind == kindMap || s.state.kind == kindParallel
	if runsThreads && !f.fatal && (c == nil || !s.state.jsonata) { // A JSONata state does not record a failure that it catches.
		s.thread.record(s.state.kind+"StateFailed", nil)
	}

	if c == nil {
		return outcome{}, f
	}
	out, err := s.catchFailure(c, f)
	if err != nil {
		f := s.addStateToCause(toFailure(err))
		s.recordEvaluationFailed(f)
		return outcome{}, f
	}

	return out, nil
}

// recordEvaluationFailed records the failure of an expression, if f is one. It clears f.location, so that f is recorded once. As on AWS,
// the event follows the event before StateEntered, but in a Wait state it follows StateEntered.
func (s *stateRun) recordEvaluationFailed(f *failure) {
	if f.location == "" {
		return
	}
	if s.state.kind != kindWait {
		s.thread.follow(s.cause)
	}
	s.thread.record("EvaluationFailed", NewDetails("evaluationFailedEventDetails", object{
		"error": f.name, "cause": f.cause, "location": f.location, "state": s.state.name,
	}))
	f.location = ""
}

// addStateToCause returns a copy of the failure. If Step Functions itself raises failures of this name, the copy's cause names the
// state. The copy's cause is always marked as complete, so that an outer state does not add its own name. addStateToCause returns f
// itself if its cause is complete already.
func (s *stateRun) addStateToCause(f *failure) *failure {
	if f.completeCause || f.aborted {
		return f
	}
	complete := *f
	complete.completeCause = true
	switch f.name {
	case errorRuntime, errorQuery, errorNoChoice, errorResultPath, errorIntrinsic:
		complete.cause = fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s",
			s.state.name, s.eventID, f.cause)
	}
	return &complete
}

// sleep waits for d. It returns an aborted failure if ctx is done first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &failure{aborted: true, fatal: true}
	}
}

// checkSize returns a failure if v, an input or output of the state, is larger than maxPayload.
func (s *stateRun) checkSize(v any) error {
	if !s.thread.isUpTo(v, maxPayload) {
		return &failure{name: errorDataLimit, nameOnly: true, cause: dataLimitCause(s.state.name)}
	}
	return nil
}

// dataLimitCause returns the cause of a States.DataLimitExceeded of a state or task.
func dataLimitCause(name string) string {
	return "The state/task '" + name + "' returned a result with a size exceeding the maximum number of bytes service limit."
}

// taskFailure converts an error of Tasks.RunTask to a failure.
func taskFailure(err error) *failure {
	var taskErr *Error
	if errors.As(err, &taskErr) {
		return &failure{name: taskErr.Name, cause: taskErr.Cause, completeCause: true, fatal: taskErr.Fatal}
	}
	return &failure{name: errorTaskFailed, cause: strings.TrimSpace(err.Error()), completeCause: true}
}
