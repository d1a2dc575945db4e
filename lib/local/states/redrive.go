package states

import (
	"context"
	"slices"
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

// notRedrivable returns why an execution cannot be redriven, or "". For a child execution, it is why its Map run cannot redrive it. The
// caller holds the lock.
func (x *execution) notRedrivable() string {
	switch {
	case x.status == StatusRunning || x.status == asl.StatusSucceeded || x.status == pendingRedrive:
		return "Execution is " + string(x.status) + " and cannot be redriven"
	case x.mapRun != nil && x.mapRun.express:
		return "" // It starts again.
	case x.redrives.count >= maxRedrives:
		return "Execution has been redriven 1000 times, which is the maximum"
	case time.Since(x.stop) > redrivablePeriod:
		return "Execution ended more than 14 days ago and cannot be redriven"
	case len(x.events) > maxRedrivenEvents:
		return "Execution event history limit exceeded and cannot be redriven"
	default:
		return x.lacksChildren()
	}
}
