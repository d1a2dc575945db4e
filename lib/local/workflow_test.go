package local_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
)

// workflow is the definition of a state machine that reports a job's state, with the message "Working", and then calls the function
// csvplan. Tests replace this function by the work that they need. The first %s stands for further fields of the state machine,
// and the second %s for further fields of the task Work.
const workflow = `{"QueryLanguage":"JSONata","StartAt":"Say",%s"States":{
  "Say":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":{"FunctionName":"${NotifierFunctionArn}","Payload":{
    "userId":"ann","epoch":"{%% $states.context.Execution.StartTime %%}","execution":"{%% $states.context.Execution.Id %%}",
    "message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"f.csv","progress":10,"message":"Working"}}}},"Next":"Work"},
  "Work":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",%s"Arguments":{"FunctionName":"${CsvPlanFunctionArn}"},"End":true}}}`

// startWorkflow starts a twin with the workflow, whose task Work calls work, and starts an execution. It returns the twin and the
// execution's ARN.
func startWorkflow(t *testing.T, machineFields, taskFields string, work func(context.Context) error) (*local.Twin, string) {
	t.Helper()
	twin, err := local.Start(t.Context(), local.Config{
		StateMachines: map[string]string{"mine": fmt.Sprintf(workflow, machineFields, taskFields)}, Functions: map[string]any{"csvplan": work},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	out, err := sfn.NewFromConfig(twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(states.StateMachineARN("mine")),
	})
	if err != nil {
		t.Fatal(err)
	}

	return twin, aws.ToString(out.ExecutionArn)
}

// untilCancelled works until its context ends.
func untilCancelled(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// synced sends a sync and returns the frames that answer it, up to synced. States that are pushed meanwhile are not among them.
func synced(t *testing.T, c *client.Conn) []message.Envelope {
	t.Helper()
	if err := c.Send(t.Context(), `{"action":"sync"}`); err != nil {
		t.Fatal(err)
	}
	frames := until(t, c, func(e message.Envelope) bool { return e.Type == message.TypeSynced })
	pushed := func(e message.Envelope) bool { return e.Job != "" && !e.Replayed }

	return slices.DeleteFunc(frames, pushed)
}

// untilJob waits until the feed has the job of the workflow, which has just been started.
func untilJob(t *testing.T, twin *local.Twin) {
	t.Helper()
	for ; ; time.Sleep(100 * time.Millisecond) { // more connections would soon be refused
		if frames := synced(t, openTab(t, twin, "ann")); frames[len(frames)-1].Data.(message.Synced).Jobs == 1 {
			return
		}
	}
}

// TestEveryJobEndsWithItsWorkflow ends workflows in ways in which they cannot report their own end.
func TestEveryJobEndsWithItsWorkflow(t *testing.T) {
	t.Parallel() // its cases wait
	for name, tt := range map[string]struct {
		machineFields, taskFields string
		work                      func(context.Context) error
		stop                      bool
		status                    message.Status
		text                      string
		progress                  float64
	}{
		"it succeeds":            {work: func(context.Context) error { return nil }, status: message.StatusSucceeded, text: "Done", progress: 100},
		"it is stopped":          {work: untilCancelled, stop: true, status: message.StatusCancelled, text: "The workflow was stopped"},
		"its worker panics":      {work: func(context.Context) error { panic("out of order") }, status: message.StatusFailed, text: "The workflow failed"},
		"a task times out":       {taskFields: `"TimeoutSeconds":1,`, work: untilCancelled, status: message.StatusFailed, text: "The workflow failed"},
		"the workflow times out": {machineFields: `"TimeoutSeconds":10,`, work: untilCancelled, status: message.StatusFailed, text: "The workflow took too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twin, execution := startWorkflow(t, tt.machineFields, tt.taskFields, tt.work)
			ann := openTab(t, twin, "ann")
			if tt.stop {
				untilJob(t, twin)
				if _, err := sfn.NewFromConfig(twin.AWSConfig()).StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
					t.Fatal(err)
				}
			}
			if err := ann.Send(t.Context(), `{"action":"sync"}`); err != nil {
				t.Fatal(err)
			}
			until(t, ann, func(e message.Envelope) bool { // the end is in the answer to the sync, or it is pushed later
				state, ok := message.AsUploadProgress(e.Data)
				return ok && state.Status.Terminal()
			})
			want := message.UploadProgress{UploadID: "u-42", FileName: "f.csv", Progress: cmp.Or(tt.progress, 10), Message: tt.text, Status: tt.status}
			frames := synced(t, openTab(t, twin, "ann"))
			if len(frames) != 3 {
				t.Fatalf("a sync brings %v, want welcome, the job's state, synced", types(frames))
			}
			got := frames[1]
			if diff := gocmp.Diff(message.Data(want), got.Data); diff != "" {
				t.Errorf("the last state (-want +got):\n%s", diff)
			}
			if took := got.Timestamp.Sub(endTime(t, twin, execution)); took > patience {
				t.Errorf("the job ended %v after its workflow, want it at once, not with the sweeper's schedule", took)
			}
		})
	}
}

// endTime returns the time at which an execution ended.
func endTime(t *testing.T, twin *local.Twin, execution string) time.Time {
	t.Helper()
	out, err := sfn.NewFromConfig(twin.AWSConfig()).DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil || out.StopDate == nil {
		t.Fatalf("%+v, %v; want an execution that ended", out, err)
	}
	return *out.StopDate
}

// TestAStoppedImportIsCancelled stops an import while a tab is open.
func TestAStoppedImportIsCancelled(t *testing.T) {
	started := make(chan string, 1)
	twin, err := local.Start(t.Context(), local.Config{
		Functions: map[string]any{"csvfinish": untilCancelled}, // so that the import cannot end before it is stopped
		StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
			if x.StopDate.IsZero() {
				started <- x.ExecutionArn
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	ann := openTab(t, twin, "ann")
	putPartsList(t, twin, "ann", "u-42")
	until(t, ann, func(e message.Envelope) bool { return e.Data.(message.UploadProgress).Progress > 5 })
	execution := <-started
	if _, err := sfn.NewFromConfig(twin.AWSConfig()).StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	frames := until(t, ann, func(e message.Envelope) bool { return e.Data.(message.UploadProgress).Status.Terminal() })
	end := frames[len(frames)-1].Data.(message.UploadProgress)
	if end.Status != message.StatusCancelled || end.Message != "The workflow was stopped" || end.Progress <= 5 {
		t.Errorf("the last state is %+v, want cancelled", end)
	}
}

func TestStartRejectsAnInvalidStateMachine(t *testing.T) {
	_, err := local.Start(t.Context(), local.Config{StateMachines: map[string]string{"mine": `{"StartAt":"Nowhere","States":{}}`}})
	if err == nil || !strings.Contains(err.Error(), "state machine mine: ") {
		t.Errorf("Start returns %v, want the workflow's name", err)
	}
}
