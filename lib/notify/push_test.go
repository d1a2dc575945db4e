package notify_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// step is one update, at a time since the test began.
type step struct {
	at time.Duration
	r  message.Request
}

// push is one frame, at a time since the test began.
type push struct {
	At       time.Duration
	Seq      int64
	Progress float64
}

const ms = time.Millisecond

func TestCoalescing(t *testing.T) {
	phase := func(r message.Request, name string) message.Request {
		return with(r, func(p *message.UploadProgress) { p.Phase = name })
	}
	for _, tt := range []struct {
		name  string
		steps []step
		want  []push
	}{
		{"the first goes at once, the next when its turn comes", []step{{0, at(0)}, {10 * ms, at(5)}}, []push{{0, 1, 0}, {250 * ms, 2, 5}}},
		{"one push tells of all that wait", []step{
			{0, at(0)}, {10 * ms, at(5)}, {20 * ms, at(6)}, {249 * ms, at(7)},
		}, []push{{0, 1, 0}, {250 * ms, 4, 7}}},
		{"after silence at once", []step{{0, at(0)}, {time.Minute, at(0.1)}}, []push{{0, 1, 0}, {time.Minute, 2, 0.1}}},
		{"a percent after the interval at once", []step{{0, at(0)}, {700 * ms, at(1)}}, []push{{0, 1, 0}, {700 * ms, 2, 1}}},
		{"under a percent stays stored", []step{{0, at(0)}, {700 * ms, at(0.5)}}, []push{{0, 1, 0}}},
		{"under a percent waits where its turn is near", []step{{0, at(0)}, {1800 * ms, at(0.5)}}, []push{{0, 1, 0}, {2000 * ms, 2, 0.5}}},
		{"small steps make a percent", []step{
			{0, at(0)}, {410 * ms, at(0.4)}, {810 * ms, at(0.8)}, {1200 * ms, at(1.2)},
		}, []push{{0, 1, 0}, {1200 * ms, 4, 1.2}}},
		{"what stayed stored goes with the next push", []step{{0, at(0)}, {300 * ms, at(0.9)}, {310 * ms, at(0.5)}, {2500 * ms, at(0.1)}}, []push{
			{0, 1, 0}, {2500 * ms, 4, 0.9},
		}},
		{"a phase goes at once", []step{{0, at(0)}, {10 * ms, phase(at(1), "q")}, {20 * ms, phase(at(2), "r")}}, []push{
			{0, 1, 0}, {10 * ms, 2, 1}, {20 * ms, 3, 2},
		}},
		{"the end goes at once, and what waited has nothing to add", []step{
			{0, at(0)}, {10 * ms, at(50)}, {20 * ms, ended(message.StatusSucceeded)},
		}, []push{{0, 1, 0}, {20 * ms, 3, 100}}},
		{"four pushes a second", every(60*ms, 20, 2), []push{
			{0, 1, 0}, {250 * ms, 5, 8}, {500 * ms, 9, 16}, {750 * ms, 13, 24}, {1000 * ms, 17, 32}, {1250 * ms, 20, 38},
		}},
		{"one push in two seconds", every(110*ms, 45, 0.02), []push{{0, 1, 0}, {2000 * ms, 19, 0.36}, {4000 * ms, 37, 0.72}}},
		{"parts", []step{
			{0, part("a", 0, 100)}, {10 * ms, part("b", 10, 100)}, {20 * ms, part("a", 10, 100)}, {30 * ms, part("b", 30, 100)},
			{900 * ms, part("a", 20, 100)},
		}, []push{{0, 1, 0}, {250 * ms, 4, 40}, {900 * ms, 5, 50}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				run(t, memory, to, tt.steps)
				var got []push
				for _, p := range to.sent() {
					e, err := message.Parse([]byte(p.Frame))
					state, ok := message.AsUploadProgress(e.Data)
					if err != nil || !ok {
						t.Fatal(err)
					}
					got = append(got, push{p.At, e.Seq, state.Progress})
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("pushes (-want +got):\n%s", diff)
				}
				if got := row(t, memory).Seq; got != int64(len(tt.steps)) {
					t.Errorf("%d states are stored, want all %d", got, len(tt.steps))
				}
			})
		})
	}
}

// every returns n updates, each of which moves the progress on.
func every(pause time.Duration, n int, by float64) []step {
	var steps []step
	for i := range n {
		steps = append(steps, step{time.Duration(i) * pause, at(by * float64(i))})
	}

	return steps
}

// run makes the updates at their times, each in turn by one of four workers that share the feed.
func run(t *testing.T, f notify.Feed, to *tabs, steps []step) {
	t.Helper()
	var workers []*notify.Notifier
	for range 4 {
		workers = append(workers, worker(t, f, to))
	}
	var calls sync.WaitGroup
	for i, s := range steps {
		calls.Go(func() {
			time.Sleep(s.at)
			publish(t, workers[i%4], s.r)
		})
	}
	calls.Wait()
}

func TestAClockAheadDoesNotLoseAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		ahead, ours := worker(t, memory, to), worker(t, memory, to)
		ahead.Now = func() time.Time { return time.Now().Add(time.Minute) }
		publish(t, ahead, at(0))
		publish(t, ours, at(50))
		if posts := to.sent(); len(posts) != 2 || posts[1].At != message.MinPushInterval {
			t.Errorf("posts are %v, want the second after %v", posts, message.MinPushInterval)
		}
	})
}

func TestTheStateArrivesWhenTheClaimFails(t *testing.T) {
	for name, how := range map[string]fault{"applied": applied, "not applied": notApplied, "hangs": hangs} {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, once %v", name, once), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &faulty{Memory: &feed.Memory{}, fault: map[string]fault{}, once: once}
					to := newTabs()
					publish(t, worker(t, f, to), at(0))
					f.fault["ClaimPush"] = how
					var both sync.WaitGroup
					for _, percent := range []float64{20, 50} { // the second waits while the first fails to claim
						both.Go(func() { publish(t, worker(t, f, to), at(percent)) })
						synctest.Wait()
						time.Sleep(ms)
					}
					both.Wait()
					got := to.got()
					if last := got[len(got)-1]; last.Seq != 3 {
						t.Errorf("the tabs have seq %d, want the newest, 3", last.Seq)
					}
				})
			})
		}
	}
}

func TestATaskDoesNotDelayItsWorkflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := worker(t, &feed.Memory{}, newTabs())
		publish(t, n, at(0))
		for _, r := range []message.Request{at(0.5), at(50), at(50.1), part("a", 1, 10_000), ended(message.StatusFailed)} {
			start := time.Now()
			publish(t, n, r)
			if took := time.Since(start); took > message.MinPushInterval {
				t.Errorf("%+v took %v, want at most %v", r.Message, took, message.MinPushInterval)
			}
		}
	})
}

// mute hangs until the caller has had enough.
type mute struct{}

func (mute) Send(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()

	return ctx.Err()
}

func TestAHangingStoreAndHangingPostsStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Memory: &feed.Memory{}, fault: map[string]fault{"ClaimPush": hangs, "Job": hangs}}
		publish(t, worker(t, f, newTabs()), at(0))
		start := time.Now()
		publish(t, worker(t, f, mute{}), part("a", 50, 100))
		if took := time.Since(start); took > broadcast.Budget {
			t.Errorf("took %v, want at most %v", took, broadcast.Budget)
		}
	})
}

// overtaken is a feed in which another worker's state comes in just before a claim, which is recorded and yet fails.
type overtaken struct {
	*feed.Memory

	by feed.Update
}

func (o overtaken) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	if _, _, err := o.Apply(ctx, row.Owner, o.by); err != nil {
		return feed.Row{}, false, err
	}
	if _, _, err := o.Memory.ClaimPush(ctx, row, at); err != nil {
		return feed.Row{}, false, err
	}

	return feed.Row{}, false, errDown
}

// TestAfterAFailedClaimTheNewestStateIsPosted: a claim that was recorded tells the others that their states are being pushed.
func TestAfterAFailedClaimTheNewestStateIsPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newTabs()
		state, _ := message.AsUploadProgress(at(50).Message)
		n := worker(t, overtaken{&feed.Memory{}, feed.Update{State: state, Epoch: epoch, ID: "other", At: time.Now()}}, to)
		publish(t, n, at(0))
		publish(t, n, at(20))
		got := to.got()
		if last := got[len(got)-1]; last.Seq != 3 {
			t.Errorf("the tabs have seq %d, want that of the other worker's state, 3", last.Seq)
		}
	})
}
