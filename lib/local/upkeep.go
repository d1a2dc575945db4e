package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// The schedules and the rule, as the stack has them.
const (
	reaperInterval  = time.Minute
	reaperRetries   = 0 // the next run does the work of one that failed
	sweeperInterval = 5 * time.Minute
	sweeperRetries  = 2
)

// retryPause is the pause before the first retry of an event whose function failed; that before the second is twice as long
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
const retryPause = time.Minute

// upkeep is what EventBridge does: it invokes functions on schedules, and when executions have ended.
type upkeep struct {
	lambda *invoke.Lambda
	log    *slog.Logger
	// going ends with the schedules and the pauses; what is being invoked then goes on.
	going context.Context //nolint:containedctx // the upkeep outlives its callers, as on AWS
	stop  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

func newUpkeep(lambda *invoke.Lambda, log *slog.Logger) *upkeep {
	going, stop := context.WithCancel(context.Background())
	return &upkeep{lambda: lambda, log: log, going: going, stop: stop}
}

// schedule invokes a function at an interval, from one interval on.
func (u *upkeep) schedule(name string, interval time.Duration, retries int) {
	u.start(func() {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case at := <-ticks.C:
				u.start(func() { u.deliver(functionPrefix+name, scheduled(name, at), retries) })
			case <-u.going.Done():
				return
			}
		}
	})
}

// statusChanged tells the sweeper of executions that ended, however they did.
func (u *upkeep) statusChanged(x states.ExecutionDescription) {
	switch x.Status {
	case asl.StatusSucceeded, asl.StatusFailed, asl.StatusTimedOut, asl.StatusAborted:
		u.start(func() { u.deliver(functionPrefix+"sweeper", statusChange(x), sweeperRetries) })
	}
}

// start runs do in a goroutine, unless the upkeep has ended.
func (u *upkeep) start(do func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.closed {
		u.running.Go(do)
	}
}

// deliver invokes a function with an event, again after a failure, and logs what a dead-letter queue would get at last.
func (u *upkeep) deliver(function string, event map[string]any, retries int) {
	payload, err := json.Marshal(event)
	if err != nil {
		u.log.ErrorContext(u.going, "encode event", "function", function, "err", err)
		return
	}
	ctx := context.WithoutCancel(u.going) // the function has a deadline of its own
	for attempt := 0; ; attempt++ {
		if err = u.invoke(ctx, function, payload); err == nil {
			return
		}
		if attempt == retries {
			break
		}
		select {
		case <-time.After(retryPause << attempt):
		case <-u.going.Done():
			return
		}
	}
	if u.going.Err() == nil { // else it is being stopped, and its functions with it
		u.log.ErrorContext(ctx, "event for the dead-letter queue", "function", function, "event", event["id"],
			"detailType", event["detail-type"], "err", err)
	}
}

// invoke returns an error that names a failed function's error type.
func (u *upkeep) invoke(ctx context.Context, function string, payload []byte) error {
	result, err := u.lambda.Invoke(ctx, function, payload)
	if err != nil {
		return fmt.Errorf("invoke: %w", err)
	}
	if result.Error != nil {
		return fmt.Errorf("function failed: %s", result.Error.Type)
	}
	return nil
}

// close ends the schedules and waits for what is being invoked, or until ctx ends.
func (u *upkeep) close(ctx context.Context) {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.stop()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		u.running.Wait()
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// event returns what all events have
// (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html).
func event(source, detailType, resource string, at time.Time, detail map[string]any) map[string]any {
	return map[string]any{
		"version": "0", "id": awswire.NewUUID(), "detail-type": detailType, "source": source, "account": awswire.Account,
		"time": at.UTC().Format(time.RFC3339), "region": awswire.Region, "resources": []string{resource}, "detail": detail,
	}
}

// scheduled returns the event of a schedule's rule.
func scheduled(name string, at time.Time) map[string]any {
	rule := "arn:aws:events:" + awswire.Region + ":" + awswire.Account + ":rule/" + functionPrefix + name
	return event("aws.events", "Scheduled Event", rule, at, map[string]any{})
}

// maxStatusData bounds the input and output, escaped, that an event of Step Functions carries, in bytes.
const maxStatusData = 248 << 10

// statusChange returns the event of an execution that has ended
// (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html).
func statusChange(x states.ExecutionDescription) map[string]any {
	input, included := any(x.Input), true
	if quoted, err := json.Marshal(x.Input); err != nil || len(quoted) > maxStatusData {
		input, included = nil, false
	}
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	detail := map[string]any{
		"executionArn": x.ExecutionArn, "stateMachineArn": x.StateMachineArn, "name": x.Name, "status": x.Status,
		"startDate": x.StartDate.UnixMilli(), "stopDate": x.StopDate.UnixMilli(),
		"input": input, "inputDetails": map[string]bool{"included": included}, "output": nil, "outputDetails": nil,
		"stateMachineVersionArn": nil, "stateMachineAliasArn": nil,
		"redriveCount": x.RedriveCount, "redriveDate": nil, "redriveStatus": x.RedriveStatus,
		"redriveStatusReason": orNull(x.RedriveStatusReason), "error": orNull(x.Error), "cause": orNull(x.Cause),
	}
	return event("aws.states", "Step Functions Execution Status Change", x.ExecutionArn, x.StopDate.Time, detail)
}
