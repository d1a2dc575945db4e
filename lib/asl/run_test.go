package asl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// taskFunc is a function that implements asl.Tasks.
type taskFunc func(ctx context.Context, t asl.Task) (json.RawMessage, error)

func (f taskFunc) RunTask(ctx context.Context, t asl.Task) (json.RawMessage, error) { return f(ctx, t) }

// history collects the events of an execution.
type history struct{ events []asl.Event }

func (h *history) record(e asl.Event) { h.events = append(h.events, e) }

func (h *history) eventTypes() string {
	types := make([]string, len(h.events))
	for i, e := range h.events {
		types[i] = e.Type
	}
	return strings.Join(types, " ")
}

func parse(t *testing.T, definition string) *asl.Machine {
	t.Helper()
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// resultText returns the output, or the status, name and cause of an error.
func resultText(r asl.Result) string {
	if r.Error == nil {
		return string(r.Output)
	}
	return string(r.Status) + " " + r.Error.Name + " " + r.Error.Cause
}

// taskMachine returns a definition with the Task state A and more fields of A. If they lead to a state B, that state returns its input.
func taskMachine(fields string) string {
	b := ""
	if strings.Contains(fields, `"B"`) {
		b = `,"B":{"Type":"Pass","End":true}`
	}
	return `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true` + fields + `}` + b + `}}`
}

// failWith returns tasks that all fail with an error of a name.
func failWith(name string) taskFunc {
	return func(context.Context, asl.Task) (json.RawMessage, error) {
		return nil, &asl.Error{Name: name, Cause: "why"}
	}
}

func TestRetryAndCatchHandleFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields string
		tasks  asl.Tasks
		want   string
		after  time.Duration // How long the execution takes.
	}{
		{"no retry", ``, failWith("Busy"), "FAILED Busy why", 0},
		// The delays are 1 s, 2 s and 4 s.
		{"three retries by default", `,"Retry":[{"ErrorEquals":["Busy"]}]`, failWith("Busy"), "FAILED Busy why", 7 * time.Second},
		{
			"backoff up to the longest delay",
			`,"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"BackoffRate":3,"MaxAttempts":4,"MaxDelaySeconds":10}]`,
			failWith("Busy"), "FAILED Busy why", (2 + 6 + 10 + 10) * time.Second,
		},
		{"each retrier counts its own retries", `,"Retry":[{"ErrorEquals":["Other"]},{"ErrorEquals":["Busy"],"MaxAttempts":1}]`, failWith("Busy"), "FAILED Busy why", time.Second},
		{"no attempts", `,"Retry":[{"ErrorEquals":["Busy"],"MaxAttempts":0}]`, failWith("Busy"), "FAILED Busy why", 0},
		{"caught by name", `,"Catch":[{"ErrorEquals":["Busy"],"Next":"B"}]`, failWith("Busy"), `{"Error":"Busy","Cause":"why"}`, 0},
		{"caught into a path", `,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B","ResultPath":"$.e"}]`, failWith("Busy"), `{"in":1,"e":{"Error":"Busy","Cause":"why"}}`, 0},
		{"caught as a failed task", `,"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"B"}]`, failWith("Busy"), `{"Error":"Busy","Cause":"why"}`, 0},
		{"a timeout is not a failed task", `,"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"B"}]`, failWith("States.Timeout"), "FAILED States.Timeout why", 0},
		{
			"an unnamed error is a failed task", `,"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"B"}]`,
			taskFunc(func(context.Context, asl.Task) (json.RawMessage, error) { return nil, errors.New("broken") }),
			`{"Error":"States.TaskFailed","Cause":"broken"}`, 0,
		},
		{
			"nothing catches States.Runtime",
			`,"ResultSelector":{"x.$":"$.missing"},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}]`,
			taskFunc(func(context.Context, asl.Task) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }),
			"FAILED States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). " +
				"The JSONPath '$.missing' specified for the field 'x.$' could not be found in the input '{}'", 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				result := parse(t, taskMachine(test.fields)).Run(t.Context(), asl.Execution{Input: []byte(`{"in":1}`), Tasks: test.tasks})
				if got := resultText(result); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if after := time.Since(start); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
			})
		})
	}
}

func TestTimeoutsEndTasksAndExecutions(t *testing.T) {
	hang := func(ctx context.Context, _ asl.Task) (json.RawMessage, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	// sendHeartbeats sends a heartbeat each second for five seconds, and none afterwards.
	sendHeartbeats := func(ctx context.Context, task asl.Task) (json.RawMessage, error) {
		for range 5 {
			time.Sleep(time.Second)
			task.Heartbeat()
		}
		return hang(ctx, task)
	}

	for _, test := range []struct {
		name   string
		fields string
		task   taskFunc
		want   string
		after  time.Duration
	}{
		{"timeout of the task", `,"TimeoutSeconds":3`, hang, "FAILED States.Timeout ", 3 * time.Second},
		{"timeout of the heartbeat", `,"HeartbeatSeconds":2`, hang, "FAILED States.Timeout ", 2 * time.Second},
		{"heartbeats restart the heartbeat timeout", `,"HeartbeatSeconds":2,"TimeoutSeconds":60`, sendHeartbeats, "FAILED States.Timeout ", 7 * time.Second},
		{"heartbeats do not restart the task timeout", `,"HeartbeatSeconds":2,"TimeoutSeconds":4`, sendHeartbeats, "FAILED States.Timeout ", 5 * time.Second},
		{"caught", `,"TimeoutSeconds":3,"Catch":[{"ErrorEquals":["States.Timeout"],"Next":"B"}]`, hang, `{"Error":"States.Timeout","Cause":""}`, 3 * time.Second},
		{"caught as States.HeartbeatTimeout", `,"HeartbeatSeconds":3,"Catch":[{"ErrorEquals":["States.HeartbeatTimeout"],"Next":"B"}]`, hang, `{"Error":"States.Timeout","Cause":""}`, 3 * time.Second},
		{"timeout of the machine", ``, hang, "TIMED_OUT  ", 100 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				// Sets the timeout of the machine itself.
				definition := strings.Replace(taskMachine(test.fields), "{", `{"TimeoutSeconds":100,`, 1)
				if got := resultText(parse(t, definition).Run(t.Context(), asl.Execution{Tasks: test.task})); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if after := time.Since(start); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
			})
		})
	}
}

func TestCancelledExecutionEndsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(&asl.Error{Name: "Stopped", Cause: "by the user"}) })

		m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[
			{"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":600,"End":true}}},
			{"StartAt":"C","States":{"C":{"Type":"Pass","End":true}}}]}}}`)
		if got, want := resultText(m.Run(ctx, asl.Execution{Record: h.record})), "ABORTED Stopped by the user"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if last := h.events[len(h.events)-1].Type; last != "ExecutionAborted" {
			t.Errorf("the last event is %s", last)
		}
	})
}

func TestExecutionFailsAtTheLimitsOfAWS(t *testing.T) {
	for _, test := range []struct{ name, definition, taskResult, want string }{
		{
			"events", `{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"Next":"B"}],"Default":"A"},"B":{"Type":"Succeed"}}}`, "",
			"FAILED States.Runtime The execution reached the maximum number of history events (25000).",
		},
		{
			// The text and its two quotation marks are one byte too long.
			"a result", taskMachine(""), `"` + strings.Repeat("x", 262_143) + `"`,
			"FAILED States.DataLimitExceeded The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.",
		},
		{
			"a result with white space", taskMachine(""), "1" + strings.Repeat(" ", 262_144),
			"FAILED States.DataLimitExceeded The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.",
		},
		{
			"an output", `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Output":"{% $pad('', 262144, 'x') %}","End":true}}}`, "",
			"FAILED States.DataLimitExceeded The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var h history
			result := parse(t, test.definition).Run(t.Context(), asl.Execution{
				Record: h.record,
				Tasks: taskFunc(func(context.Context, asl.Task) (json.RawMessage, error) {
					return json.RawMessage(test.taskResult), nil
				}),
			})

			if got := resultText(result); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if len(h.events) > 25_000 {
				t.Errorf("%d events", len(h.events))
			}
		})
	}
}

func TestMapRunsAtMostMaxConcurrencyIterations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu                  sync.Mutex
			running, maxRunning int
		)

		m := parse(t, `{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% [1..10] %}","MaxConcurrency":3,
			"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:111111111111:function:f",
			"Output":"{% $states.result * 2 %}","End":true}}},"End":true}}}`)
		start := time.Now()
		result := m.Run(t.Context(), asl.Execution{Tasks: taskFunc(func(_ context.Context, task asl.Task) (json.RawMessage, error) {
			mu.Lock()
			running++
			maxRunning = max(maxRunning, running)
			mu.Unlock()

			time.Sleep(time.Second)

			mu.Lock()
			running--
			mu.Unlock()
			return task.Arguments, nil
		})})

		if got, want := resultText(result), "[2,4,6,8,10,12,14,16,18,20]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if took := time.Since(start); maxRunning != 3 || took != 4*time.Second {
			t.Errorf("%d at once in %v, want 3 in 4s", maxRunning, took)
		}
	})
}

func TestHistoryRecordsTheEventsOfATask(t *testing.T) {
	var h history
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
		"TimeoutSeconds":5,"Parameters":{"T.$":"$$.Task.Token"},"Assign":{"x.$":"$.ok"},"End":true}}}`).Run(t.Context(), asl.Execution{
		ID: "arn:aws:states:eu-central-1:111111111111:execution:m:e", RoleARN: "role", Start: start, Record: h.record,
		Tasks: taskFunc(func(_ context.Context, task asl.Task) (json.RawMessage, error) {
			if task.Token == "" || string(task.Arguments) != `{"T":"`+task.Token+`"}` {
				t.Errorf("arguments %s, token %q", task.Arguments, task.Token)
			}
			task.Submitted(json.RawMessage(`{"MessageId":"1"}`))
			return json.RawMessage(`{"ok":true}`), nil
		}),
	})

	want := "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskSucceeded TaskStateExited ExecutionSucceeded"
	if got := h.eventTypes(); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}

	for i, e := range h.events {
		follows := int64(i)
		if e.Type == "TaskStateEntered" {
			follows = 0
		}
		if e.ID != int64(i+1) || e.PreviousID != follows {
			t.Errorf("event %d has ID %d after %d", i+1, e.ID, e.PreviousID)
		}
	}

	exited := map[string]any{"stateExitedEventDetails": map[string]any{
		"name": "A", "output": `{"ok":true}`, "outputDetails": map[string]any{"truncated": false},
		"assignedVariables": map[string]any{"x": "true"}, "assignedVariablesDetails": map[string]any{"truncated": false},
	}}
	if diff := cmp.Diff(exited, h.events[6].Details.Map()); diff != "" {
		t.Error(diff)
	}

	scheduled, _ := h.events[2].Details.Map()["taskScheduledEventDetails"].(map[string]any)
	delete(scheduled, "parameters") // They contain the task token, which is random.
	if diff := cmp.Diff(map[string]any{
		"resourceType": "sqs", "resource": "sendMessage.waitForTaskToken", "region": "eu-central-1", "timeoutInSeconds": int64(5),
	}, scheduled); diff != "" {
		t.Error(diff)
	}
}

func TestConcurrentExecutionsOfOneMachineDoNotInterfere(t *testing.T) {
	m := parse(t, `{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% [1..20] %}",
		"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","Assign":{"v":"{% $states.input %}"},"Next":"Q"},
		"Q":{"Type":"Pass","Output":"{% $map([$v], function($x) { $x ~> $string() }) & $states.context.Execution.Input.n %}","End":true}}},
		"Output":"{% $join($states.result, ' ') %}","End":true}}}`)

	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			want := make([]string, 20)
			for i := range want {
				want[i] = fmt.Sprintf("%d%d", i+1, n)
			}
			got := resultText(m.Run(t.Context(), asl.Execution{Input: fmt.Appendf(nil, `{"n":%d}`, n)}))
			if got != `"`+strings.Join(want, " ")+`"` {
				t.Errorf("got %s", got)
			}
		})
	}

	all.Wait()
}
