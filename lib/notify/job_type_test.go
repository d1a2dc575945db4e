package notify_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// asJob returns r with its state as the type job_progress.
func asJob(r message.Request) message.Request {
	state, _ := message.AsUploadProgress(r.Message)
	r.Message = message.AsType(message.TypeJobProgress, state)

	return r
}

// withStatus returns r with another status.
func withStatus(r message.Request, status message.Status) message.Request {
	return withState(r, func(p *message.UploadProgress) { p.Status = status })
}

// TestAJobThatIsNoFileIsStoredCoalescedAndSwept publishes states of the type job_progress, and ends the job with its execution.
func TestAJobThatIsNoFileIsStoredCoalescedAndSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		publish(t, n, asJob(runningAt(10)))
		publish(t, n, asJob(runningAt(10.1))) // is not pushed
		part := asJob(runningAt(0))
		part.Part = &message.Part{ID: "1", Done: 1, Total: 2}
		time.Sleep(time.Minute)
		publish(t, n, part)
		sweeper := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		if err := sweeper.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 0))); err != nil {
			t.Fatal(err)
		}
		var got []message.Data
		for _, e := range to.received() {
			got = append(got, e.Data)
			if e.Type != message.TypeJobProgress || e.Job != "j" {
				t.Errorf("a frame of the type %s and the job %q", e.Type, e.Job)
			}
		}
		job := message.JobProgress{JobID: "j", Title: "f.csv", Progress: 10, Message: "m", Phase: "p"}
		half, failed := job, job
		half.Progress = 50
		failed.Progress, failed.Status, failed.Message = 50, message.StatusFailed, "The workflow failed"
		if diff := cmp.Diff([]message.Data{job, half, failed}, got); diff != "" {
			t.Errorf("frames (-want +got):\n%s", diff)
		}
	})
}

// TestTheEndOfAnExecutionIsNoAttempts: no attempt continues a job after its execution has ended.
func TestTheEndOfAnExecutionIsNoAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		attempt := func(number int64) message.Request {
			return withState(runningAt(10), func(p *message.UploadProgress) { p.Attempt, p.Of = number, 3 })
		}
		publish(t, n, attempt(1))
		sweeper := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		if err := sweeper.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 0))); err != nil {
			t.Fatal(err)
		}
		publish(t, n, attempt(2))
		if row := jobRow(t, memory); row.State.Status != message.StatusFailed || row.State.Attempt != 0 || row.Seq != 2 {
			t.Errorf("the row is %+v", row)
		}
	})
}

func TestAnotherStatusIsPushedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newTabs()
		n := newNotifier(t, &feed.Memory{}, to)
		statuses := []message.Status{message.StatusQueued, "", message.StatusWaiting, message.StatusRunning, message.StatusRetrying, message.StatusStalled, message.StatusRunning}
		for i, status := range statuses {
			publish(t, n, withStatus(stateAt(float64(i)/10), status))
			time.Sleep(ms)
			publish(t, n, withStatus(stateAt(float64(i)/10), status)) // is not pushed
		}
		var got []message.Status
		for _, e := range to.received() {
			state, _ := message.AsUploadProgress(e.Data)
			got = append(got, state.Status)
		}
		if diff := cmp.Diff(statuses, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}
