package cloud_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/observe"
)

// watchedStates is how many states the executions in the rows of watched executions have. Each takes two seconds.
const watchedStates = 20

const (
	watchedMachine   = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
	watchedExecution = "arn:aws:states:us-east-1:123456789012:execution:m:run"
)

// shownWorkflow is a Step Functions with the definition of the watched execution.
type shownWorkflow struct{}

func (shownWorkflow) Execution(context.Context, string) (observe.Execution, error) {
	return observe.Execution{}, observe.ErrUnknown // the event of the start has the input
}

func (shownWorkflow) Definition(context.Context, message.Execution, string) (string, error) {
	states := map[string]any{}
	for n := range watchedStates {
		state := map[string]any{"Type": "Task", "Next": fmt.Sprint("Step ", n+1)}
		if n == watchedStates-1 {
			state = map[string]any{"Type": "Task", "End": true}
		}
		states[fmt.Sprint("Step ", n)] = state
	}
	text, err := json.Marshal(map[string]any{"StartAt": "Step 0", "States": states})
	return string(text), err
}

// watchExecution observes an execution by its logs. The log lines of each state come in a batch: the most batches that there are, because
// CloudWatch Logs sends those that come close together in one.
func (a *fakeAWS) watchExecution() {
	defer a.countMinutes(time.Now())
	o := &observe.Observer{
		Machines:  []observe.Machine{{ARN: watchedMachine, User: "$.userId"}},
		Store:     &dynamo.Executions{Client: a.feed.Client, Table: a.feed.Table},
		Workflows: shownWorkflow{}, Publisher: a.notifier, Log: a.log,
	}
	handle := func(event string) {
		a.invoke(func() error { return o.Handle(a.t.Context(), json.RawMessage(event)) })
	}
	handle(fmt.Sprintf(`{"detail-type":"Step Functions Execution Status Change","detail":{"executionArn":%q,"status":"RUNNING","startDate":%d,"input":%q,"redriveCount":0}}`,
		watchedExecution, time.Now().UnixMilli(), `{"userId":"u1"}`))
	id := 0
	line := func(kind string, name string) string {
		id++
		details := "{}"
		if name != "" {
			details = fmt.Sprintf(`{"name":%q}`, name)
		}
		text := fmt.Sprintf(`{"id":"%d","type":%q,"details":%s,"previous_event_id":"%d","event_timestamp":"%d","execution_arn":%q,"redrive_count":"0"}`,
			id, kind, details, id-1, time.Now().UnixMilli(), watchedExecution)
		a.add(usage{logged: len(text)}) // the log of the state machine costs, too
		return text
	}
	lines := []string{line("ExecutionStarted", "")}
	for n := range watchedStates {
		name := fmt.Sprint("Step ", n)
		lines = append(lines, line("TaskStateEntered", name), line("TaskScheduled", ""), line("TaskStarted", ""))
		handle(a.logEvent(lines))
		time.Sleep(2 * time.Second)
		lines = []string{line("TaskSucceeded", ""), line("TaskStateExited", name)}
	}
	handle(a.logEvent(append(lines, line("ExecutionSucceeded", ""))))
}

// logEvent returns the event of a subscription filter.
func (a *fakeAWS) logEvent(lines []string) string {
	var events []map[string]string
	for _, text := range lines {
		events = append(events, map[string]string{"message": text})
	}
	text, err := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "logEvents": events})
	if err != nil {
		a.t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return `{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString(b.Bytes()) + `"}}`
}

// notifyExecution runs an execution that notifies by a state of its own before each of its states, and at its end.
func (a *fakeAWS) notifyExecution() {
	defer a.countMinutes(time.Now())
	for n := range watchedStates + 1 {
		status := "running"
		if n == watchedStates {
			status = "succeeded"
		}
		request := fmt.Sprintf(`{"userId":"u1","epoch":"`+costEpoch+`","key":"run/Notify/%d","execution":%q,`+
			`"message":{"type":"job_progress","data":{"jobId":"run","title":"m","progress":%d,"message":"Step %[1]d","phase":"Step %[1]d","status":%[4]q}}}`,
			n, watchedExecution, n*100/watchedStates, status)
		a.invoke(func() error {
			_, err := a.notifier.Handle(a.t.Context(), json.RawMessage(strings.TrimSpace(request)))
			return err
		})
		a.add(usage{transitions: 1})
		time.Sleep(2 * time.Second)
	}
}
