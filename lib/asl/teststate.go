package asl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// StateTest is a request to run one state by itself: a call of AWS's TestState.
type StateTest struct {
	// Definition is the definition of a state, or of a state machine that has the state.
	Definition []byte
	// StateName is the name of the state in a state machine, also of one inside a Map or Parallel state.
	StateName string
	// Execution is the execution that the state belongs to: its ID, name, role, state machine, Input and Tasks.
	Execution Execution
	// Inspect says whether the answer has InspectionData: the inspection levels DEBUG and TRACE.
	Inspect bool
	// RevealSecrets is rejected together with Mock, as on AWS. It has no other effect.
	RevealSecrets bool
	// Variables is a JSON object with the variables of the state; empty for none.
	Variables json.RawMessage
	// Context is the context object; empty for the one of Execution.
	Context json.RawMessage
	// Mock is the result of the state's task, branches or iterations. If it is nil, a Task state runs its task.
	Mock *StateMock
	// Configuration says what has happened before, and what a mocked Map state finds.
	Configuration StateTestConfiguration
}

// StateMock is a mocked result. Either Result or Error is set.
type StateMock struct {
	// Result is the result as JSON text.
	Result *string
	// Error is the error with which the task, a branch or the iterations fail.
	Error *Error
	// Validation says how Result is checked against the API of the service: STRICT, PRESENT or NONE; empty means STRICT.
	Validation string
}

// StateTestConfiguration is the state configuration of a StateTest.
type StateTestConfiguration struct {
	// RetrierRetryCount is how often the retrier that handles the failure has retried the state before.
	RetrierRetryCount int
	// ErrorCausedByState is the state inside a Map or Parallel state that fails with the mocked error.
	ErrorCausedByState string
	// MapIterationFailureCount is how many iterations of a mocked Map state have failed; nil means none.
	MapIterationFailureCount *int
	// MapItemReaderData is the dataset of an ItemReader, as JSON text.
	MapItemReaderData string
}

// StateTestStatus is the status of a state that was run by itself.
type StateTestStatus string

// The statuses of a state that was run by itself.
const (
	StateSucceeded   StateTestStatus = "SUCCEEDED"
	StateFailed      StateTestStatus = "FAILED"
	StateRetriable   StateTestStatus = "RETRIABLE"
	StateCaughtError StateTestStatus = "CAUGHT_ERROR"
)

// StateTestResult is how a state ended that was run by itself.
type StateTestResult struct {
	// Status is the state's status.
	Status StateTestStatus
	// Output is the output as JSON text, set if the state succeeded or its error was caught.
	Output json.RawMessage
	// Error is the error, set if the state failed.
	Error *Error
	// NextState is the name of the next state; empty if there is none.
	NextState string
	// InspectionData is the inspectionData of AWS's TestState as a JSON object; nil unless it was asked for.
	InspectionData json.RawMessage
}

// StateTestError is the error of a StateTest that is rejected.
type StateTestError struct {
	// Code is the exception of AWS's TestState: ValidationException or InvalidDefinition.
	Code string
	// Message is the exception's message.
	Message string
}

// Error returns the message.
func (e *StateTestError) Error() string { return e.Message }

func rejectTestf(format string, args ...any) error {
	return &StateTestError{Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

// testedName is the name that a tested state has in its context object, whatever it is called in the definition.
const testedName = "StateName"

// RunState runs one state by itself, as AWS's TestState does. The error is a *StateTestError.
func RunState(ctx context.Context, test StateTest) (StateTestResult, error) {
	st, isInMap, err := test.findState()
	if err != nil {
		return StateTestResult{}, err
	}
	p, err := test.newProbe(st)
	if err != nil {
		return StateTestResult{}, err
	}

	execution := test.Execution
	if execution.Start.IsZero() {
		execution.Start = time.Now()
	}
	input, err := jsontree.Parse(execution.Input)
	if err != nil {
		return StateTestResult{}, rejectTestf("The input is not valid JSON: %s", err)
	}

	variables, err := test.variables()
	if err != nil {
		return StateTestResult{}, err
	}

	named := *st
	named.name = testedName
	s := &stateRun{
		thread:  &thread{run: &run{execution: execution, input: input, probe: p}, recorder: nil, variables: variables},
		state:   &named,
		input:   input,
		entered: time.Now(),
		retries: test.Configuration.RetrierRetryCount,
	}
	if isInMap { // As on AWS, the state is that of the first iteration.
		s.item = jsontree.NewObject("Index", int64(0), "Value", input)
	}
	p.set("input", input)

	out, runErr := s.runOnce(ctx)
	result := StateTestResult{Status: StateSucceeded}
	if runErr != nil {
		result, out = s.testFailure(toFailure(runErr), test.Configuration.RetrierRetryCount)
	}
	if result.Status == StateSucceeded || result.Status == StateCaughtError {
		result.Output, result.NextState = jsontree.Marshal(out.output), out.next
		if out.assigned != nil {
			variables.assign(out.assigned)
		}
	}
	if test.Inspect {
		p.setVariables(variables)
		result.InspectionData = jsontree.Marshal(p.data)
	}
	return result, nil
}

// testFailure returns the result of a state that has failed, and its outcome if a catcher handles the failure. retries is how often the
// retrier that handles the failure has retried the state.
func (s *stateRun) testFailure(f *failure, retries int) (StateTestResult, outcome) {
	p := s.thread.run.probe
	result := StateTestResult{Status: StateFailed, Error: f.asError()}
	handled := &jsontree.Object{}
	for i, r := range s.state.retry {
		if !f.matches(r.errors) {
			continue
		}

		handled.Set("retryIndex", int64(i))
		counts := make([]int, len(s.state.retry))
		counts[i] = retries
		if wait, ok := s.retryAfter(f, counts); ok {
			handled.Set("retryBackoffIntervalSeconds", int64(wait.Seconds()))
			p.set("errorDetails", handled)
			result.Status = StateRetriable
			return result, outcome{}
		}
		break
	}

	c := s.findCatcher(f)
	if c != nil {
		handled.Set("catchIndex", int64(slices.IndexFunc(s.state.catch, func(c catcher) bool { return f.matches(c.errors) })))
	}
	if handled.Len() > 0 {
		p.set("errorDetails", handled)
	}
	if c == nil {
		return result, outcome{}
	}

	out, err := s.catchFailure(c, f)
	if err != nil {
		result.Error = toFailure(err).asError()
		return result, outcome{}
	}
	result.Status = StateCaughtError
	return result, out
}

// findState returns the tested state. isInMap is set if the state is inside a Map state.
func (test StateTest) findState() (st *state, isInMap bool, err error) {
	v, err := jsontree.Parse(test.Definition)
	if err != nil {
		return nil, false, invalidDefinition(&DefinitionError{[]Problem{{codeJSON, "", err.Error()}}})
	}

	if isMachine(v) {
		m, err := Parse(test.Definition)
		if err != nil {
			return nil, false, invalidDefinition(err)
		}
		if st, isInMap := m.flow.find(test.StateName); st != nil {
			return st, isInMap, nil
		}
		return nil, false, rejectTestf("State '%s' does not exist in the state machine definition.", test.StateName)
	}

	d := newDecoder()
	st = d.decodeState(testedName, v, "/States/"+testedName, languageJSONPath)
	if len(d.problems) > 0 {
		return nil, false, invalidDefinition(&DefinitionError{d.problems})
	}
	return st, false, nil
}

// isMachine reports whether a definition is that of a state machine, and not of a state.
func isMachine(v any) bool {
	o, ok := v.(*jsontree.Object)
	if !ok {
		return false
	}
	_, ok = o.Get("States")
	return ok
}

func invalidDefinition(err error) error {
	return &StateTestError{Code: "InvalidDefinition", Message: err.Error()}
}

// find returns the state of a name in the flow or inside its states; nil if there is none. isInMap is set if it is inside a Map state.
func (f *flow) find(name string) (st *state, isInMap bool) {
	if st, ok := f.states[name]; ok {
		return st, false
	}
	for _, st := range f.states {
		inner := st.branches
		if st.mapFields != nil {
			inner = []*flow{st.mapFields.processor}
		}
		for _, flow := range inner {
			if found, inner := flow.find(name); found != nil {
				return found, inner || st.mapFields != nil
			}
		}
	}
	return nil, false
}

// variables returns the variables of the tested state.
func (test StateTest) variables() (*variables, error) {
	v := &variables{}
	if len(test.Variables) == 0 {
		return v, nil
	}
	parsed, err := jsontree.Parse(test.Variables)
	if err != nil {
		return nil, rejectTestf("The variables are not valid JSON: %s", err)
	}
	o, ok := parsed.(*jsontree.Object)
	if !ok {
		return nil, rejectTestf("The variables must be a JSON object.")
	}
	v.assign(o)
	return v, nil
}
