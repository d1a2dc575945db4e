package notify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// The ARNs of the tasks in the events of testdata/taskevents.
const (
	ecsTask         = "arn:aws:ecs:us-west-2:111122223333:task/FargateCluster/c13b4cb40f1f4fe4a2971f76ae5a47ad"
	batchJob        = "arn:aws:batch:us-east-1:123456789012:job/4c7599ae-0a82-49aa-ba5a-4727fcce14a8"
	mediaConvertJob = "arn:aws:mediaconvert:us-west-2:111122223333:jobs/1515368087458-qnoxtd"
)

// taskEvent returns an event of testdata/taskevents, whose form is that of the documentation, after replacements of texts by others.
func taskEvent(tb testing.TB, name string, replacements ...string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata/taskevents", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(string(text), replacements[i]) {
			tb.Fatalf("%s has no %s", name, replacements[i])
		}
	}
	return strings.NewReplacer(replacements...).Replace(string(text))
}

// TestJobsEndWithTheirTasks publishes a state of a job that names a task as its execution, and gives the sweeper an event three times.
func TestJobsEndWithTheirTasks(t *testing.T) {
	const running, succeeded, failed, cancelled = message.StatusRunning, message.StatusSucceeded, message.StatusFailed, message.StatusCancelled
	sidecar := func(code string) string {
		return `"exitCode": 0, "taskArn": "x"}, {"name": "sidecar", "exitCode": ` + code
	}
	for _, tt := range []struct {
		name, task, event string
		want              message.Status
		text              string
	}{
		{"ECS: running", ecsTask, taskEvent(t, "ecs-running"), running, "m"},
		{"ECS: stopping", ecsTask, taskEvent(t, "ecs-stopped", `"lastStatus": "STOPPED"`, `"lastStatus": "DEPROVISIONING"`), running, "m"},
		{"ECS: exited with 0", ecsTask, taskEvent(t, "ecs-stopped"), succeeded, "Done"},
		{"ECS: exited with 1", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, `"exitCode": 1`), failed, "The task failed: Essential container in task exited; FargateApp: exit code 1"},
		{"ECS: a sidecar was stopped", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, sidecar("143")), succeeded, "Done"},
		{"ECS: a sidecar failed", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, sidecar("2")), failed, "The task failed: Essential container in task exited; sidecar: exit code 2"},
		{"ECS: a sidecar ended well", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, `"exitCode": 0, "taskArn": "x"}, {"name": "app", "exitCode": 3`), failed, "The task failed: Essential container in task exited; app: exit code 3"},
		{"ECS: out of memory", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, `"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"`), failed, "The task failed: Essential container in task exited; FargateApp: OutOfMemoryError: Container killed due to memory usage"},
		{"ECS: killed", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, `"exitCode": 137`), failed, "The task failed: Essential container in task exited"},
		{"ECS: not started", ecsTask, taskEvent(t, "ecs-stopped", `"exitCode": 0`, `"cpu": "0"`, "EssentialContainerExited", "TaskFailedToStart", "Essential container in task exited", "CannotPullContainerError"), failed, "The task failed: CannotPullContainerError"},
		{"ECS: stopped by a user", ecsTask, taskEvent(t, "ecs-stopped", "EssentialContainerExited", "UserInitiated", "Essential container in task exited", "Task stopped by user"), cancelled, "The task was stopped: Task stopped by user"},
		{"ECS: interrupted", ecsTask, taskEvent(t, "ecs-stopped", "EssentialContainerExited", "SpotInterruption", "Essential container in task exited", "Your Spot Task was interrupted."), failed, "The task failed: Your Spot Task was interrupted."},
		{"ECS: another task", ecsTask, taskEvent(t, "ecs-stopped", "c13b4cb40f1f4fe4a2971f76ae5a47ad", "0"), running, "m"},

		{"Batch: waits", batchJob, taskEvent(t, "batch-runnable"), running, "m"},
		{"Batch: succeeded", batchJob, taskEvent(t, "batch-runnable", "RUNNABLE", "SUCCEEDED"), succeeded, "Done"},
		{"Batch: failed", batchJob, taskEvent(t, "batch-failed"), failed, "The job failed: Essential container in task exited"},
		{"Batch: failed, an older event", batchJob, taskEvent(t, "batch-failed", `"jobArn": "`+batchJob+`",`, ""), failed, "The job failed: Essential container in task exited"},
		{"Batch: failed without a reason", batchJob, taskEvent(t, "batch-failed", "Essential container in task exited", ""), failed, "The job failed"},
		{"Batch: terminated", batchJob, taskEvent(t, "batch-failed", `"isTerminated": false`, `"isTerminated": true`, "Essential container in task exited", "by hand"), cancelled, "The job was stopped: by hand"},
		{"Batch: cancelled", batchJob, taskEvent(t, "batch-failed", `"isCancelled": false`, `"isCancelled": true`), cancelled, "The job was stopped: Essential container in task exited"},

		{"MediaConvert: progressing", mediaConvertJob, taskEvent(t, "mediaconvert-error", "ERROR", "PROGRESSING"), running, "m"},
		{"MediaConvert: a status update", mediaConvertJob, taskEvent(t, "mediaconvert-error", "ERROR", "STATUS_UPDATE"), running, "m"},
		{"MediaConvert: complete", mediaConvertJob, taskEvent(t, "mediaconvert-complete"), succeeded, "Done"},
		{"MediaConvert: error", mediaConvertJob, taskEvent(t, "mediaconvert-error"), failed, "The job failed: Example error message"},
		{"MediaConvert: canceled", mediaConvertJob, taskEvent(t, "mediaconvert-error", "ERROR", "CANCELED"), cancelled, "The job was stopped"},
		{"MediaConvert: in China", strings.Replace(mediaConvertJob, "arn:aws:", "arn:aws-cn:", 1), taskEvent(t, "mediaconvert-error", "arn:aws:", "arn:aws-cn:"), failed, "The job failed: Example error message"},

		{"a long reason", batchJob, taskEvent(t, "batch-failed", "Essential container in task exited", strings.Repeat("x", 5000)), failed, "The job failed: " + strings.Repeat("x", 2000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				state := ofExecution(inEpoch(stateAt(42), redriven), tt.task) // A task may work for a redriven workflow.
				publish(t, newNotifier(t, memory, newTabs()), withState(state, func(p *message.UploadProgress) {
					p.Steps = message.NewSteps(message.Step{Name: "transcode"})
				}))
				w := &workflows{}
				s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: memory, Workflows: w}
				var seq int64
				for n := range 3 {
					if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
						t.Fatal(err)
					}
					row := jobRow(t, memory)
					if n > 0 && row.Seq != seq {
						t.Errorf("the event was applied %d times", n+1)
					}
					seq = row.Seq
				}
				end := jobRow(t, memory).State
				if got := end.Status; got.Other(tt.want) || !strings.HasPrefix(end.Message, tt.text) || end.FileName != "f.csv" || end.Steps == "" {
					t.Errorf("the job is %+v, want %s %q", end, tt.want, tt.text)
				}
				if len(tt.text) < 100 && end.Message != tt.text {
					t.Errorf("the message is %q, want %q", end.Message, tt.text)
				}
				if _, stays := pointerOf(t, memory, tt.task); stays != (tt.want == running) {
					t.Errorf("the pointer of the task stays: %v", stays)
				}
				if len(w.asked) > 0 {
					t.Errorf("Step Functions is asked about %v", w.asked)
				}
			})
		})
	}
}

// pointerOf returns a pointer of an execution, and whether there is one.
func pointerOf(t *testing.T, f feed.Pointers, execution string) (feed.Pointer, bool) {
	t.Helper()
	for p, err := range f.PointersOf(t.Context(), execution) {
		if err != nil {
			t.Fatal(err)
		}
		return p, true
	}
	return feed.Pointer{}, false
}

// TestTheWorkersOwnEndStays: the worker's end of the job says more than the event.
func TestTheWorkersOwnEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		publish(t, n, ofExecution(stateAt(42), ecsTask))
		s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		handled := make(chan error)
		go func() { handled <- s.Handle(t.Context(), json.RawMessage(taskEvent(t, "ecs-stopped"))) }()
		time.Sleep(time.Second) // The end is on its way.
		publish(t, n, withState(ofExecution(stateAt(100), ecsTask), func(p *message.UploadProgress) {
			p.Status, p.Message = message.StatusSucceeded, "Made 3 thumbnails"
		}))
		if err := <-handled; err != nil {
			t.Fatal(err)
		}
		if got := jobRow(t, memory).State.Message; got != "Made 3 thumbnails" {
			t.Errorf("the job ends with %q", got)
		}
	})
}

// TestAJobOfATaskWithoutARuleEndsAfterADay: nobody can be asked about a task, so the sweeper waits for its event, and gives the job up
// after a day of silence.
func TestAJobOfATaskWithoutARuleEndsAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		publish(t, n, ofExecution(stateAt(42), ecsTask))
		w := &workflows{}
		s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: w}
		for _, tt := range []struct {
			silence time.Duration
			want    message.Status
		}{{feed.JobTTL, ""}, {time.Minute, message.StatusFailed}} {
			time.Sleep(tt.silence)
			if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
				t.Fatal(err)
			}
			if got := jobRow(t, memory).State.Status; got != tt.want {
				t.Errorf("the job is %q, want %q", got, tt.want)
			}
		}
		if len(w.asked) > 0 {
			t.Errorf("Step Functions is asked about %v", w.asked)
		}
	})
}

func TestAnEventWithoutATaskIsAnError(t *testing.T) {
	for _, kind := range []string{"ECS Task State Change", "Batch Job State Change", "MediaConvert Job State Change"} {
		for _, detail := range []string{`{}`, `null`, `[]`, `"x"`, `{"status":"FAILED","lastStatus":"STOPPED"}`, `{"taskArn":7,"jobArn":7,"jobId":7}`,
			`{"taskArn":"` + arn + `","jobArn":"` + arn + `","jobId":":","lastStatus":"STOPPED","status":"FAILED"}`,
		} {
			s := &notify.Sweeper{Notifier: newNotifier(t, &feed.Memory{}, newTabs()), Feed: &feed.Memory{}, Workflows: &workflows{}}
			event := fmt.Sprintf(`{"detail-type":%q,"detail":%s}`, kind, detail)
			if err := s.Handle(t.Context(), json.RawMessage(event)); err == nil || !strings.Contains(err.Error(), "names no execution") {
				t.Errorf("%s: %v", event, err)
			}
		}
	}
}

// FuzzTaskEvents checks that no event makes the sweeper panic, and that only the event of the job's own task ends it.
func FuzzTaskEvents(f *testing.F) {
	for _, name := range []string{"ecs-running", "batch-runnable", "batch-failed", "mediaconvert-complete", "mediaconvert-error"} {
		f.Add([]byte(taskEvent(f, name)))
	}
	f.Add([]byte(taskEvent(f, "ecs-stopped", `"exitCode": 0`, `"exitCode": 1`)))
	f.Fuzz(func(t *testing.T, event []byte) {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		publish(t, n, ofExecution(stateAt(42), ecsTask))
		_ = (&notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}).Handle(t.Context(), event)
		if row := jobRow(t, memory); row.Terminal() && !strings.Contains(string(event), "c13b4cb40f1f4fe4a2971f76ae5a47ad") && !strings.Contains(string(event), `\u`) {
			t.Errorf("%q ended the job", event)
		}
	})
}
