// Package tracetest tests a store of executions against the contract in package trace.
package tracetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/trace"
)

const execution = "arn:aws:states:us-east-1:123456789012:execution:m:"

// Run tests a store. setNow sets the clock of the store. Several tests may share a store: prefix makes their ids differ.
func Run(t *testing.T, store trace.Store, prefix string, setNow func(time.Time)) {
	t.Helper()
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	setNow(start)
	for name, test := range map[string]func(*testing.T, trace.Store, string, time.Time){
		"RowsAreWrittenInTurn": rowsAreWrittenInTurn, "ConcurrentWritersLoseNothing": concurrentWritersLoseNothing, "Averages": averages, "IgnoredRows": ignoredRows,
	} {
		t.Run(name, func(t *testing.T) { test(t, store, prefix+name, start) })
	}
	t.Run("Expiry", func(t *testing.T) { expiry(t, store, prefix+"expiry", start, setNow) })
}

func rowsAreWrittenInTurn(t *testing.T, store trace.Store, id string, at time.Time) {
	t.Helper()
	row, err := store.Row(t.Context(), execution+id)
	if diff := cmp.Diff(trace.Row{Execution: execution + id}, row); diff != "" || err != nil {
		t.Fatalf("a missing row: %s, error %v", diff, err)
	}
	row.User, row.Job, row.Title, row.Start, row.Trace, row.UpdatedAt = "ann", "j 1", "Title", at.Add(time.Millisecond), []byte{0, 1, 2}, at
	if row.Version, err = store.PutRow(t.Context(), row); err != nil || row.Version != 1 {
		t.Fatalf("version %d, error %v", row.Version, err)
	}
	stored, err := store.Row(t.Context(), execution+id)
	if diff := cmp.Diff(row, stored); diff != "" || err != nil {
		t.Errorf("the stored row: %s, error %v", diff, err)
	}
	ended := stored
	ended.Ended, ended.Trace = true, bytes.Repeat([]byte{7}, 100<<10) // the largest traces are not much larger
	if ended.Version, err = store.PutRow(t.Context(), ended); err != nil || ended.Version != 2 {
		t.Fatalf("version %d, error %v", ended.Version, err)
	}
	for _, version := range []int64{0, 1, 3} {
		stored.Version = version
		if _, err := store.PutRow(t.Context(), stored); !errors.Is(err, trace.ErrConflict) {
			t.Errorf("version %d: error %v, want a conflict", version, err)
		}
	}
	again, err := store.Row(t.Context(), execution+id)
	if diff := cmp.Diff(ended, again); diff != "" || err != nil {
		t.Errorf("the row after conflicts: %s, error %v", diff, err)
	}
}

// ignoredRows checks that a row may have nothing but the mark that the execution has no job.
func ignoredRows(t *testing.T, store trace.Store, id string, at time.Time) {
	t.Helper()
	ignored := trace.Row{Execution: execution + id, Ignored: true, UpdatedAt: at}
	if _, err := store.PutRow(t.Context(), ignored); err != nil {
		t.Error(err)
	}
	ignored.Version = 1
	again, err := store.Row(t.Context(), execution+id)
	if diff := cmp.Diff(ignored, again); diff != "" || err != nil {
		t.Errorf("the ignored row: %s, error %v", diff, err)
	}
}

func concurrentWritersLoseNothing(t *testing.T, store trace.Store, id string, at time.Time) {
	t.Helper()
	const writers = 8
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() {
			for {
				row, err := store.Row(t.Context(), execution+id)
				if err == nil {
					row.Trace, row.UpdatedAt = append(bytes.Clone(row.Trace), byte(n)), at
					_, err = store.PutRow(t.Context(), row)
				}
				if err == nil {
					return
				}
				if !errors.Is(err, trace.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if row, err := store.Row(t.Context(), execution+id); err != nil || len(row.Trace) != writers || row.Version != writers {
		t.Errorf("the row has %v at version %d, error %v", row.Trace, row.Version, err)
	}
}

func averages(t *testing.T, store trace.Store, id string, at time.Time) {
	t.Helper()
	machine := "arn:aws:states:us-east-1:123456789012:stateMachine:" + id
	if data, version, err := store.Averages(t.Context(), machine); data != nil || version != 0 || err != nil {
		t.Fatalf("missing averages: %v, %d, error %v", data, version, err)
	}
	for n := range int64(3) {
		if err := store.PutAverages(t.Context(), machine, []byte{byte(n), 0}, n, at); err != nil {
			t.Fatal(err)
		}
		if err := store.PutAverages(t.Context(), machine, []byte{9}, n, at); !errors.Is(err, trace.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		data, version, err := store.Averages(t.Context(), machine)
		if !bytes.Equal(data, []byte{byte(n), 0}) || version != n+1 || err != nil {
			t.Errorf("the averages are %v at %d, error %v", data, version, err)
		}
	}
}

// expiry checks that an expired row counts as absent, and may be written as a new one.
func expiry(t *testing.T, store trace.Store, id string, at time.Time, setNow func(time.Time)) {
	t.Helper()
	row := trace.Row{Execution: execution + id, User: "ann", Job: "j", Title: "t", Start: at, Ended: true, UpdatedAt: at}
	if _, err := store.PutRow(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	setNow(row.ExpiresAt())
	missing, err := store.Row(t.Context(), row.Execution)
	if err != nil || missing.Version != 0 {
		t.Fatalf("the expired row is %+v, error %v", missing, err)
	}
	row.UpdatedAt = row.ExpiresAt()
	if version, err := store.PutRow(context.Background(), row); err != nil || version != 1 {
		t.Errorf("version %d, error %v", version, err)
	}
}
