package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// TestADurableExecutionEndsItsJob: the events have the form that Lambda documents.
func TestADurableExecutionEndsItsJob(t *testing.T) {
	const durable = "arn:aws:lambda:us-east-1:123456789012:function:agent:7/durable-execution/run-1/0a2b3c4d"
	for status, want := range map[string]message.Status{
		"RUNNING": message.StatusRunning, "SUCCEEDED": message.StatusSucceeded, "FAILED": message.StatusFailed, "TIMED_OUT": message.StatusFailed,
		"STOPPED": message.StatusCancelled,
	} {
		synctest.Test(t, func(t *testing.T) {
			memory := &feed.Memory{}
			r := withState(stateAt(1), func(p *message.UploadProgress) {
				p.Steps = message.NewSteps(message.Step{Name: "a", Status: message.StepRunning}, message.Step{Name: "b", Status: message.StepFailed})
			})
			r.Execution = durable
			publish(t, newNotifier(t, memory, newTabs()), r)
			s := &notify.Sweeper{Notifier: newNotifier(t, memory, newTabs()), Feed: memory}
			event := fmt.Sprintf(`{"source":"aws.lambda","detail-type":"Durable Execution Status Change","detail":{"durableExecutionArn":%q,`+
				`"durableExecutionName":"run-1","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:agent:7","status":%q,"startTimestamp":"1999-12-31T10:00:00Z"}}`,
				durable, status)
			if err := s.Handle(t.Context(), json.RawMessage(event)); err != nil {
				t.Fatal(err)
			}
			row := jobRow(t, memory)
			if row.State.Status != want && (row.State.Status != "" || want != message.StatusRunning) {
				t.Errorf("%s: the status is %q, want %q", status, row.State.Status, want)
			}
			for i, step := range row.State.Steps.List() {
				if row.Terminal() && (step.Status == message.StepRunning || i == 1 && step.Status != message.StepFailed) {
					t.Errorf("%s: the step %d is %s after the end", status, i, step.Status)
				}
			}
		})
	}
}
