// Package feedtest tests implementations of feed.Store. It has four suites. [Run] tests the contract. [RunClock] tests what depends on the
// store's clock. [RunFaulty] tests calls that fail. [RunInterleaved] tests every order of concurrent calls. In addition, [Record] records
// the calls of many concurrent processes, and [Linearizable] checks the record.
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

// Run tests the contract of a store. Every test calls open for its store. The stores of several tests may share a table, because every
// test has its own owners.
func Run(t *testing.T, open func(t *testing.T) feed.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, feed.Store){
		"a stored row has the fields of its update":                   roundTrip,
		"an absent job is ErrNotFound":                                absentJob,
		"owners see their own jobs only":                              separateJobs,
		"pages of jobs continue after any id":                         jobsAfter,
		"repeated keys are duplicates":                                keys,
		"a newer epoch starts a run and an empty one joins it":        epochs,
		"a job without an epoch gets one from its time":               noEpoch,
		"a state that was sent earlier counts only with its progress": statesSentEarlier,
		"an earlier attempt's late states are stale":                  attempts,
		"a later attempt continues a run whose attempt has failed":    retriedAfterEnd,
		"a later attempt continues a failed run that has expired":     retriedAfterExpiry,
		"a silent job has a pointer, a mark and an end":               silentJobs,
		"a job is of the type of its last state":                      typesOfStates,
		"a part that was sent earlier counts without its message":     partsSentEarlier,
		"the steps of a run stay until a state names other ones":      stepsOfARun,
		"parts add up": parts,
		"a part may begin a row and name executions":                    firstPart,
		"256 parts and no more":                                         tooManyParts,
		"an expired row is absent":                                      expiredJob,
		"a late update does not reopen an ended job":                    updatesAfterExpiry,
		"the end of an execution ends only its own jobs":                endsOfExecutions,
		"a job expires after its execution can have ended":              longSilence,
		"50 writers race on one job":                                    race,
		"one of many concurrent claims of a push succeeds":              claimPushes,
		"every state is pushed or superseded by a push":                 everyStateIsPushed,
		"notes come in order, the newest of all":                        notes,
		"a repeated key of a note is a duplicate":                       noteKeys,
		"dismissed notes are gone":                                      dismiss,
		"unusual ids are stored verbatim":                               unusualIDs,
		"an execution has a pointer to its job":                         pointers,
		"an execution has a pointer to each of its jobs":                sharedExecution,
		"a deleted pointer may be written again":                        deletePointers,
		"a job that continues after its pointer expired gets a new one": recreatedPointers,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// epoch returns the epoch of the run after n redrives. A higher n is a newer epoch.
func epoch(n int) string { return fmt.Sprintf("2026-11-22T10:00:00.123Z#%04d", n) }

// now returns the current time with the precision of stores.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// update returns a running state of the job "job" in the epoch 0. Its ID depends on progress.
func update(progress float64, at time.Time) feed.Update {
	return feed.Update{
		State: message.UploadProgress{UploadID: "job", FileName: "parts list.csv", Progress: progress, Message: "Parsing", Phase: "parse"},
		Epoch: epoch(0), ID: fmt.Sprintf("id-%v", progress), At: at,
	}
}

// ended returns a terminal state of the job "job" in the epoch 0. Its ID depends on status.
func ended(status message.Status, at time.Time) feed.Update {
	u := update(0, at)
	u.State.Status, u.State.Message, u.ID = status, "Over", "id-"+string(status)
	return u
}

// part returns an update of one part of the job "job", which has 1,000 steps in all, from 10 to 90 percent.
func part(id string, done, failed int64, at time.Time) feed.Update {
	u := update(0, at)
	u.ID = fmt.Sprintf("id-%s-%d", id, done)
	u.State.Message = fmt.Sprintf("%s: %d", id, done)
	u.Part = &message.Part{ID: id, Done: done, Total: 1000, Failed: failed, From: 10, To: 90}
	return u
}

// apply applies u, and requires the outcome want and that the returned row is stored. It returns the row.
func apply(t *testing.T, s feed.Store, owner string, u feed.Update, want feed.Outcome) feed.Row {
	t.Helper()
	row, outcome, err := s.Apply(t.Context(), owner, u)
	if err != nil || outcome != want {
		t.Fatalf("Apply: %q, %v, want %q", outcome, err, want)
	}
	wantStored(t, s, owner, u.State.UploadID, row)
	return row
}

// wantStored requires that the stored row is want.
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

// wantAbsent requires that neither Job nor Jobs returns the job.
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

// firstOf returns the first element of seq, or [feed.ErrNotFound] if it is empty.
func firstOf[T any](seq iter.Seq2[T, error]) (T, error) {
	for v, err := range seq {
		return v, err
	}
	var none T
	return none, feed.ErrNotFound
}
