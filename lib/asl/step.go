package asl

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// StepKind is what a state did in a Step.
type StepKind string

// The kinds of steps. Each run of a state begins with StepEntered and ends with StepExited, StepFailed or StepAborted.
const (
	StepEntered   StepKind = "entered"   // Data is the state's input.
	StepCalled    StepKind = "called"    // An attempt of a task began. Data is its arguments.
	StepReturned  StepKind = "returned"  // The attempt succeeded. Data is its result.
	StepRetried   StepKind = "retried"   // A retrier starts the state anew after Wait, because of Error.
	StepExhausted StepKind = "exhausted" // A retrier handles Error, but it has no attempt left.
	StepExited    StepKind = "exited"    // The state ended. Data is its output; Error is set if it was caught.
	StepFailed    StepKind = "failed"    // The state failed, and nothing caught Error.
	StepAborted   StepKind = "aborted"   // A sibling failed, or the execution timed out or was stopped.
)

// Step is one step of an execution through its definition: Execution.Trace receives it. A history says which states ran; a Step also says
// which item of Choices, Retry or Catch made them do so.
type Step struct {
	// Kind is what the state did.
	Kind StepKind
	// Time is when it did so.
	Time time.Time
	// State is the state's name, which is unique in its definition.
	State string
	// Thread is the iteration or branch that the state ran in: the name of the Map or Parallel state with an index from 0, as in
	// Orders[2]/Notify[0]. It is empty outside of them. A child execution of a Distributed Map is an iteration.
	Thread string
	// Field is the field of the state that decided what comes next: Next, End, Default, Choices[0], Catch[1] or Retry[0]. It is empty if
	// none did.
	Field string
	// Next is the name of the state that comes next, for StepExited. It is empty if none comes.
	Next string
	// Wait is the pause before the next attempt, for StepRetried.
	Wait time.Duration
	// Data is JSON text; its meaning depends on Kind. It must not be changed.
	Data json.RawMessage
	// Error is the error that the step handles, or nil.
	Error *Error
}

// trace reports a step of the state, if somebody receives steps. data is the value of Step.Data, unless it is nil.
func (s *stateRun) trace(step Step, data func() []byte) {
	receive := s.thread.run.execution.Trace
	if receive == nil {
		return
	}
	step.Time, step.State, step.Thread = time.Now(), s.state.name, s.thread.path
	if data != nil {
		step.Data = data()
	}
	receive(step)
}

// traceEnd reports the step that ends the state: err is its failure, or nil after the outcome out.
func (s *stateRun) traceEnd(out outcome, err error) {
	if s.thread.run.execution.Trace == nil {
		return
	}
	if err == nil {
		s.trace(Step{Kind: StepExited, Field: s.exitField(), Next: out.next, Error: s.caught},
			func() []byte { return jsontree.Marshal(out.output) })
		return
	}
	if f := toFailure(err); !f.aborted {
		s.trace(Step{Kind: StepFailed, Field: s.field, Error: f.asError()}, nil)
		return
	}
	s.trace(Step{Kind: StepAborted}, nil)
}

// exitField returns the field that decided what follows the state, which has succeeded.
func (s *stateRun) exitField() string {
	switch {
	case s.field != "": // Of a choice or a catcher.
		return s.field
	case s.state.next != "":
		return "Next"
	case s.state.end:
		return "End"
	default: // Succeed and Fail have no such field.
		return ""
	}
}

// indexed returns the name of item i of a field, such as Retry[0], or of thread i of a state.
func indexed(name string, i int) string { return name + "[" + strconv.Itoa(i) + "]" }

// childPath returns the value of Step.Thread in thread i of the state; "" if nobody receives steps.
func (s *stateRun) childPath(i int) string {
	switch {
	case s.thread.run.execution.Trace == nil:
		return ""
	case s.thread.path == "":
		return indexed(s.state.name, i)
	default:
		return s.thread.path + "/" + indexed(s.state.name, i)
	}
}
