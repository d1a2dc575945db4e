package statemachines_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// fourRows is a file of four rows; the third is rejected.
const fourRows = "part,color,quantity\n3001,Red,1\n3002,Blue,2\n3003,Red,\n3004,Red,4\n"

func TestCSVImportSendsEpochs(t *testing.T) {
	// A synctest bubble begins at midnight on 1 January 2000, and the ARN ends with the start of the execution in nanoseconds.
	const arn = "arn:aws:states:eu-central-1:123456789012:execution:csv_import:946684800192000000"
	for _, tt := range []struct {
		name, content string
		redrives      int
		express       bool
		after         time.Duration // from the start of the bubble to the start of the execution
		arn, epoch    string
		states        []string // the states that call a function, in order
	}{
		{
			name: "success", content: fourRows, after: 192 * time.Millisecond, arn: arn, epoch: "2000-01-01T00:00:00.192Z#0000",
			states: []string{"Plan", "NotifyStarted", "Chunk", "Chunk", "Finish", "NotifyComplete", "NotifyResult"},
		},
		{
			name: "failure", content: "part\n", after: 192 * time.Millisecond, arn: arn, epoch: "2000-01-01T00:00:00.192Z#0000",
			states: []string{"Plan", "Identify", "NotifyFailed", "NotifyError"},
		},
		{
			name: "redriven", content: fourRows, redrives: 12, after: 192 * time.Millisecond, arn: arn, epoch: "2000-01-01T00:00:00.192Z#0012",
			states: []string{"Plan", "NotifyStarted", "Chunk", "Chunk", "Finish", "NotifyComplete", "NotifyResult"},
		},
		{
			name: "a start without milliseconds", content: fourRows, after: time.Second,
			arn: strings.Replace(arn, "800192", "801000", 1), epoch: "2000-01-01T00:00:01.000Z#0000",
			states: []string{"Plan", "NotifyStarted", "Chunk", "Chunk", "Finish", "NotifyComplete", "NotifyResult"},
		},
		{
			name: "no redrive count", content: "part\n", express: true, after: 192 * time.Millisecond,
			arn: strings.Replace(arn, ":execution:", ":express:", 1), epoch: "2000-01-01T00:00:00.192Z#0000",
			states: []string{"Plan", "Identify", "NotifyFailed", "NotifyError"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, redrives: tt.redrives, express: tt.express}
				time.Sleep(tt.after)
				run := w.run(tt.content, csvimport.UploadKey("auth0|1", "up", "f.csv"))
				var states []string
				for _, c := range run.Calls() {
					states = append(states, c.State)
					if strings.HasPrefix(c.State, "Notify") {
						checkNotification(t, c, tt.arn, tt.epoch)
					} else {
						checkStep(t, c, tt.arn, tt.epoch)
					}
				}
				if diff := cmp.Diff(tt.states, states); diff != "" {
					t.Errorf("states that call (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// checkNotification checks the epoch, the execution and the idempotency key of a call of the notifier.
func checkNotification(t *testing.T, c asltest.Call, arn, epoch string) {
	t.Helper()
	r, err := notify.Decode(c.Arguments)
	if err != nil {
		t.Fatalf("%s sends %s: %v", c.State, c.Arguments, err)
	}
	execution := ""
	if _, ok := message.AsUploadProgress(r.Message); ok {
		execution = arn
	}
	if r.Epoch != epoch || r.Execution != execution || r.Part != nil {
		t.Errorf("%s sends epoch %s, execution %q, part %v, want %s, %q, none", c.State, r.Epoch, r.Execution, r.Part, epoch, execution)
	}
	if !strings.HasPrefix(r.Key, arn+"/"+c.State+"/2000-01-01T00:00:0") || !strings.HasSuffix(r.Key, "Z/") {
		t.Errorf("%s has the key %s, want execution, state, time", c.State, r.Key)
	}
}

// checkStep checks the epoch and the execution in the input of a step of the import.
func checkStep(t *testing.T, c asltest.Call, arn, want string) {
	t.Helper()
	var in struct{ Step, Epoch, Execution string }
	if err := json.Unmarshal(c.Arguments, &in); err != nil {
		t.Fatalf("%s sends %s: %v", c.State, c.Arguments, err)
	}
	if in.Step == csvimport.StepIdentify {
		if in.Execution != "" {
			t.Errorf("%s sends the execution in %s, but this step publishes nothing", c.State, c.Arguments)
		}
		in.Execution = arn
	}
	if epoch, err := message.NormalizeEpoch(in.Epoch); err != nil || epoch != want || in.Execution != arn {
		t.Errorf("%s sends epoch %s, execution %s, error %v, want %s, %s", c.State, in.Epoch, in.Execution, err, want, arn)
	}
}

func TestRetriedNotificationHasTheSameKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, functionErrors: map[string]error{"Notifier": crash("StoreError", "x")}, failingCalls: 2}
		run := w.run(fourRows, csvimport.UploadKey("auth0|1", "up", "f.csv"))
		keys := map[string]string{}
		tries := map[string]int{}
		for _, c := range run.Calls("Notifier") {
			r, err := notify.Decode(c.Arguments)
			if err != nil {
				t.Fatalf("%s sends %s: %v", c.State, c.Arguments, err)
			}
			if previous, ok := keys[c.State]; ok && previous != r.Key {
				t.Errorf("%s is retried with the key %s, want the previous key %s", c.State, r.Key, previous)
			}
			keys[c.State] = r.Key
			tries[c.State]++
		}
		if diff := cmp.Diff(map[string]int{"NotifyStarted": 3, "NotifyComplete": 1, "NotifyResult": 1}, tries); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
	})
}

func TestRedrivenImportStartsANewRun(t *testing.T) {
	const arn = "arn:aws:states:eu-central-1:123456789012:execution:csv_import:946684800000000000"
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, functionErrors: map[string]error{"CsvFinish": crash("Unknown", "x")}}
		key := csvimport.UploadKey("auth0|1", "up", "f.csv")
		checkJob := func(status message.Status, progress float64) feed.Row {
			t.Helper()
			row, err := w.feed.Job(t.Context(), feed.User("auth0|1"), "up")
			if err != nil || row.State.Status != status || row.VisibleState().Progress != progress || row.Execution != arn {
				t.Fatalf("job is %+v, error %v, want it %s at %v percent", row, err, status, progress)
			}
			return row
		}
		if r := w.run(fourRows, key); r.Status != asl.StatusFailed {
			t.Fatalf("execution ends %s with %v, want a failure", r.Status, r.Error)
		}
		failed := checkJob(message.StatusFailed, 95) // The progress of its parts, although the workflow sends 0 with the failure.
		if failed.PartsDone != 4 || failed.PartsFailed != 1 || len(failed.Parts) != 2 {
			t.Errorf("parts of %+v have %d rows, %d failed, want 4 and 1", failed, failed.PartsDone, failed.PartsFailed)
		}
		time.Sleep(time.Minute)
		w.functionErrors, w.redrives = nil, 1
		if r := w.run(fourRows, key); r.Status != asl.StatusSucceeded {
			t.Fatalf("redriven execution ends %s with %v", r.Status, r.Error)
		}
		if done := checkJob(message.StatusSucceeded, 100); !done.Newer(failed.Epoch, failed.Seq) || done.Epoch == failed.Epoch {
			t.Errorf("redriven job has epoch %s, before it %s, want a newer one", done.Epoch, failed.Epoch)
		}
	})
}
