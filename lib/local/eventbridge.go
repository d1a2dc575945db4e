package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// retryPause is the pause before Lambda's first retry of an event whose function failed. The second pause is twice as long
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
const retryPause = time.Minute

// eventBridge invokes functions on schedules and when executions have ended, as the stack's rules of EventBridge do.
type eventBridge struct {
	lambda *invoke.Lambda
	log    *slog.Logger
	// When ctx is cancelled, the schedules and the pauses before retries end. Invocations in progress continue.
	ctx  context.Context // the schedules outlive the call that starts them, as on AWS
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

func newEventBridge(lambda *invoke.Lambda, log *slog.Logger) *eventBridge {
	ctx, stop := context.WithCancel(context.Background())
	return &eventBridge{lambda: lambda, log: log, ctx: ctx, stop: stop}
}

// startSchedules invokes each function that has a schedule once per interval, for the first time after one interval.
func (e *eventBridge) startSchedules() {
	for _, f := range lambdas.Functions() {
		if f.Schedule.Interval > 0 {
			e.goUnlessClosed(func() { e.runSchedule(f) })
		}
	}
}

// runSchedule invokes a function once per interval until close is called.
func (e *eventBridge) runSchedule(f lambdas.Function) {
	ticks := time.NewTicker(f.Schedule.Interval)
	defer ticks.Stop()
	for {
		select {
		case at := <-ticks.C:
			e.goUnlessClosed(func() { e.invokeWithRetries(f, scheduledEvent(f.Name, at)) })
		case <-e.ctx.Done():
			return
		}
	}
}

// statusChanged invokes the sweeper if the execution has ended, with any status.
func (e *eventBridge) statusChanged(x states.ExecutionDescription) {
	switch x.Status {
	case asl.StatusSucceeded, asl.StatusFailed, asl.StatusTimedOut, asl.StatusAborted:
		sweeper, _ := lambdas.ByName("sweeper")
		e.goUnlessClosed(func() { e.invokeWithRetries(sweeper, statusChangeEvent(x)) })
	}
}

// goUnlessClosed runs do in a goroutine, unless close was called.
func (e *eventBridge) goUnlessClosed(do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Go(do)
	}
}

// invokeWithRetries invokes a function with an event. If the invocation fails, it retries as Lambda does. If the last retry fails, it
// logs that a dead-letter queue would now get the event.
func (e *eventBridge) invokeWithRetries(f lambdas.Function, event map[string]any) {
	function := functionPrefix + f.Name
	payload, err := json.Marshal(event)
	if err != nil {
		e.log.ErrorContext(e.ctx, "encode event", "function", function, "err", err)
		return
	}
	ctx := context.WithoutCancel(e.ctx) // the function has its own timeout
	for attempt := 0; ; attempt++ {
		if err = e.invoke(ctx, function, payload); err == nil {
			return
		}
		if attempt == f.OnFailure.Retries {
			break
		}
		select {
		case <-time.After(retryPause << attempt):
		case <-e.ctx.Done():
			return
		}
	}
	if e.ctx.Err() == nil { // otherwise the twin is stopping, and its functions fail for that reason
		e.log.ErrorContext(ctx, "event for the dead-letter queue", "function", function, "event", event["id"],
			"detailType", event["detail-type"], "err", err)
	}
}

// invoke invokes a function. Its error contains the type of the function's error.
func (e *eventBridge) invoke(ctx context.Context, function string, payload []byte) error {
	result, err := e.lambda.Invoke(ctx, function, payload)
	if err != nil {
		return fmt.Errorf("invoke: %w", err)
	}
	if result.Error != nil {
		return fmt.Errorf("function failed: %s", result.Error.Type)
	}
	return nil
}

// close ends the schedules, and waits until the invocations in progress or ctx have ended.
func (e *eventBridge) close(ctx context.Context) {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		e.running.Wait()
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// newEvent returns an event with the fields that all events have
// (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html).
func newEvent(source, detailType, resource string, at time.Time, detail map[string]any) map[string]any {
	return map[string]any{
		"version": "0", "id": awswire.NewUUID(), "detail-type": detailType, "source": source, "account": awswire.Account,
		"time": at.UTC().Format(time.RFC3339), "region": awswire.Region, "resources": []string{resource}, "detail": detail,
	}
}

// scheduledEvent returns the event of a schedule's rule.
func scheduledEvent(name string, at time.Time) map[string]any {
	rule := "arn:aws:events:" + awswire.Region + ":" + awswire.Account + ":rule/" + functionPrefix + name
	return newEvent("aws.events", "Scheduled Event", rule, at, map[string]any{})
}

// maxStatusData is the maximum size of the escaped input, and of the escaped output, in an event of Step Functions, in bytes.
const maxStatusData = 248 << 10

// statusChangeEvent returns the event of an execution that has started or ended
// (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html).
func statusChangeEvent(x states.ExecutionDescription) map[string]any {
	// dataAndDetails returns the values of a field such as input and of its details. A text that is too large becomes null.
	dataAndDetails := func(text string) (any, any) {
		if quoted, err := json.Marshal(text); err != nil || len(quoted) > maxStatusData {
			return nil, map[string]bool{"included": false}
		}
		return text, map[string]bool{"included": true}
	}
	input, inputDetails := dataAndDetails(x.Input)
	var output, outputDetails any
	if x.Status == asl.StatusSucceeded {
		output, outputDetails = dataAndDetails(x.Output)
	}
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	at, stopDate := x.StartDate.Time, any(nil)
	if !x.StopDate.IsZero() {
		at, stopDate = x.StopDate.Time, x.StopDate.UnixMilli()
	}
	var redriveDate any
	if !x.RedriveDate.IsZero() {
		redriveDate = x.RedriveDate.UnixMilli()
	}
	detail := map[string]any{
		"executionArn": x.ExecutionArn, "stateMachineArn": x.StateMachineArn, "name": x.Name, "status": x.Status,
		"startDate": x.StartDate.UnixMilli(), "stopDate": stopDate,
		"input": input, "inputDetails": inputDetails, "output": output, "outputDetails": outputDetails,
		"stateMachineVersionArn": nil, "stateMachineAliasArn": nil,
		"redriveCount": x.RedriveCount, "redriveDate": redriveDate, "redriveStatus": x.RedriveStatus,
		"redriveStatusReason": orNull(x.RedriveStatusReason), "error": orNull(x.Error), "cause": orNull(x.Cause),
	}
	return newEvent("aws.states", "Step Functions Execution Status Change", x.ExecutionArn, at, detail)
}
