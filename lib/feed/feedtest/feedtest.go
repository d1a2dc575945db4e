// Package feedtest is the contract that every feed.Store keeps.
package feedtest

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Run tests a store. open returns one that may hold rows of other tests: every test uses owners of its own.
func Run(t *testing.T, open func(t *testing.T) feed.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, feed.Store){
		"a row comes back as it was applied":         roundTrip,
		"an absent job is ErrNotFound":               absentJob,
		"owners see their own jobs only":             separateJobs,
		"jobs are read on from one of them":          jobsAfter,
		"keys make repetitions known":                keys,
		"epochs begin anew and are adopted":          epochs,
		"a job without an epoch has its time":        noEpoch,
		"parts add up":                               parts,
		"a part may begin a row and name executions": firstPart,
		"256 parts and no more":                      tooManyParts,
		"a row past its life is absent":              expiredJob,
		"a late update opens no job that ended":      updatesAfterExpiry,
		"an execution ends its own jobs only":        endsOfExecutions,
		"a job lives as long as its workflow may":    longSilence,
		"50 writers race on one job":                 race,
		"one of many claims wins":                    claimPushes,
		"no state is left unclaimed":                 everyStateIsPushed,
		"notes come in order, the newest of all":     notes,
		"a note's key makes it known":                noteKeys,
		"dismissed notes are gone":                   dismiss,
		"odd ids are kept verbatim":                  unusualIDs,
		"an execution leads to its job":              pointers,
		"an execution leads to all of its jobs":      sharedExecution,
		"a forgotten pointer may be made anew":       deletePointers,
		"a job that begins anew has a pointer":       recreatedPointers,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// epoch is the first of the tests' epochs; they sort by n.
func epoch(n int) string { return fmt.Sprintf("2026-11-22T10:00:00.123Z#%04d", n) }

// now returns the time as stores keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// update returns a running state of the job "job" with an ID of its own.
func update(progress float64, at time.Time) feed.Update {
	return feed.Update{
		State: message.UploadProgress{UploadID: "job", FileName: "parts list.csv", Progress: progress, Message: "Parsing", Phase: "parse"},
		Epoch: epoch(0), ID: fmt.Sprintf("id-%v", progress), At: at,
	}
}

func ended(status message.Status, at time.Time) feed.Update {
	u := update(0, at)
	u.State.Status, u.State.Message, u.ID = status, "Over", "id-"+string(status)
	return u
}

// part returns an update of a part of 1,000 steps.
func part(id string, done, failed int64, at time.Time) feed.Update {
	u := update(0, at)
	u.ID = fmt.Sprintf("id-%s-%d", id, done)
	u.State.Message = fmt.Sprintf("%s: %d", id, done)
	u.Part = &message.Part{ID: id, Done: done, Total: 1000, Failed: failed, From: 10, To: 90}
	return u
}

// apply carries out u and wants an outcome.
func apply(t *testing.T, s feed.Store, owner string, u feed.Update, want feed.Outcome) feed.Row {
	t.Helper()
	row, outcome, err := s.Apply(t.Context(), owner, u)
	if err != nil || outcome != want {
		t.Fatalf("Apply: %q, %v, want %q", outcome, err, want)
	}
	wantStored(t, s, owner, u.State.UploadID, row)
	return row
}

// wantStored wants the store to hold just this row.
func wantStored(t *testing.T, s feed.Store, owner, job string, want feed.Row) {
	t.Helper()
	got, err := s.Job(t.Context(), owner, job)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the stored row (-want +got):\n%s", diff)
	}
}

func wantAbsent(t *testing.T, s feed.Store, owner, job string) {
	t.Helper()
	if row, err := s.Job(t.Context(), owner, job); !errors.Is(err, feed.ErrNotFound) {
		t.Errorf("Job: %+v, %v, want ErrNotFound", row, err)
	}
	for row, err := range s.Jobs(t.Context(), owner) {
		if err != nil || row.State.UploadID == job {
			t.Errorf("Jobs yields %+v, %v", row, err)
		}
	}
}

// collect returns all that seq yields.
func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	all := []T{}
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// only returns what seq yields, or [feed.ErrNotFound] where that is nothing.
func only[T any](seq iter.Seq2[T, error]) (T, error) {
	for v, err := range seq {
		return v, err
	}
	var none T
	return none, feed.ErrNotFound
}
