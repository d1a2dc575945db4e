package feedtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/feed"
)

// pageVerifier checks what a reader gets that reads the jobs of a user page by page while others write them.
type pageVerifier struct {
	store     feed.Store // of the reader
	writer    feed.Store
	limit     int
	violation string

	before map[string]int64 // the seq of each job when the reader began
	begun  map[string]bool  // the jobs that were begun meanwhile
	pages  [][]string       // the ids of the jobs of each page
	seqs   map[string]int64 // the seq of each job that the reader got
	gaveUp bool             // a read failed, or a page did not end
}

func (v *pageVerifier) failf(format string, args ...any) {
	if v.violation == "" {
		v.violation = fmt.Sprintf(format, args...)
	}
}

// read reads all pages. It repeats a read that failed once.
func (v *pageVerifier) read(ctx context.Context) {
	after := ""
	for range 2 * (len(v.before) + 2) {
		page, err := v.store.JobsAfter(ctx, jobOwner, after, v.limit)
		if err != nil {
			page, err = v.store.JobsAfter(ctx, jobOwner, after, v.limit)
		}
		if err != nil {
			v.gaveUp = true
			return
		}
		var ids []string
		for _, row := range page.Rows {
			ids = append(ids, row.State.UploadID)
			v.seqs[row.State.UploadID] = row.Seq
		}
		v.pages = append(v.pages, ids)
		if page.Next == "" {
			return
		}
		after = page.Next
	}
	v.failf("the pages do not end: %v", v.pages)
}

// write applies an update of a job, and repeats it once.
func (v *pageVerifier) write(ctx context.Context, job string, progress float64) {
	u := update(progress, historyTime)
	u.State.UploadID, u.ID = job, fmt.Sprint(job, " ", progress)
	u.Key = u.ID
	v.begun[job] = true
	if _, _, err := v.writer.Apply(ctx, jobOwner, u); err != nil {
		if _, _, err = v.writer.Apply(ctx, jobOwner, u); err != nil && !errors.Is(err, ErrInjected) {
			v.failf("Apply: %v", err)
		}
	}
}

func (v *pageVerifier) afterRequest(int) string { return v.violation }

// atEnd checks that the pages have each job that existed, once, in order, and as new as it was when the reader began.
func (v *pageVerifier) atEnd(s *schedule) string {
	if v.gaveUp || s.crashed {
		return v.violation
	}
	all := slices.Concat(v.pages...)
	if !slices.IsSortedFunc(all, strings.Compare) || len(slices.Compact(slices.Clone(all))) != len(all) {
		v.failf("the pages are %v", v.pages)
	}
	for _, page := range v.pages {
		if len(page) > v.limit {
			v.failf("a page has %d jobs, at most %d were asked for", len(page), v.limit)
		}
	}
	for _, job := range slices.Sorted(maps.Keys(v.before)) {
		if v.seqs[job] < v.before[job] {
			v.failf("the pages %v have seq %d of %s, which had %d before", v.pages, v.seqs[job], job, v.before[job])
		}
	}
	for job := range v.seqs {
		if v.before[job] == 0 && !v.begun[job] {
			v.failf("the pages %v have %s, which nobody has begun", v.pages, job)
		}
	}
	return v.violation
}

// pageHistory returns a history of a reader of pages with at most limit jobs, and of a writer that updates one of five jobs and begins
// two others, before and after it.
func pageHistory(name string, faults, limit int) History {
	return History{
		Name: name, Faults: faults, writers: 2, now: func() time.Time { return historyTime.AddDate(-1, 0, 0) },
		begin: func(table Table) ([]func(context.Context), verifier) {
			v := &pageVerifier{
				store: table.Stores[0], writer: table.Stores[1], limit: limit,
				before: map[string]int64{}, begun: map[string]bool{}, seqs: map[string]int64{},
			}
			for _, job := range []string{"a", "c", "e", "g", "i"} {
				v.write(context.Background(), job, 10)
				v.before[job] = 1
			}
			v.begun = map[string]bool{}
			return []func(context.Context){
				v.read,
				func(ctx context.Context) {
					v.write(ctx, "e", 20)
					v.write(ctx, "d", 10)
					v.write(ctx, "f", 10)
				},
			}, v
		},
	}
}

// pageHistories returns the histories of pages.
func pageHistories() []History {
	return []History{
		manySchedules(pageHistory("pages of two jobs, and a writer", 1, 2)),
		pageHistory("pages of one job, and a writer", 0, 1),
		manySchedules(pageHistory("a page that is full, and a writer", 1, 5)),
	}
}
