package notify_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// fixedPointers is a feed that always returns the same pointers, even after they were deleted. If fail is set, reading first yields
// that error.
type fixedPointers struct {
	*feed.Memory

	pointers []feed.Pointer
	fail     error // nil: reading succeeds
}

func (p fixedPointers) PointersOf(ctx context.Context, _ string) iter.Seq2[feed.Pointer, error] {
	return p.AllPointers(ctx)
}

func (p fixedPointers) AllPointers(context.Context) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		if p.fail != nil && !yield(feed.Pointer{}, p.fail) {
			return
		}
		for _, pointer := range p.pointers {
			if !yield(pointer, nil) {
				return
			}
		}
	}
}

// pointersOfARN returns the pointers to the execution arn.
func pointersOfARN(t *testing.T, f feed.Pointers) []feed.Pointer {
	t.Helper()
	var all []feed.Pointer
	for p, err := range f.PointersOf(t.Context(), arn) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}

	return all
}

// executionARN returns the ARN of execution n, which is also the id of its job.
func executionARN(n int) string {
	return fmt.Sprintf("arn:aws:states:us-east-1:123456789012:execution:m:%03d", n)
}

// silentJobs returns a feed with n silent jobs, and their executions, which have failed. Each job has an execution of its own, unless
// shared is the ARN of one execution for all jobs.
func silentJobs(t *testing.T, n int, shared string) (*feed.Memory, *workflows) {
	t.Helper()
	memory, w := &feed.Memory{}, &workflows{answers: map[string]notify.Workflow{}, fail: map[string]error{}}
	for i := range n {
		id := executionARN(i)
		r := withState(stateAt(1), func(p *message.UploadProgress) { p.UploadID = id })
		r.Execution = cmp.Or(shared, id)
		publish(t, newNotifier(t, memory, newTabs()), r)
		w.answers[id] = notify.Workflow{Status: "FAILED"}
	}
	time.Sleep(time.Hour)

	return memory, w
}

// countEnded returns how many jobs have ended.
func countEnded(t *testing.T, f feed.Jobs) int {
	t.Helper()
	n := 0
	for r, err := range f.Jobs(t.Context(), feed.User("u1")) {
		if err != nil {
			t.Fatal(err)
		}
		if r.State.Status.Terminal() {
			n++
		}
	}

	return n
}

func TestOneBadPointerDoesNotStopTheSweep(t *testing.T) {
	for _, tt := range []struct {
		name        string
		injectFault func(memory *feed.Memory, w *workflows, s *notify.Sweeper)
		ended       int
		fails       bool // the sweep
	}{
		{"all is well", func(*feed.Memory, *workflows, *notify.Sweeper) {}, 30, false},
		{"an execution cannot be described", func(_ *feed.Memory, w *workflows, _ *notify.Sweeper) {
			w.fail[executionARN(7)] = errors.New("AccessDenied")
		}, 29, false},
		{"a job cannot be read", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			s.Feed = &faultyFeed{Memory: m, once: true, fault: map[string]fault{"Job": notApplied}}
		}, 29, true},
		{"an end cannot be stored", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			s.Notifier.Feed = &feedFailingFor{m, executionARN(7)}
		}, 29, true},
		{"a pointer cannot be read", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			var all []feed.Pointer
			for p := range m.AllPointers(context.Background()) {
				all = append(all, p)
			}
			s.Feed = fixedPointers{m, all[1:], errDown}
		}, 29, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, w := silentJobs(t, 30, "")
				s := &notify.Sweeper{Notifier: newNotifier(t, memory, newTabs()), Feed: memory, Workflows: w}
				tt.injectFault(memory, w, s)
				if err := s.Handle(t.Context(), json.RawMessage(schedule)); (err != nil) != tt.fails {
					t.Errorf("error is %v, want one: %v", err, tt.fails)
				}
				if got := countEnded(t, memory); got != tt.ended {
					t.Errorf("%d of 30 jobs ended, want %d", got, tt.ended)
				}
			})
		})
	}
}

// TestAnEventEndsEveryJobOfItsExecution: a job whose end fails does not stop the others. It ends when the event comes again.
func TestAnEventEndsEveryJobOfItsExecution(t *testing.T) {
	for _, tt := range []struct {
		name        string
		injectFault func(memory *feed.Memory, s *notify.Sweeper)
		ended       int
	}{
		{"all is well", func(*feed.Memory, *notify.Sweeper) {}, 30},
		{"a job cannot be read", func(m *feed.Memory, s *notify.Sweeper) {
			s.Feed = &faultyFeed{Memory: m, once: true, fault: map[string]fault{"Job": notApplied}}
		}, 29},
		{"an end cannot be stored", func(m *feed.Memory, s *notify.Sweeper) { s.Notifier.Feed = &feedFailingFor{m, executionARN(7)} }, 29},
		{"a pointer cannot be read", func(m *feed.Memory, s *notify.Sweeper) {
			var all []feed.Pointer
			for p := range m.PointersOf(context.Background(), arn) {
				all = append(all, p)
			}
			s.Feed = fixedPointers{m, all[1:], errDown}
		}, 29},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, _ := silentJobs(t, 30, arn)
				publish(t, newNotifier(t, memory, newTabs()), ofExecution(stateAt(1), otherARN))
				s := &notify.Sweeper{Notifier: newNotifier(t, memory, newTabs()), Feed: memory}
				tt.injectFault(memory, s)
				event := json.RawMessage(statusChange(arn, "FAILED", 0))
				if err := s.Handle(t.Context(), event); (err == nil) != (tt.ended == 30) {
					t.Errorf("error is %v; want one unless all 30 jobs end, and %d end", err, tt.ended)
				}
				if got := countEnded(t, memory); got != tt.ended {
					t.Errorf("%d of 30 jobs ended, want %d", got, tt.ended)
				}
				s = &notify.Sweeper{Notifier: newNotifier(t, memory, newTabs()), Feed: memory}
				if err := s.Handle(t.Context(), event); err != nil {
					t.Errorf("sweep again: %v", err)
				}
				if got, left := countEnded(t, memory), pointersOfARN(t, memory); got != 30 || len(left) != 0 {
					t.Errorf("in the end %d of 30 jobs ended, the pointers are %+v", got, left)
				}
			})
		})
	}
}

// feedFailingFor is a feed that fails to store the states of one job.
type feedFailingFor struct {
	*feed.Memory

	job string
}

func (f *feedFailingFor) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	if u.State.UploadID == f.job {
		return feed.Row{}, "", errDown
	}

	return f.Memory.Apply(ctx, owner, u)
}

func TestTheSweepIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, w := silentJobs(t, 80, "")
		w.answerTime = time.Second
		w.fail[executionARN(7)] = context.DeadlineExceeded
		s := &notify.Sweeper{Notifier: newNotifier(t, memory, newTabs()), Feed: memory, Workflows: w}
		start := time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
			t.Errorf("sweep: %v", err)
		}
		if took := time.Since(start); w.maxInFlight != 8 || took != 10*time.Second { // 80 answers of one second, 8 at once
			t.Errorf("%d questions at once, in %v; want 8 in 10 s", w.maxInFlight, took)
		}
		if slices.Sort(w.asked); len(slices.Compact(w.asked)) != 80 {
			t.Errorf("%d questions, want one about each of the 80 executions", len(w.asked))
		}
		w.answerTime = time.Hour
		start = time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
			t.Errorf("sweep: %v", err)
		}
		if took := time.Since(start); took != notify.StatusTimeout {
			t.Errorf("the sweep took %v while Step Functions hangs, want %v", took, notify.StatusTimeout)
		}
	})
}
