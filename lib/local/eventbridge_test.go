package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// call is an invocation of a function: its time since the start, and its event.
type call struct {
	at    time.Duration
	event map[string]any
}

// recordInvocations returns an eventBridge, the calls of each function by its name, and the log. Each call of the sweeper fails for whose
// number, from 1, fails returns true.
func recordInvocations(t *testing.T, fails func(call int) bool) (bridge *eventBridge, calls map[string][]call, logged *bytes.Buffer) {
	t.Helper()
	start, mu := time.Now(), sync.Mutex{}
	calls, logged = map[string][]call{}, &bytes.Buffer{}
	record := func(name string, fails func(int) bool) invoke.Function {
		return invoke.Function{Handler: func(event map[string]any) error {
			mu.Lock()
			defer mu.Unlock()
			calls[name] = append(calls[name], call{time.Since(start), event})
			if fails(len(calls[name])) {
				return errors.New("failed as configured")
			}
			return nil
		}}
	}
	functions := map[string]invoke.Function{}
	for _, f := range lambdas.Functions() {
		functions[functionPrefix+f.Name] = record(f.Name, never)
	}
	functions[functionPrefix+"sweeper"] = record("sweeper", fails)
	lambda := invoke.New(invoke.Config{Functions: functions})
	bridge = newEventBridge(lambda, slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelError})))
	t.Cleanup(func() {
		bridge.close(context.Background())
		if err := lambda.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return bridge, calls, logged
}

// times returns the times of calls since the start.
func times(calls []call) (at []string) {
	for _, c := range calls {
		at = append(at, c.at.String())
	}
	return at
}

func never(int) bool { return false }

func TestSchedulesRunUntilClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, calls, logged := recordInvocations(t, never)
		bridge.startSchedules()
		time.Sleep(10*time.Minute + time.Second)
		bridge.close(t.Context())
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(calls["reaper"]) != 10 || calls["reaper"][0].at != time.Minute {
			t.Errorf("the reaper ran at %v, want each of ten minutes", times(calls["reaper"]))
		}
		if diff := cmp.Diff([]string{"5m0s", "10m0s"}, times(calls["sweeper"])); diff != "" {
			t.Errorf("the sweeper's runs (-want +got):\n%s", diff)
		}
		event := calls["sweeper"][0].event
		delete(event, "id")
		// The clock of synctest starts at the beginning of the year 2000.
		want := map[string]any{
			"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "account": "000000000000", "region": "us-east-1",
			"time": "2000-01-01T00:05:00Z", "resources": []any{"arn:aws:events:us-east-1:000000000000:rule/herald-sweeper"},
			"detail": map[string]any{},
		}
		if diff := cmp.Diff(want, event); diff != "" {
			t.Errorf("the event (-want +got):\n%s", diff)
		}
		if logged.Len() > 0 {
			t.Errorf("logged %s", logged)
		}
	})
}

// executionWithStatus returns the description of an execution that has ended with an error, with the given status and input.
func executionWithStatus(status asl.Status, input string) states.ExecutionDescription {
	at := time.Date(2026, 11, 22, 10, 0, 0, 5e6, time.UTC)
	return states.ExecutionDescription{
		ExecutionListItem: states.ExecutionListItem{
			ExecutionArn: "arn:e", StateMachineArn: "arn:m", Name: "e", Status: status,
			StartDate: states.Timestamp{Time: at}, StopDate: states.Timestamp{Time: at.Add(time.Second)},
		},
		ExecutionData: states.ExecutionData{Input: input, Error: "Boom"}, RedriveStatus: "REDRIVABLE",
	}
}

func TestSweeperIsInvokedForEveryEndedExecution(t *testing.T) {
	for status, invoked := range map[asl.Status]bool{
		"RUNNING": false, asl.StatusSucceeded: true, asl.StatusFailed: true, asl.StatusTimedOut: true, asl.StatusAborted: true,
	} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bridge, calls, _ := recordInvocations(t, never)
				bridge.statusChanged(executionWithStatus(status, `{}`))
				synctest.Wait()
				if got := len(calls["sweeper"]); (got == 1) != invoked {
					t.Errorf("the sweeper was called %d times", got)
				}
			})
		})
	}
}

func TestExecutionStatusChangeEvent(t *testing.T) {
	raw, err := json.Marshal(statusChangeEvent(executionWithStatus(asl.StatusFailed, `{"a":1}`)))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "id")
	want := map[string]any{
		"version": "0", "detail-type": "Step Functions Execution Status Change", "source": "aws.states", "account": "000000000000",
		"region": "us-east-1", "time": "2026-11-22T10:00:01Z", "resources": []any{"arn:e"},
		"detail": map[string]any{
			"executionArn": "arn:e", "stateMachineArn": "arn:m", "stateMachineVersionArn": nil, "stateMachineAliasArn": nil, "name": "e",
			"status": "FAILED", "startDate": 1795341600005.0, "stopDate": 1795341601005.0, "input": `{"a":1}`,
			"inputDetails": map[string]any{"included": true}, "output": nil, "outputDetails": nil, "error": "Boom", "cause": nil,
			"redriveCount": 0.0, "redriveDate": nil, "redriveStatus": "REDRIVABLE", "redriveStatusReason": nil,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
	// A quotation mark takes two bytes when it is escaped. With the marks around the input, the input is too large by two bytes.
	detail, _ := statusChangeEvent(executionWithStatus(asl.StatusFailed, strings.Repeat(`"`, maxStatusData/2)))["detail"].(map[string]any)
	if detail["input"] != nil {
		t.Error("the event carries an input that is too long")
	}
	success := executionWithStatus(asl.StatusSucceeded, `{}`)
	success.Output = `{"superseded":true}`
	if detail, _ := statusChangeEvent(success)["detail"].(map[string]any); detail["output"] != success.Output {
		t.Errorf("the event of a success carries the output %v, want %s", detail["output"], success.Output)
	}
}

func TestFailedEventIsRetriedTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		fails func(call int) bool
		want  []string // the times of the calls
		dead  bool     // the event goes to the dead-letter queue
	}{
		"once":   {func(n int) bool { return n == 1 }, []string{"0s", "1m0s"}, false},
		"always": {func(int) bool { return true }, []string{"0s", "1m0s", "3m0s"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bridge, calls, logged := recordInvocations(t, tt.fails)
				bridge.statusChanged(executionWithStatus(asl.StatusAborted, `{"secret":"s3cr3t"}`))
				time.Sleep(time.Hour)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, times(calls["sweeper"])); diff != "" {
					t.Errorf("tries (-want +got):\n%s", diff)
				}
				if dead := strings.Contains(logged.String(), "dead-letter queue"); dead != tt.dead || strings.Contains(logged.String(), "s3cr3t") {
					t.Errorf("logged %s", logged)
				}
			})
		})
	}
}

// TestCloseDoesNotWaitForRetries closes the eventBridge during the pause before a retry.
func TestCloseDoesNotWaitForRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, calls, logged := recordInvocations(t, func(int) bool { return true })
		bridge.statusChanged(executionWithStatus(asl.StatusAborted, `{}`))
		time.Sleep(time.Second)
		synctest.Wait()
		start := time.Now()
		bridge.close(t.Context())
		bridge.statusChanged(executionWithStatus(asl.StatusAborted, `{}`)) // after close: ignored
		if time.Since(start) != 0 {
			t.Errorf("closing took %v", time.Since(start))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(calls["sweeper"]) != 1 || logged.Len() > 0 {
			t.Errorf("%d calls, logged %s", len(calls["sweeper"]), logged)
		}
	})
}
