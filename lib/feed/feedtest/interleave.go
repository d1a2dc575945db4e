package feedtest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/feed"
)

// Table is a new table with one store for each process that uses it.
type Table struct {
	Stores []feed.Store
	// DeleteJob deletes the row of a job as TTL does. It is nil if the store never deletes rows.
	DeleteJob func(owner, job string)
	// Check checks attributes that the stores do not return. It returns what is wrong, or an empty string. Check may be nil.
	Check func() string
}

// Open returns a new table with the stores of some processes. now is the clock of the stores. Each request of a store is a [Step].
type Open func(processes int, now func() time.Time) Table

// History is a small set of writers that work concurrently on the rows of one owner. A history is run in every schedule: in every
// order of the writers' requests, with every combination of faults.
type History struct {
	Name string
	// Faults is the maximum number of faults in one schedule. It is chosen so that all schedules take about a second.
	Faults int

	// begin prepares a new table and returns the writers, and what checks the table.
	begin func(table Table) (writers []func(context.Context), v verifier)
	// writers is the number of writers that begin returns.
	writers int
	// deletesJob is true if a writer calls Table.DeleteJob.
	deletesJob bool
	// manySchedules is true if the schedules with one more fault would take a minute.
	manySchedules bool
	// now is the clock of the stores.
	now func() time.Time
}

// verifier checks the table after each request of a writer and at the end. Its methods return a violated rule, or an empty string.
type verifier interface {
	afterRequest(writer int) string
	atEnd(s *schedule) string
}

// Violation is the result of exploring a history.
type Violation struct {
	// What names the violated rule and the schedule, or is empty.
	What string
	// Schedules is how many schedules were run.
	Schedules int
}

// Explore runs all schedules of a history with up to faults faults, until a schedule violates a rule. It must be called in a
// synctest bubble.
func (h History) Explore(faults int, open Open) Violation {
	v := Violation{}
	v.Schedules = everySchedule(faults, func() ([]func(context.Context), func(int), func(*schedule) bool) {
		table := open(h.writers+1, h.now) // The last store is the verifier's.
		writers, verify := h.begin(table)
		after := func(writer int) {
			if v.What == "" {
				v.What = verify.afterRequest(writer)
			}
			if v.What == "" && table.Check != nil {
				v.What = table.Check()
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

// RunInterleaved tests a store under all schedules of all histories. extraFaults is added to the faults of each history, unless
// the history then has too many schedules.
func RunInterleaved(t *testing.T, extraFaults int, open Open) {
	t.Helper()
	for _, h := range Histories() {
		t.Run(h.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if h.deletesJob && open(0, time.Now).DeleteJob == nil {
					return // The store never deletes rows, so the history cannot happen.
				}
				faults := h.Faults
				if !h.manySchedules {
					faults += extraFaults
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
func Histories() []History { return slices.Concat(jobHistories(), noteHistories(), pageHistories()) }

// Scheduled is a store whose calls are steps of a schedule.
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
func (s Scheduled) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (newest feed.Row, won bool, err error) {
	// True if any try has claimed the push. When the SDK sends a request again, a store recognizes the claim of the first request.
	claimed := false
	err = Step(ctx, false, func() error {
		var err error
		newest, won, err = s.Store.ClaimPush(ctx, row, at)
		claimed = claimed || won
		return err
	})
	return newest, claimed && err == nil, err
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

// JobsAfter is a step that reads.
func (s Scheduled) JobsAfter(ctx context.Context, owner, after string, limit int) (page feed.JobPage, err error) {
	err = Step(ctx, true, func() error {
		var err error
		page, err = s.Store.JobsAfter(ctx, owner, after, limit)
		return err
	})
	return page, err
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

// PointersOf yields pointers. It is not a step, because only verifiers call it.
func (s Scheduled) PointersOf(ctx context.Context, arn string) iter.Seq2[feed.Pointer, error] {
	return s.Store.PointersOf(context.WithoutCancel(ctx), arn)
}

// AllPointers yields pointers. It is not a step, because only verifiers call it.
func (s Scheduled) AllPointers(ctx context.Context) iter.Seq2[feed.Pointer, error] {
	return s.Store.AllPointers(context.WithoutCancel(ctx))
}
