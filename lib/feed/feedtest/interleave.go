package feedtest

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
)

// Table is a new table, with the stores of some processes on it.
type Table struct {
	Stores []feed.Store
	// DeleteJob deletes the row of a job as TTL does. It is nil where the store forgets none.
	DeleteJob func(owner, job string)
	// Check returns what is wrong with the table that the stores do not show, or empty. It may be nil.
	Check func() string
}

// Open returns a new table with the stores of so many processes. Their clock is now. A request of theirs is a [Step].
type Open func(processes int, now func() time.Time) Table

// History is some writers that work on one owner's rows at the same time.
type History struct {
	Name string
	// Faults is how many faults one schedule may have at most, so that all schedules take a second or so.
	Faults int

	begin      func(w Table) (writers []func(context.Context), v verifier)
	writers    int
	deletesJob bool
	// manySchedules says that one fault more would take a minute.
	manySchedules bool
	now           func() time.Time
}

// verifier looks at the table after each request of a writer, and at the end. It returns what is wrong, or empty.
type verifier interface {
	afterRequest(writer int) string
	atEnd(s *schedule) string
}

// Violation is the first schedule of a history that breaks a promise.
type Violation struct {
	What string
	// Schedules is how many were run.
	Schedules int
}

// Explore runs all schedules of a history with at most so many faults, until one breaks a promise. What of the violation is
// empty where none does. It must be called in a bubble of synctest.
func (h History) Explore(faults int, open Open) Violation {
	v := Violation{}
	v.Schedules = everySchedule(faults, func() ([]func(context.Context), func(int), func(*schedule) bool) {
		w := open(h.writers+1, h.now)
		writers, verify := h.begin(w)
		after := func(writer int) {
			if v.What == "" {
				v.What = verify.afterRequest(writer)
			}
			if v.What == "" && w.Check != nil {
				v.What = w.Check()
			}
		}
		return writers, after, func(s *schedule) bool {
			if v.What == "" {
				v.What = verify.atEnd(s)
			}
			if v.What != "" {
				v.What = fmt.Sprintf("%s, in the schedule %v", v.What, s.choices)
			}
			return v.What == ""
		}
	})
	return v
}

// RunInterleaved tests a store under all schedules of all histories, with more faults than their own in those for which that
// does not take too long.
func RunInterleaved(t *testing.T, more int, open Open) {
	t.Helper()
	for _, h := range Histories() {
		t.Run(h.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if h.deletesJob && open(0, time.Now).DeleteJob == nil {
					return
				}
				faults := h.Faults
				if !h.manySchedules {
					faults += more
				}
				v := h.Explore(faults, open)
				if v.What != "" {
					t.Errorf("schedule %d: %s", v.Schedules, v.What)
				}
				t.Logf("%d schedules", v.Schedules)
			})
		})
	}
}

// Histories returns all histories.
func Histories() []History { return append(jobHistories(), noteHistories()...) }

// Scheduled is a store each of whose calls is one step of a schedule.
type Scheduled struct{ feed.Store }

// Apply is a step.
func (s Scheduled) Apply(ctx context.Context, owner string, u feed.Update) (row feed.Row, outcome feed.Outcome, err error) {
	err = Step(ctx, false, func() error {
		var err error
		row, outcome, err = s.Store.Apply(ctx, owner, u)
		return err
	})
	return row, outcome, err
}

// ClaimPush is a step.
func (s Scheduled) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (now feed.Row, won bool, err error) {
	claimed := false
	err = Step(ctx, false, func() error {
		var err error
		now, won, err = s.Store.ClaimPush(ctx, row, at)
		claimed = claimed || won
		return err
	})
	return now, claimed && err == nil, err // a repetition by the SDK knows its first try
}

// Job is a step that reads.
func (s Scheduled) Job(ctx context.Context, owner, job string) (row feed.Row, err error) {
	err = Step(ctx, true, func() error {
		var err error
		row, err = s.Store.Job(ctx, owner, job)
		return err
	})
	return row, err
}

// Add is a step.
func (s Scheduled) Add(ctx context.Context, owner string, n feed.Note) (stored feed.Note, outcome feed.Outcome, err error) {
	err = Step(ctx, false, func() error {
		var err error
		stored, outcome, err = s.Store.Add(ctx, owner, n)
		return err
	})
	return stored, outcome, err
}

// PointersOf yields what there is when the reading begins.
func (s Scheduled) PointersOf(ctx context.Context, arn string) iter.Seq2[feed.Pointer, error] {
	return s.Store.PointersOf(context.WithoutCancel(ctx), arn)
}
