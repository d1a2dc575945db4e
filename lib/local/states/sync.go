package states

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// expressTimeout is the longest time that an execution of an Express workflow may run.
const expressTimeout = 5 * time.Minute

// errExpressTimeout ends an execution that has reached expressTimeout.
var errExpressTimeout = errors.New("states: the Express workflow ran for 5 minutes")

// StartSyncExecution runs an execution of an Express workflow and waits until it has ended. If ctx ends first, the execution goes on,
// as on AWS.
func (s *StepFunctions) StartSyncExecution(ctx context.Context, in StartSyncExecutionInput) (SyncExecution, error) {
	if err := validateIncludedData(in.IncludedData); err != nil {
		return SyncExecution{}, err
	}
	x, err := s.startExecution(StartExecutionInput{
		StateMachineArn: in.StateMachineArn, Name: in.Name, Input: in.Input, TraceHeader: in.TraceHeader,
	}, typeExpress)
	if err != nil {
		return SyncExecution{}, err
	}
	select {
	case <-s.doneOf(x):
	case <-ctx.Done():
		return SyncExecution{}, fmt.Errorf("wait for %s: %w", x.arn, ctx.Err())
	}

	out := SyncExecution{
		ExecutionListItem: ExecutionListItem{
			ExecutionArn: x.arn, StateMachineArn: x.machine.arn, Name: x.name, Status: x.status,
			StartDate: Timestamp{x.start}, StopDate: Timestamp{x.stop},
		},
		BillingDetails: BillingDetails{
			// Lambda's way of counting: each begun 100 ms, and 64 MB.
			BilledDurationInMilliseconds: (x.stop.Sub(x.start).Milliseconds()/billedStep + 1) * billedStep, BilledMemoryUsedInMB: billedMemory,
		},
		TraceHeader: in.TraceHeader,
	}
	included := in.IncludedData != metadataOnly
	out.InputDetails, out.OutputDetails = &DataDetails{included}, &DataDetails{included}
	if included {
		out.Input, out.Output = x.input, string(x.result.Output)
	}
	if x.status != asl.StatusSucceeded {
		out.OutputDetails = nil
	}
	if x.result.Error != nil {
		out.Error, out.Cause = x.result.Error.Name, x.result.Error.Cause
	}
	return out, nil
}

// What is billed for an Express execution, at least: its duration in steps of milliseconds, its memory in MB.
const (
	billedStep   = 100
	billedMemory = 64
)

// newExpress returns an execution of an Express workflow that is not yet running. Unlike a Standard one, it can be neither described
// nor stopped, and its name may be used again.
func (s *StepFunctions) newExpress(of target, name, input string) *execution {
	arn := "arn:aws:states:" + awswire.Region + ":" + awswire.Account + ":express:" + of.machine.name + ":" + name + ":" + awswire.NewUUID()
	return s.newExecution(of, arn, name, input)
}

// runExpress runs an execution of an Express workflow until it has ended.
func (s *StepFunctions) runExpress(ctx context.Context, x *execution) {
	ctx, cancel := context.WithTimeoutCause(ctx, expressTimeout, errExpressTimeout)
	defer cancel()
	var record func(asl.Event)
	if s.cfg.EventRecorded != nil {
		record = func(event asl.Event) { s.cfg.EventRecorded(x.arn, 0, event) }
	}
	result := x.revision.parsed.Run(ctx, asl.Execution{
		ID: x.arn, Name: x.name, Start: x.start, Input: json.RawMessage(x.input),
		StateMachineID: x.machine.arn, StateMachineName: x.machine.name, RoleARN: x.revision.roleARN,
		Tasks: x.tasks, Objects: s.cfg.Objects, Record: record,
	})
	if errors.Is(context.Cause(ctx), errExpressTimeout) && result.Status == asl.StatusAborted {
		result.Status = asl.StatusTimedOut
	}
	if result.Status == asl.StatusTimedOut {
		result.Error = &asl.Error{Name: cmp.Or(errorName(result), "States.Timeout")}
	}

	s.mu.Lock()
	x.status, x.result, x.stop = result.Status, result, time.Now().Truncate(time.Millisecond)
	s.executionEnded(x.machine)
	close(x.done)
	s.mu.Unlock()
	s.logEnd(ctx, x)
}

// errorName returns the name of a result's error, or "".
func errorName(result asl.Result) string {
	if result.Error == nil {
		return ""
	}
	return result.Error.Name
}

// logEnd logs the end of an execution that did not succeed.
func (s *StepFunctions) logEnd(ctx context.Context, x *execution) {
	if x.result.Status != asl.StatusSucceeded {
		s.cfg.Log.WarnContext(ctx, "execution ended", "execution", x.arn, "status", x.result.Status, "error", errorName(x.result))
	}
}
