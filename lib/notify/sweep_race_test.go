package notify_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// nextARN is the execution that takes over the job of the execution arn.
const nextARN = "arn:aws:states:us-east-1:123456789012:execution:m:next"

// takenOverFeed is a feed that calls its function then between the first read of a job and the return of the row.
type takenOverFeed struct {
	*feed.Memory

	then func() // nil after the first read
}

func (o *takenOverFeed) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	row, err := o.Memory.Job(ctx, owner, job)
	if then := o.then; then != nil {
		o.then = nil
		then()
	}

	return row, err
}

// TestTheEndOfOneExecutionLeavesTheJobOfTheNext: the next execution takes the job over after the sweeper has read the job, and before
// the sweeper writes the end.
func TestTheEndOfOneExecutionLeavesTheJobOfTheNext(t *testing.T) {
	for name, epochs := range map[string][2]string{
		"two in one epoch":     {redriven, redriven},
		"two without an epoch": {"", ""},
		"a newer epoch":        {"1999-12-31T10:00:00.000Z#0000", redriven},
	} {
		for by, event := range map[string]string{"an event": statusChange(arn, "FAILED", 1), "a sweep": schedule} {
			t.Run(name+", by "+by, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					memory, to := &feed.Memory{}, newTabs()
					publish(t, newNotifier(t, memory, newTabs()), inEpoch(runningAt(42), epochs[0]))
					time.Sleep(time.Hour)
					next := newNotifier(t, memory, newTabs())
					f := &takenOverFeed{Memory: memory, then: func() {
						publish(t, next, inEpoch(ofNextExecution(runningAt(50)), epochs[1]))
					}}
					w := &workflows{answers: map[string]notify.Workflow{arn: {Status: "FAILED", RedriveCount: 1}, nextARN: {Status: "RUNNING"}}}
					s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: f, Workflows: w}
					if err := s.Handle(t.Context(), json.RawMessage(event)); err != nil {
						t.Fatal(err)
					}
					row, err := memory.Job(t.Context(), feed.User("u1"), "j")
					if err != nil || row.Terminal() || row.Execution != nextARN {
						t.Errorf("the job of the next execution is %+v, %v", row, err)
					}
					end := withState(runningAt(60), func(p *message.UploadProgress) { p.Status = message.StatusSucceeded })
					publish(t, next, inEpoch(ofNextExecution(end), epochs[1]))
					if row, err = memory.Job(t.Context(), feed.User("u1"), "j"); err != nil || row.State.Status != message.StatusSucceeded {
						t.Errorf("the job after the next execution's own end is %+v, %v", row, err)
					}
				})
			})
		}
	}
}

func ofNextExecution(r message.Request) message.Request { return ofExecution(r, nextARN) }
