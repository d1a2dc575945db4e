package states

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// The limits of redrives: how often, how long after the end, and how many events the history may have.
const (
	maxRedrives       = 1000
	redrivablePeriod  = 14 * 24 * time.Hour
	maxRedrivenEvents = 24_999
	maxRedriveTokens  = 10
)

// RedriveExecutionInput is the input of RedriveExecution.
type RedriveExecutionInput struct {
	ExecutionArn string `json:"executionArn"`
	// ClientToken identifies the request: a request with a token that was used before changes nothing.
	ClientToken string `json:"clientToken"`
}

// RedriveExecutionOutput is the output of RedriveExecution.
type RedriveExecutionOutput struct {
	RedriveDate Timestamp `json:"redriveDate"`
}

// redrives are the redrives of an execution.
type redrives struct {
	count  int
	newest time.Time
	tokens []string // Of the last redrives, the newest last.
}

// RedriveExecution goes on with an execution that did not succeed, from the state that failed, with the definition that it ran.
func (s *StepFunctions) RedriveExecution(_ context.Context, in RedriveExecutionInput) (RedriveExecutionOutput, error) {
	x, err := s.execution(in.ExecutionArn)
	if err != nil {
		return RedriveExecutionOutput{}, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ClientToken != "" && slices.Contains(x.redrives.tokens, in.ClientToken) {
		return RedriveExecutionOutput{Timestamp{x.redrives.newest}}, nil
	}
	if x.mapRun != nil {
		return RedriveExecutionOutput{}, awswire.NewError("ExecutionNotRedrivable", "The child execution of a Map Run is redriven with its parent: '"+x.mapRun.execution.arn+"'")
	}
	if reason := x.notRedrivable(); reason != "" {
		return RedriveExecutionOutput{}, awswire.NewError("ExecutionNotRedrivable", reason)
	}
	if x.machine.deleting {
		return RedriveExecutionOutput{}, awswire.NewError("StateMachineDeleting", "State Machine is deleting: '"+x.machine.arn+"'")
	}

	if err := s.setTasks(x); err != nil {
		return RedriveExecutionOutput{}, err
	}

	before := *x
	x.redrives.count++
	x.redrives.newest = time.Now().Truncate(time.Millisecond)
	x.redrives.tokens = append(x.redrives.tokens[max(0, len(x.redrives.tokens)+1-maxRedriveTokens):], in.ClientToken)
	x.status, x.stop, x.result, x.aborted, x.cancel = StatusRunning, time.Time{}, asl.Result{}, nil, nil
	x.done = make(chan struct{})
	if err := s.launch(x, s.run); err != nil {
		*x = before
		return RedriveExecutionOutput{}, err
	}
	s.running[x] = struct{}{}
	s.saveExecution(x)
	s.ended = slices.DeleteFunc(s.ended, func(ended *execution) bool { return ended == x })
	return RedriveExecutionOutput{Timestamp{x.redrives.newest}}, nil
}

// notRedrivable returns why an execution cannot be redriven, or "". The caller holds the lock.
func (x *execution) notRedrivable() string {
	switch {
	case x.mapRun != nil && x.status != StatusRunning && x.status != asl.StatusSucceeded:
		return "" // RedriveExecution refuses it, but its Map run can be redriven.
	case x.status == StatusRunning || x.status == asl.StatusSucceeded:
		return "Execution is " + string(x.status) + " and cannot be redriven"
	case x.redrives.count >= maxRedrives:
		return "Execution has been redriven 1000 times, which is the maximum"
	case time.Since(x.stop) > redrivablePeriod:
		return "Execution ended more than 14 days ago and cannot be redriven"
	case len(x.events) > maxRedrivenEvents:
		return "Execution event history limit exceeded and cannot be redriven"
	default:
		return ""
	}
}

// redrivePoint returns where a redriven execution goes on: at the state of the machine itself that was entered last, with the
// variables that the states before it assigned. The caller holds the lock.
func (x *execution) redrivePoint() asl.Point {
	point := asl.Point{Variables: map[string]json.RawMessage{}}
	var top definitionStates
	if json.Unmarshal([]byte(x.revision.definition), &top) != nil { // Cannot happen: it was parsed.
		return point
	}
	for _, event := range x.events {
		point.LastEvent = event.ID
		switch {
		case strings.HasSuffix(event.Type, "StateEntered"):
			fields, _ := event.Details.Map()["stateEnteredEventDetails"].(map[string]any)
			name, _ := fields["name"].(string)
			if _, ok := top.States[name]; ok {
				input, _ := fields["input"].(string)
				point.State, point.Input = name, json.RawMessage(input)
			}
		case strings.HasSuffix(event.Type, "StateExited"):
			fields, _ := event.Details.Map()["stateExitedEventDetails"].(map[string]any)
			name, _ := fields["name"].(string)
			if _, ok := top.States[name]; ok {
				assigned, _ := fields["assignedVariables"].(map[string]any)
				for variable, value := range assigned {
					text, _ := value.(string)
					point.Variables[variable] = json.RawMessage(text)
				}
			}
		}
	}
	return point
}
