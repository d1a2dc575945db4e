package notify_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics/metricstest"
	"github.com/herald-progress/herald/lib/notify"
)

func TestPostsAndTheTimeUntilTheLastOneAreMeasured(t *testing.T) {
	slowly := func() *tabs {
		to := newTabs()
		to.delay = func() time.Duration { return 40 * ms }
		return to
	}
	failing := func(err error) func() *tabs {
		return func() *tabs {
			to := newTabs()
			to.err = err
			return to
		}
	}
	for name, tt := range map[string]struct {
		to     func() *tabs
		user   string
		before bool // a state was pushed just before, so that the request is coalesced
		want   map[string][]float64
	}{
		"two tabs get it":         {slowly, "u1", false, map[string][]float64{"Delivered": {2}, "PublishToPost": {40}}},
		"nobody is connected":     {slowly, "nobody", false, map[string][]float64{}},
		"the tabs are gone":       {failing(broadcast.ErrGone), "u1", false, map[string][]float64{"ConnectionsGone": {2}}},
		"posts are refused":       {failing(errDown), "u1", false, map[string][]float64{"DeliveriesFailed": {2}, "PublishToPost": {0}}},
		"the state is coalesced":  {slowly, "u1", true, map[string][]float64{}},
		"the message is rejected": {slowly, "", false, map[string][]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := metricstest.NewLog()
				n := newNotifier(t, &feed.Memory{}, tt.to())
				r := stateAt(1)
				if tt.before {
					publish(t, n, r)
				}
				n.Metrics = log
				r = stateAt(1.5)
				r.UserID = tt.user
				if err := n.Publish(t.Context(), r); (err != nil) != (tt.user == "") {
					t.Error(err)
				}
				if diff := cmp.Diff(tt.want, log.Take(t)); diff != "" {
					t.Errorf("metrics (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestTheTimeToPostIncludesTheWaitForTheNextPush publishes a state whose push is 100 ms away.
func TestTheTimeToPostIncludesTheWaitForTheNextPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := metricstest.NewLog()
		n := newNotifier(t, &feed.Memory{}, newTabs())
		publish(t, n, stateAt(1))
		time.Sleep(150 * ms)
		n.Metrics = log
		publish(t, n, stateAt(10))
		want := map[string][]float64{"Delivered": {2}, "PublishToPost": {100}}
		if diff := cmp.Diff(want, log.Take(t)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// TestSweeperCountsTheJobsForWhichNoEventCame checks that a job counts once if a sweep ends it whose execution has ended, and not if an
// event ends it, or if EventBridge sends no event about its execution.
func TestSweeperCountsTheJobsForWhichNoEventCame(t *testing.T) {
	for name, tt := range map[string]struct {
		event  string
		silent time.Duration
		now    notify.Workflow
		want   []float64
	}{
		"a sweep finds it":                     {schedule, time.Hour, notify.Workflow{Status: "FAILED"}, []float64{1}},
		"an event ends it":                     {statusChange(arn, "FAILED", 0), time.Hour, notify.Workflow{Status: "FAILED"}, nil},
		"it runs":                              {schedule, time.Hour, notify.Workflow{Status: "RUNNING"}, nil},
		"nobody knows its execution":           {schedule, time.Hour, notify.Workflow{}, nil},
		"the execution that took over is mute": {schedule, feed.JobTTL + ms, notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, log := &feed.Memory{}, metricstest.NewLog()
				publish(t, newNotifier(t, memory, newTabs()), runningAt(42))
				time.Sleep(tt.silent)
				n := newNotifier(t, memory, newTabs())
				n.Metrics = log
				w := &workflows{answers: map[string]notify.Workflow{}}
				if tt.now.Status != "" {
					w.answers[arn] = tt.now
				}
				s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: w}
				for range 2 {
					if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(tt.want, log.Take(t)["SweeperFinds"]); diff != "" {
					t.Errorf("finds (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestAFrameNamesTheTraceOfTheRequestThatPushedIt posts a state and a note of one request's context, and a state without a trace.
func TestAFrameNamesTheTraceOfTheRequestThatPushedIt(t *testing.T) {
	const id = "1-5759e988-bd862e3fe1be46a994272793"
	type traceKey struct{}
	to := newTabs()
	n := newNotifier(t, &feed.Memory{}, to)
	publish(t, n, stateAt(1))
	n.Trace = func(ctx context.Context) string {
		trace, _ := ctx.Value(traceKey{}).(string)
		return trace
	}
	ctx := context.WithValue(t.Context(), traceKey{}, id)
	for _, r := range []message.Request{
		endedWith(message.StatusSucceeded),
		{UserID: "u1", Message: message.Notification{Title: "t", Message: "m", Severity: "info"}},
		{ConnectionID: "c1", Message: message.Notification{Title: "t", Message: "m", Severity: "info"}},
	} {
		if err := n.Publish(ctx, r); err != nil {
			t.Error(err)
		}
	}
	publish(t, n, message.Request{UserID: "u1", Message: message.Notification{Title: "t", Message: "m", Severity: "info"}})
	var got []string
	for _, e := range to.received() {
		got = append(got, e.Trace)
	}
	if diff := cmp.Diff([]string{"", id, id, id, ""}, got); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}
