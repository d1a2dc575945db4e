package notify_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// sweepPeriod is how often the schedule invokes the sweeper.
const sweepPeriod = 5 * time.Minute

// silent returns r with the seconds without news after which its job counts as stalled, and after which it ends.
func silent(r message.Request, expectEvery, endAfter int64) message.Request {
	return withState(r, func(p *message.UploadProgress) { p.ExpectEvery, p.EndAfter = expectEvery, endAfter })
}

// shown is what a tab shows from a time since the test began.
type shown struct {
	At       time.Duration
	Status   message.Status
	Progress float64
	Text     string
}

// TestAJobWhoseWorkerDiedIsStalledAndThenEnds runs a worker and the schedule in virtual time.
func TestAJobWhoseWorkerDiedIsStalledAndThenEnds(t *testing.T) {
	type update struct {
		at time.Duration
		r  message.Request
	}
	const minute = time.Minute
	first := silent(stateAt(21), 60, 1800)
	part := stateAt(0)
	part.Part = &message.Part{ID: "1", Done: 1, Total: 2}
	inExecution := silent(runningAt(21), 60, 1800)
	for _, tt := range []struct {
		name    string
		updates []update
		want    []shown
	}{
		{"the worker dies at 21 %", []update{{0, first}}, []shown{
			{0, "", 21, "m"}, {5 * minute, "stalled", 21, "m"}, {35 * minute, "failed", 21, "There was no news for 30 minutes"},
		}},
		{"the worker of a workflow dies", []update{{0, inExecution}}, []shown{
			{0, "", 21, "m"}, {5 * minute, "stalled", 21, "m"}, {35 * minute, "failed", 21, "There was no news for 30 minutes"},
		}},
		{"the next update takes the mark back", []update{{0, first}, {6 * minute, stateAt(21.1)}}, []shown{
			{0, "", 21, "m"}, {5 * minute, "stalled", 21, "m"}, {6 * minute, "", 21.1, "m"}, {10 * minute, "stalled", 21.1, "m"},
			{40 * minute, "failed", 21.1, "There was no news for 30 minutes"},
		}},
		{"a part takes the mark back", []update{{0, first}, {6 * minute, part}}, []shown{
			{0, "", 21, "m"}, {5 * minute, "stalled", 21, "m"}, {6 * minute, "", 50, "m"}, {10 * minute, "stalled", 50, "m"},
			{40 * minute, "failed", 50, "There was no news for 30 minutes"},
		}},
		{"only stalled", []update{{0, silent(stateAt(21), 400, 0)}}, []shown{{0, "", 21, "m"}, {10 * minute, "stalled", 21, "m"}}},
		{"only an end", []update{{0, silent(stateAt(21), 0, 60)}}, []shown{{0, "", 21, "m"}, {5 * minute, "failed", 21, "There was no news for 60 seconds"}}},
		{"a job that says nothing of silence", []update{{0, stateAt(21)}}, []shown{{0, "", 21, "m"}}},
		{"a worker that reports in time", []update{{0, first}, {4*minute + 50*time.Second, stateAt(30)}, {9*minute + 50*time.Second, endedWith(message.StatusSucceeded)}}, []shown{
			{0, "", 21, "m"}, {4*minute + 50*time.Second, "", 30, "m"}, {9*minute + 50*time.Second, "succeeded", 100, "m"},
		}},
		{"a worker that reports after the end", []update{{0, silent(stateAt(21), 0, 60)}, {6 * minute, stateAt(30)}}, []shown{
			{0, "", 21, "m"}, {5 * minute, "failed", 21, "There was no news for 60 seconds"},
		}},
		{"the next attempt after the end", []update{
			{0, withState(silent(stateAt(21), 0, 60), func(p *message.UploadProgress) { p.Attempt = 1 })},
			{6 * minute, withState(endedWith(message.StatusSucceeded), func(p *message.UploadProgress) { p.Attempt = 2 })},
		}, []shown{{0, "", 21, "m"}, {5 * minute, "failed", 21, "There was no news for 60 seconds"}, {6 * minute, "succeeded", 100, "m"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				sweeper := &notify.Sweeper{
					Notifier: newNotifier(t, memory, to), Feed: memory, Workflows: &workflows{answers: map[string]notify.Workflow{arn: {Status: "RUNNING"}}},
				}
				worker := newNotifier(t, memory, to)
				start := time.Now()
				var got []shown
				for at := time.Duration(0); at <= time.Hour; at += 10 * time.Second {
					for _, u := range tt.updates {
						if u.at == at {
							publish(t, worker, u.r)
						}
					}
					if at > 0 && at%sweepPeriod == 0 {
						if err := sweeper.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
							t.Fatal(err)
						}
					}
					for _, e := range to.received()[len(got):] {
						state, _ := message.AsUploadProgress(e.Data)
						got = append(got, shown{time.Since(start).Truncate(time.Second), state.Status, state.Progress, state.Message})
					}
					time.Sleep(time.Until(start.Add(at + 10*time.Second)))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("the tab shows (-want +got):\n%s", diff)
				}
				for p := range memory.AllPointers(t.Context()) {
					if jobRow(t, memory).Terminal() {
						t.Errorf("the ended job has the pointer %+v", p)
					}
				}
			})
		})
	}
}

// TestTheFrameOfAStalledJobHasTheTimeOfTheLastNews: clients show how long there was no news.
func TestTheFrameOfAStalledJobHasTheTimeOfTheLastNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		n := newNotifier(t, memory, to)
		sweeper := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		began := time.Now()
		publish(t, n, asJob(silent(stateAt(21), 60, 0)))
		for range 3 {
			time.Sleep(sweepPeriod)
			if err := sweeper.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
				t.Fatal(err)
			}
		}
		frames := to.received()
		if len(frames) != 2 {
			t.Fatalf("%d frames, want one mark", len(frames))
		}
		want := message.JobProgress{JobID: "j", Title: "f.csv", Progress: 21, Message: "m", Phase: "p", Status: message.StatusStalled, ExpectEvery: 60}
		if e := frames[1]; e.Data != message.Data(want) || !e.Timestamp.Equal(began) || e.Seq != 2 || e.ID == frames[0].ID {
			t.Errorf("the frame of the mark is %+v", e)
		}
	})
}

// TestAMarkThatIsNotStoredIsNotPosted: a mark without seq would hide the next state.
func TestAMarkThatIsNotStoredIsNotPosted(t *testing.T) {
	for how, posts := range map[fault]int{applied: 2, notApplied: 1} {
		synctest.Test(t, func(t *testing.T) {
			f, to := &faultyFeed{Memory: &feed.Memory{}, fault: map[string]fault{}}, newTabs()
			n := newNotifier(t, f, to)
			publish(t, n, silent(stateAt(21), 60, 0))
			time.Sleep(sweepPeriod)
			f.fault["Apply"] = how
			sweeper := &notify.Sweeper{Notifier: n, Feed: struct {
				*faultyFeed
				feed.Pointers
			}{f, f.Memory}, Workflows: &workflows{}}
			err := sweeper.Handle(t.Context(), json.RawMessage(schedule))
			if got := len(to.received()); got != posts || (err == nil) != (posts == 2) {
				t.Errorf("fault %d: %d posts, %v", how, got, err)
			}
		})
	}
}

// TestNewsDuringTheSweepKeepsTheJobRunning lets a worker publish between the sweeper's read and its write.
func TestNewsDuringTheSweepKeepsTheJobRunning(t *testing.T) {
	for _, endAfter := range []int64{0, 120} {
		synctest.Test(t, func(t *testing.T) {
			memory, to := &feed.Memory{}, newTabs()
			worker := newNotifier(t, memory, to)
			publish(t, worker, silent(stateAt(21), 60, endAfter))
			time.Sleep(sweepPeriod)
			racing := racingFeed{Memory: memory, afterRead: func() { publish(t, worker, stateAt(22)) }}
			sweeper := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: racing, Workflows: &workflows{}}
			if err := sweeper.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
				t.Fatal(err)
			}
			if state := jobRow(t, memory).VisibleState(); state.Status != "" || state.Progress != 22 {
				t.Errorf("endAfter %d: the state is %+v", endAfter, state)
			}
			pointers := 0
			for range memory.AllPointers(t.Context()) {
				pointers++
			}
			if pointers != 1 {
				t.Errorf("endAfter %d: the job that goes on has %d pointers", endAfter, pointers)
			}
		})
	}
}

// TestTheSweeperForgetsJobsThatAreGone: a pointer without an execution is deleted when its job has expired.
func TestTheSweeperForgetsJobsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		publish(t, n, silent(stateAt(21), 60, 0))
		time.Sleep(feed.JobTTL + time.Hour)
		sweeper := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		if err := sweeper.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
			t.Fatal(err)
		}
		for p := range memory.AllPointers(t.Context()) {
			t.Errorf("the pointer %+v is left", p)
		}
	})
}

// racingFeed calls afterRead after each read of a job.
type racingFeed struct {
	*feed.Memory

	afterRead func()
}

func (f racingFeed) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	row, err := f.Memory.Job(ctx, owner, job)
	f.afterRead()

	return row, err
}
