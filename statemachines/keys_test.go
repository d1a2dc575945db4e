package statemachines_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
)

// TestEveryObjectOfAUserIsImportedOrFailsWithItsReason uploads a file with keys under uploads/<user>/, which people write by hand.
func TestEveryObjectOfAUserIsImportedOrFailsWithItsReason(t *testing.T) {
	const format = ". An upload's key is uploads/<user>/<upload>/<file>"
	longest := strings.Repeat("\x01", 169) // the longest name, in bytes of JSON
	for rest, want := range map[string]struct {
		file   string // the upload and the name that the user is shown; a * stands for an id that is made of the key
		reason string // empty if the file is imported
	}{
		"up/f.csv":                {"up f.csv", ""},
		"up/a b&c='\".csv":        {"up a b&c='\".csv", ""},
		"up/" + longest:           {"up " + longest, ""},
		"up/" + longest + "x\x01": {"up " + strings.Repeat("\x01", 168) + "…", "The file's name is too long: it must have at most 1015 bytes, of which a control character takes six"},
		"up/a/b.csv":              {"up a/b.csv", "The file's name must not contain a slash"},
		"up/":                     {"up (no name)", "The file has no name"},
		"f.csv":                   {"* f.csv", "There is no upload's id"},
		"":                        {"* (no name)", "There is no upload's id"},
		"/f.csv":                  {"* f.csv", "There is no upload's id"},
		"u\np/f.csv":              {"* f.csv", "The upload's id must have at most 256 bytes, and no control characters"},
	} {
		t.Run(rest, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t}
				result := w.run(fourRows, csvimport.UploadsPrefix+"YXV0aDB8MQ/"+rest)
				if want.reason == "" {
					if result.Status != asl.StatusSucceeded || len(w.frames) != 3 || !strings.HasPrefix(w.frames[1], want.file+" 100 succeeded: ") {
						t.Errorf("the execution ends %s with %v, after the messages %q", result.Status, result.Error, w.frames)
					}

					return
				}
				if result.Status != asl.StatusFailed || result.Error == nil || result.Error.Name != "InvalidFile" {
					t.Errorf("the execution ends %s with %v, want InvalidFile", result.Status, result.Error)
				}
				if len(w.frames) != 2 || !strings.HasPrefix(w.frames[1], "error INVALID_FILE: "+want.reason+format+" ") {
					t.Fatalf("the user gets %q, want a failed state and an error", w.frames)
				}
				state := w.frames[0]
				if made, ok := strings.CutPrefix(want.file, "* "); ok {
					id, rest, _ := strings.Cut(state, " ")
					if len(id) != 32 {
						t.Errorf("the upload's id is %q, want a hash", id)
					}
					state, want.file = rest, made
				}
				if diff := cmp.Diff(want.file+" 0 failed: "+want.reason+format, state); diff != "" {
					t.Errorf("the state (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(map[string]int{"CsvPlan": 2, "Notifier": 2}, countCalls(result)); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestAnObjectWithoutAUserEndsWithoutARetry uploads a file of which nobody can be told.
func TestAnObjectWithoutAUserEndsWithoutARetry(t *testing.T) {
	for _, key := range []string{"uploads/f.csv", "uploads/no user/up/f.csv", "uploads/YXV0aDB8MQ==/up/f.csv"} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t}
			result := w.run(fourRows, key)
			if result.Status != asl.StatusFailed || result.Error == nil || result.Error.Name != "InvalidFile" {
				t.Errorf("%s: the execution ends %s with %v, want InvalidFile", key, result.Status, result.Error)
			}
			if diff := cmp.Diff(map[string]int{"CsvPlan": 2}, countCalls(result)); diff != "" {
				t.Errorf("%s: calls, of which the second identifies the user (-want +got):\n%s", key, diff)
			}
		})
	}
}
