package statemachines_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/asltest"
	"github.com/herald-progress/herald/lib/csvimport"
)

// TestCSVImport runs the workflow on a world, in which the functions of a case fail as functionErrors and failingCalls say. It checks the
// end of the execution, the messages that the user gets, and how often each function is called.
func TestCSVImport(t *testing.T) {
	const (
		internal = "The import failed because of a problem on our side. Please upload the file again later."
		details  = ` {"uploadId":"up","fileName":"f.csv"}`
		deleted  = "The file is no longer there: it was deleted before its import ended"
		replaced = "The file is no longer there: another one replaced it before its import ended"
		missing  = `Line 1: the column quantity is missing. The columns found are "part", "color". Name the column that holds it "quantity"`
		started  = "up f.csv 5 running: Importing 4 rows"
		complete = "up f.csv 100 succeeded: Imported 3 of 4 rows, 1 rejected"
		note     = "notification warning: Imported f.csv: 3 of 4 rows were imported, 1 rejected"
	)
	key := csvimport.UploadKey("auth0|1", "up", "f.csv")
	for _, tt := range []struct {
		name, content, key string
		functionErrors     map[string]error
		failingCalls       int
		status             asl.Status
		wantError          string
		frames             []string
		calls              map[string]int
	}{
		{
			name: "success", content: fourRows, key: key, status: asl.StatusSucceeded,
			frames: []string{started, complete, note}, calls: map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "one range, no rejected rows", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusSucceeded,
			frames: []string{
				"up f.csv 5 running: Importing 1 rows", "up f.csv 100 succeeded: Imported 1 of 1 rows",
				"notification success: Imported f.csv: 1 of 1 rows were imported",
			},
			calls: map[string]int{"CsvPlan": 1, "CsvChunk": 1, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "a stray quote that has swallowed a row", key: key, status: asl.StatusSucceeded,
			content: "part,note,color,quantity\n1,\"5 inch,Red,1\n2,6\" disc,Red,1\n",
			frames: []string{
				"up f.csv 5 running: Importing 1 rows", "up f.csv 100 succeeded: Imported 1 of 1 rows",
				"notification warning: Imported f.csv: 1 of 1 rows were imported. Check line 2: a quote there opens a value of several lines. " +
					"If these lines are rows of their own, remove the quote",
			},
			calls: map[string]int{"CsvPlan": 1, "CsvChunk": 1, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "no rows", content: "part,color,quantity\n", key: key, status: asl.StatusSucceeded,
			frames: []string{
				"up f.csv 5 running: Importing 0 rows", "up f.csv 100 succeeded: Imported 0 of 0 rows",
				"notification success: Imported f.csv: 0 of 0 rows were imported",
			},
			calls: map[string]int{"CsvPlan": 1, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "invalid file", content: "part,color\n", key: key, status: asl.StatusFailed, wantError: "InvalidFile",
			frames: []string{
				"up f.csv 0 failed: " + missing,
				"error INVALID_FILE: " + missing + details,
			},
			calls: map[string]int{"CsvPlan": 2, "Notifier": 2},
		},
		{
			name: "the file is deleted before its import", key: key, status: asl.StatusFailed, wantError: "FileDeleted",
			frames: []string{"up f.csv 0 failed: " + deleted, "error FILE_DELETED: " + deleted + details},
			calls:  map[string]int{"CsvPlan": 2, "Notifier": 2},
		},
		{
			name: "the file is deleted while a chunk works", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusFailed, wantError: "FileDeleted",
			functionErrors: map[string]error{"CsvChunk": &csvimport.FileDeleted{}},
			frames:         []string{"up f.csv 5 running: Importing 1 rows", "up f.csv 0 failed: " + deleted, "error FILE_DELETED: " + deleted + details},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 1, "Notifier": 3},
		},
		{
			name: "the file is deleted before the import is finished", content: fourRows, key: key, status: asl.StatusFailed, wantError: "FileDeleted",
			functionErrors: map[string]error{"CsvFinish": &csvimport.FileDeleted{}},
			frames:         []string{started, "up f.csv 0 failed: " + deleted, "error FILE_DELETED: " + deleted + details},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "the file is replaced by one that is never imported", content: fourRows, key: key, status: asl.StatusFailed, wantError: "FileReplaced",
			functionErrors: map[string]error{"CsvFinish": &csvimport.FileReplaced{}},
			frames:         []string{started, "up f.csv 0 failed: " + replaced, "error FILE_REPLACED: " + replaced + details},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 3, "Notifier": 3},
		},
		{
			name: "a newer import supersedes it before its plan", content: fourRows, key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"CsvPlan": &csvimport.Superseded{}},
			calls:          map[string]int{"CsvPlan": 1},
		},
		{
			name: "a newer import supersedes it in a chunk", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"CsvChunk": &csvimport.Superseded{}},
			frames:         []string{"up f.csv 5 running: Importing 1 rows"},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 1, "CsvFinish": 1, "Notifier": 1},
		},
		{
			name: "a newer import supersedes it in a chunk, and its staged files cannot be removed", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"CsvChunk": &csvimport.Superseded{}, "CsvFinish": &csvimport.StoreError{Op: "delete", Err: io.EOF}},
			frames:         []string{"up f.csv 5 running: Importing 1 rows"},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 1, "CsvFinish": 6, "Notifier": 1},
		},
		{
			name: "a newer import supersedes it when it is finished", content: fourRows, key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"CsvFinish": &csvimport.Superseded{}},
			frames:         []string{started},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 1},
		},
		{
			name: "plan crashes three times", content: fourRows, key: key, status: asl.StatusFailed, wantError: "Runtime.ExitError",
			functionErrors: map[string]error{"CsvPlan": crash("Runtime.ExitError", "signal: killed at 10.0.0.1")}, failingCalls: 3,
			frames: []string{"up f.csv 0 failed: " + internal, "error INTERNAL_ERROR: " + internal + details},
			calls:  map[string]int{"CsvPlan": 4, "Notifier": 2},
		},
		{
			name: "plan and identify always crash, so that no notification is sent", content: fourRows, key: key, status: asl.StatusFailed, wantError: "Runtime.ExitError",
			functionErrors: map[string]error{"CsvPlan": crash("Runtime.ExitError", "signal: killed")},
			calls:          map[string]int{"CsvPlan": 6},
		},
		{
			name: "the key is not that of an upload", content: fourRows, key: "uploads/f.csv", status: asl.StatusFailed, wantError: "InvalidFile",
			calls: map[string]int{"CsvPlan": 2},
		},
		{
			name: "the store is down while a chunk works", content: "part,color,quantity\n1,Red,1\n", key: key, status: asl.StatusFailed, wantError: "StoreError",
			functionErrors: map[string]error{"CsvChunk": &csvimport.StoreError{Op: "read range", Err: errors.New("10.0.0.1 unreachable")}},
			frames:         []string{"up f.csv 5 running: Importing 1 rows", "up f.csv 0 failed: " + internal, "error INTERNAL_ERROR: " + internal + details},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 6, "Notifier": 3},
		},
		{
			name: "the store is down for a moment", content: fourRows, key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"CsvChunk": &csvimport.StoreError{Op: "read range", Err: io.ErrUnexpectedEOF}}, failingCalls: 4,
			frames: []string{started, complete, note}, calls: map[string]int{"CsvPlan": 1, "CsvChunk": 6, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "finish fails", content: fourRows, key: key, status: asl.StatusFailed, wantError: "Unknown",
			functionErrors: map[string]error{"CsvFinish": crash("Unknown", "x")},
			frames:         []string{started, "up f.csv 0 failed: " + internal, "error INTERNAL_ERROR: " + internal + details},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "the notifier is down", content: fourRows, key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"Notifier": crash("StoreError", "x")},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 9},
		},
		{
			name: "the notifier rejects the message, which is not retried", content: fourRows, key: key, status: asl.StatusSucceeded,
			functionErrors: map[string]error{"Notifier": crash("InvalidMessage", "x")},
			calls:          map[string]int{"CsvPlan": 1, "CsvChunk": 2, "CsvFinish": 1, "Notifier": 3},
		},
		{
			name: "the notifier is down when the import fails", content: "part\n", key: key, status: asl.StatusFailed, wantError: "InvalidFile",
			functionErrors: map[string]error{"Notifier": crash("DeliveryError", "x")},
			calls:          map[string]int{"CsvPlan": 2, "Notifier": 6},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, functionErrors: tt.functionErrors, failingCalls: tt.failingCalls}
				result := w.run(tt.content, tt.key)
				name := ""
				if result.Error != nil {
					name = result.Error.Name
				}
				if result.Status != tt.status || name != tt.wantError {
					t.Errorf("execution ends %s with %v, want %s %s", result.Status, result.Error, tt.status, tt.wantError)
				}
				if diff := cmp.Diff(tt.frames, w.frames); diff != "" {
					t.Errorf("frames (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.calls, countCalls(result)); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestCSVImportIgnoresARepeatedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		content, key := "part,color,quantity\n1,Red,1\n", csvimport.UploadKey("auth0|1", "up", "f.csv")
		if r := w.run(content, key); r.Status != asl.StatusSucceeded {
			t.Fatalf("first execution ends %s with %v", r.Status, r.Error)
		}
		w.frames = nil
		time.Sleep(time.Second)
		r := w.run(content, key)
		if r.Status != asl.StatusSucceeded || string(r.Output) != `{"repeated":true}` {
			t.Errorf("second execution ends %s with %s %v, want a success that notifies nobody", r.Status, r.Output, r.Error)
		}
		if diff := cmp.Diff(map[string]int{"CsvPlan": 1}, countCalls(r)); diff != "" || w.frames != nil {
			t.Errorf("calls (-want +got):\n%s frames %q", diff, w.frames)
		}
	})
}

func TestCSVImportEndsWhenTheNotifierHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := asltest.TaskFunc(func(ctx context.Context, _ asl.Task) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		run := (&world{t: t}).run("", csvimport.UploadKey("auth0|1", "up", "f.csv"), asltest.Tasks{"Notifier": hang})
		run.WantError("FileDeleted", "")
		run.WantDuration(36 * time.Second) // Two notifications: each has three attempts of 5 s, and pauses of 1 s and 2 s.
	})
}
