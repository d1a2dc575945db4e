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

// step is one published state, at a time since the test began.
type step struct {
	at time.Duration
	r  message.Request
}

// push is one frame that is posted, at a time since the test began.
type push struct {
	At       time.Duration
	Seq      int64
	Progress float64
}

const ms = time.Millisecond

func TestCoalescingPushesAsOftenAsAPersonCanRead(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []step
		want  []push
	}{
		{"the first is pushed at once, the next 250 ms later", []step{{0, stateAt(0)}, {10 * ms, stateAt(5)}}, []push{{0, 1, 0}, {250 * ms, 2, 5}}},
		{"one push shows all states that waited", []step{
			{0, stateAt(0)}, {10 * ms, stateAt(5)}, {20 * ms, stateAt(6)}, {249 * ms, stateAt(7)},
		}, []push{{0, 1, 0}, {250 * ms, 4, 7}}},
		{"pushed at once after silence", []step{{0, stateAt(0)}, {time.Minute, stateAt(0.1)}}, []push{{0, 1, 0}, {time.Minute, 2, 0.1}}},
		{"one percent more is pushed at once after the interval", []step{{0, stateAt(0)}, {700 * ms, stateAt(1)}}, []push{{0, 1, 0}, {700 * ms, 2, 1}}},
		{"under one percent is not pushed if its push is far away", []step{{0, stateAt(0)}, {700 * ms, stateAt(0.5)}}, []push{{0, 1, 0}}},
		{"under one percent waits if its push is near", []step{{0, stateAt(0)}, {1800 * ms, stateAt(0.5)}}, []push{{0, 1, 0}, {2000 * ms, 2, 0.5}}},
		{"small steps add up to one percent", []step{
			{0, stateAt(0)}, {410 * ms, stateAt(0.4)}, {810 * ms, stateAt(0.8)}, {1200 * ms, stateAt(1.2)},
		}, []push{{0, 1, 0}, {1200 * ms, 4, 1.2}}},
		{"the next push shows the highest progress of states that were not pushed", []step{{0, stateAt(0)}, {300 * ms, stateAt(0.9)}, {310 * ms, stateAt(0.5)}, {2500 * ms, stateAt(0.1)}}, []push{
			{0, 1, 0}, {2500 * ms, 4, 0.9},
		}},
		{"a new phase is pushed at once", []step{{0, stateAt(0)}, {10 * ms, inPhase(stateAt(1), "q")}, {20 * ms, inPhase(stateAt(2), "r")}}, []push{
			{0, 1, 0}, {10 * ms, 2, 1}, {20 * ms, 3, 2},
		}},
		{"the end is pushed at once, and the state that waited is not", []step{
			{0, stateAt(0)}, {10 * ms, stateAt(50)}, {20 * ms, endedWith(message.StatusSucceeded)},
		}, []push{{0, 1, 0}, {20 * ms, 3, 100}}},
		{"four pushes a second", moving(60*ms, 20, 2), []push{
			{0, 1, 0}, {250 * ms, 5, 8}, {500 * ms, 9, 16}, {750 * ms, 13, 24}, {1000 * ms, 17, 32}, {1250 * ms, 20, 38},
		}},
		{"one push in two seconds", moving(110*ms, 45, 0.02), []push{{0, 1, 0}, {2000 * ms, 19, 0.36}, {4000 * ms, 37, 0.72}}},
		{"parts", []step{
			{0, partState("a", 0, 100)}, {10 * ms, partState("b", 10, 100)}, {20 * ms, partState("a", 10, 100)}, {30 * ms, partState("b", 30, 100)},
			{900 * ms, partState("a", 20, 100)},
		}, []push{{0, 1, 0}, {250 * ms, 4, 40}, {900 * ms, 5, 50}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publishAll(t, memory, to, tt.steps)
				var got []push
				for _, p := range to.posted() {
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
				if got := jobRow(t, memory).Seq; got != int64(len(tt.steps)) {
					t.Errorf("%d states are stored, want all %d", got, len(tt.steps))
				}
			})
		})
	}
}

// moving returns n states, one after each pause, whose progress grows by a number of percentage points each time.
func moving(pause time.Duration, n int, by float64) []step {
	var steps []step
	for i := range n {
		steps = append(steps, step{time.Duration(i) * pause, stateAt(by * float64(i))})
	}

	return steps
}

// publishAll publishes the steps at their times, one after the other by each of four notifiers that share the feed.
func publishAll(t *testing.T, f notify.Feed, to *tabs, steps []step) {
	t.Helper()
	var workers []*notify.Notifier
	for range 4 {
		workers = append(workers, newNotifier(t, f, to))
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
		ahead, ours := newNotifier(t, memory, to), newNotifier(t, memory, to)
		ahead.Now = func() time.Time { return time.Now().Add(time.Minute) }
		publish(t, ahead, stateAt(0))
		publish(t, ours, stateAt(50))
		if posts := to.posted(); len(posts) != 2 || posts[1].At != message.MinPushInterval {
			t.Errorf("posts are %v, want the second after %v", posts, message.MinPushInterval)
		}
	})
}

func TestTheStateArrivesWhenTheClaimFails(t *testing.T) {
	for name, how := range map[string]fault{"applied": applied, "not applied": notApplied, "hangs": hangs} {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, once %v", name, once), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &faultyFeed{Memory: &feed.Memory{}, fault: map[string]fault{}, once: once}
					to := newTabs()
					publish(t, newNotifier(t, f, to), stateAt(0))
					f.fault["ClaimPush"] = how
					var both sync.WaitGroup
					for _, percent := range []float64{20, 50} { // both wait for the same push; the second is stored meanwhile
						both.Go(func() { publish(t, newNotifier(t, f, to), stateAt(percent)) })
						synctest.Wait()
						time.Sleep(ms)
					}
					both.Wait()
					got := to.received()
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
		n := newNotifier(t, &feed.Memory{}, newTabs())
		publish(t, n, stateAt(0))
		for _, r := range []message.Request{stateAt(0.5), stateAt(50), stateAt(50.1), partState("a", 1, 10_000), endedWith(message.StatusFailed)} {
			start := time.Now()
			publish(t, n, r)
			if took := time.Since(start); took > message.MinPushInterval {
				t.Errorf("%+v took %v, want at most %v", r.Message, took, message.MinPushInterval)
			}
		}
	})
}

// hangingSender is a Sender whose posts hang until their context ends.
type hangingSender struct{}

func (hangingSender) Send(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()

	return ctx.Err()
}

func TestAHangingStoreAndHangingPostsStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faultyFeed{Memory: &feed.Memory{}, fault: map[string]fault{"ClaimPush": hangs, "Job": hangs}}
		publish(t, newNotifier(t, f, newTabs()), stateAt(0))
		start := time.Now()
		publish(t, newNotifier(t, f, hangingSender{}), partState("a", 50, 100))
		if took := time.Since(start); took > broadcast.Budget {
			t.Errorf("took %v, want at most %v", took, broadcast.Budget)
		}
	})
}

// overtakenFeed is a feed in which another worker stores the update by just before each claim. The claim is recorded, and yet it
// returns an error.
type overtakenFeed struct {
	*feed.Memory

	by feed.Update
}

func (o overtakenFeed) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	if _, _, err := o.Apply(ctx, row.Owner, o.by); err != nil {
		return feed.Row{}, false, err
	}
	if _, _, err := o.Memory.ClaimPush(ctx, row, at); err != nil {
		return feed.Row{}, false, err
	}

	return feed.Row{}, false, errDown
}

// TestAfterAFailedClaimTheNewestStateIsPosted: a claim that was recorded keeps other workers from pushing, so the worker whose claim
// failed must post the state that another worker has stored meanwhile.
func TestAfterAFailedClaimTheNewestStateIsPosted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := newTabs()
		state, _ := message.AsUploadProgress(stateAt(50).Message)
		n := newNotifier(t, overtakenFeed{&feed.Memory{}, feed.Update{State: state, Epoch: epoch, ID: "other", At: time.Now()}}, to)
		publish(t, n, stateAt(0))
		publish(t, n, stateAt(20))
		got := to.received()
		if last := got[len(got)-1]; last.Seq != 3 {
			t.Errorf("the tabs have seq %d, want that of the other worker's state, 3", last.Seq)
		}
	})
}
