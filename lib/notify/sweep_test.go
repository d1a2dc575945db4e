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

// pointing is a feed whose pointers stay. The first of them may be one that cannot be read.
type pointing struct {
	*feed.Memory

	pointers []feed.Pointer
	fail     error
}

func (p pointing) PointersOf(ctx context.Context, _ string) iter.Seq2[feed.Pointer, error] {
	return p.AllPointers(ctx)
}

func (p pointing) AllPointers(context.Context) iter.Seq2[feed.Pointer, error] {
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

// pointers returns those of the execution "arn".
func pointers(t *testing.T, f feed.Pointers) []feed.Pointer {
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

// execution returns the ARN of an execution.
func execution(n int) string {
	return fmt.Sprintf("arn:aws:states:us-east-1:123456789012:execution:m:%03d", n)
}

// sweeping returns a feed with n silent jobs, and workflows that have failed: one for each job, or one for all.
func sweeping(t *testing.T, n int, shared string) (*feed.Memory, *workflows) {
	t.Helper()
	memory, w := &feed.Memory{}, &workflows{answers: map[string]notify.Workflow{}, fail: map[string]error{}}
	for i := range n {
		id := execution(i)
		r := with(at(1), func(p *message.UploadProgress) { p.UploadID = id })
		r.Execution = cmp.Or(shared, id)
		publish(t, worker(t, memory, newTabs()), r)
		w.answers[id] = notify.Workflow{Status: "FAILED"}
	}
	time.Sleep(time.Hour)

	return memory, w
}

func ends(t *testing.T, f feed.Jobs) int {
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
	broken := errors.New("throughput exceeded")
	for _, tt := range []struct {
		name  string
		spoil func(memory *feed.Memory, w *workflows, s *notify.Sweeper)
		ended int
		fails bool
	}{
		{"all is well", func(*feed.Memory, *workflows, *notify.Sweeper) {}, 30, false},
		{"a workflow is not known", func(_ *feed.Memory, w *workflows, _ *notify.Sweeper) {
			w.fail[execution(7)] = errors.New("AccessDenied")
		}, 29, false},
		{"a job cannot be read", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			s.Feed = &faulty{Memory: m, once: true, fault: map[string]fault{"Job": notApplied}}
		}, 29, true},
		{"an end cannot be stored", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			s.Notifier.Feed = &failsFor{m, execution(7)}
		}, 29, true},
		{"a pointer cannot be read", func(m *feed.Memory, _ *workflows, s *notify.Sweeper) {
			var all []feed.Pointer
			for p := range m.AllPointers(context.Background()) {
				all = append(all, p)
			}
			s.Feed = pointing{m, all[1:], broken}
		}, 29, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, w := sweeping(t, 30, "")
				s := &notify.Sweeper{Notifier: worker(t, memory, newTabs()), Feed: memory, Workflows: w}
				tt.spoil(memory, w, s)
				if err := s.Handle(t.Context(), json.RawMessage(schedule)); (err != nil) != tt.fails {
					t.Errorf("error is %v, want one: %v", err, tt.fails)
				}
				if got := ends(t, memory); got != tt.ended {
					t.Errorf("%d of 30 jobs ended, want %d", got, tt.ended)
				}
			})
		})
	}
}

// TestAnEventEndsEveryJobOfItsExecution: one that fails does not stop the others, and is ended when the event comes again.
func TestAnEventEndsEveryJobOfItsExecution(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(memory *feed.Memory, s *notify.Sweeper)
		ended int
	}{
		{"all is well", func(*feed.Memory, *notify.Sweeper) {}, 30},
		{"a job cannot be read", func(m *feed.Memory, s *notify.Sweeper) {
			s.Feed = &faulty{Memory: m, once: true, fault: map[string]fault{"Job": notApplied}}
		}, 29},
		{"an end cannot be stored", func(m *feed.Memory, s *notify.Sweeper) { s.Notifier.Feed = &failsFor{m, execution(7)} }, 29},
		{"a pointer cannot be read", func(m *feed.Memory, s *notify.Sweeper) {
			var all []feed.Pointer
			for p := range m.PointersOf(context.Background(), arn) {
				all = append(all, p)
			}
			s.Feed = pointing{m, all[1:], errDown}
		}, 29},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, _ := sweeping(t, 30, arn)
				publish(t, worker(t, memory, newTabs()), by(at(1), otherARN))
				s := &notify.Sweeper{Notifier: worker(t, memory, newTabs()), Feed: memory}
				tt.spoil(memory, s)
				event := json.RawMessage(statusChange(arn, "FAILED", 0))
				if err := s.Handle(t.Context(), event); (err == nil) != (tt.ended == 30) {
					t.Errorf("error is %v, with %d of 30 jobs to end", err, tt.ended)
				}
				if got := ends(t, memory); got != tt.ended {
					t.Errorf("%d of 30 jobs ended, want %d", got, tt.ended)
				}
				s = &notify.Sweeper{Notifier: worker(t, memory, newTabs()), Feed: memory}
				if err := s.Handle(t.Context(), event); err != nil {
					t.Error(err)
				}
				if got, left := ends(t, memory), pointers(t, memory); got != 30 || len(left) != 0 {
					t.Errorf("in the end %d of 30 jobs ended, the pointers are %+v", got, left)
				}
			})
		})
	}
}

// failsFor is a feed that does not take the states of one job.
type failsFor struct {
	*feed.Memory

	job string
}

func (f *failsFor) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	if u.State.UploadID == f.job {
		return feed.Row{}, "", errDown
	}

	return f.Memory.Apply(ctx, owner, u)
}

func TestTheSweepIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, w := sweeping(t, 80, "")
		w.takes = time.Second
		w.fail[execution(7)] = context.DeadlineExceeded
		s := &notify.Sweeper{Notifier: worker(t, memory, newTabs()), Feed: memory, Workflows: w}
		start := time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); w.most != 8 || took != 10*time.Second {
			t.Errorf("%d workflows were asked for at once, in %v; want 8 in 10 s", w.most, took)
		}
		if slices.Sort(w.asked); len(slices.Compact(w.asked)) != 80 {
			t.Errorf("asked for %d workflows, want each of the 80", len(w.asked))
		}
		w.takes = time.Hour
		start = time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(schedule)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != notify.StatusTimeout {
			t.Errorf("a workflow that hangs held up the sweep for %v, want %v", took, notify.StatusTimeout)
		}
	})
}
