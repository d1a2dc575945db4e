package csvimport_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
)

// identify runs the plan's step identify with a key. The step must not read the store, so there is none.
func identify(t *testing.T, key string) (csvimport.File, error) {
	t.Helper()
	var e csvimport.Event
	e.Object.Key = key
	out, err := csvimport.NewPlan(csvimport.Config{}).Handle(t.Context(), csvimport.PlanInput{Step: csvimport.StepIdentify, Detail: e})

	return out.File, err
}

// plan runs the plan step with a key. If it accepts the key, it finds no file.
func plan(t *testing.T, key string) (logged string, err error) {
	t.Helper()
	var e csvimport.Event
	e.Object.Key = key
	var log bytes.Buffer
	config := csvimport.Config{Store: &csvimport.Memory{}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	_, err = csvimport.NewPlan(config).Handle(t.Context(), csvimport.PlanInput{Execution: "arn", Detail: e})

	return log.String(), err
}

func TestIdentifyReturnsWhatAnUploadsKeyNames(t *testing.T) {
	for _, id := range []string{"u1", "auth0|a/b", "ä ö?", strings.Repeat("x", 255)} {
		f, err := identify(t, csvimport.UploadKey(id, "up", "f.csv"))
		if diff := cmp.Diff([]string{id, "up", "f.csv"}, []string{f.UserID, f.UploadID, f.FileName}); diff != "" || err != nil {
			t.Errorf("identify %q: error %v (-want +got):\n%s", id, err, diff)
		}
	}
}

// TestAKeyWithoutAUserIsRefusedAndLogged has keys of which nobody can be told.
func TestAKeyWithoutAUserIsRefusedAndLogged(t *testing.T) {
	for _, key := range []string{
		"", "uploads/", "uploads/dTE", "other/dTE/up/f", "/uploads/dTE/up/f", "Uploads/dTE/up/f", "uploads//up/f", "uploads/dTE=/up/f",
		"uploads/dT E/up/f", "uploads/dTF/up/f", "uploads/d/up/f", "uploads/_w/up/f", "uploads/dTE\n/up/f", "uploads/f.csv", "uploads/a/b/c.csv",
		csvimport.UploadKey(strings.Repeat("x", 256), "up", "f"), csvimport.UploadKey("u\uFFFD", "up", "f"), csvimport.UploadKey("a\x00", "up", "f"),
	} {
		var invalid *csvimport.InvalidFile
		if f, err := identify(t, key); !errors.As(err, &invalid) || f.UserID != "" {
			t.Errorf("identify %q is %+v, %v, want InvalidFile", key, f, err)
		}
		if logged, err := plan(t, key); !errors.As(err, &invalid) || !strings.Contains(logged, "hasUser=false") || strings.Count(logged, "\n") != 1 {
			t.Errorf("plan %q: %v, logged %q; want InvalidFile, and one line", key, err, logged)
		}
	}
}

// badKeys has keys that have the user u1 and are not those of uploads, with the upload and the file that the user is shown, and the
// reason. An empty upload stands for an id that is made of the key.
var badKeys = map[string]struct{ upload, file, reason string }{
	"":                                  {"", "(no name)", "There is no upload's id"},
	"f.csv":                             {"", "f.csv", "There is no upload's id"},
	"/f.csv":                            {"", "f.csv", "There is no upload's id"},
	"//":                                {"", "/", "There is no upload's id"},
	"up/":                               {"up", "(no name)", "The file has no name"},
	"up/a/b.csv":                        {"up", "a/b.csv", "The file's name must not contain a slash"},
	"up/a/":                             {"up", "a/", "The file's name must not contain a slash"},
	"up//f.csv":                         {"up", "/f.csv", "The file's name must not contain a slash"},
	"../f.csv":                          {"..", "f.csv", "The upload's id must not be . or .."},
	"./f.csv":                           {".", "f.csv", "The upload's id must not be . or .."},
	"u\x01p/f.csv":                      {"", "f.csv", "The upload's id must have at most 256 bytes, and no control characters"},
	"u\uFFFDp/f.csv":                    {"", "f.csv", "The upload's id must have at most 256 bytes, and no control characters"},
	strings.Repeat("x", 257) + "/f.csv": {"", "f.csv", "The upload's id must have at most 256 bytes, and no control characters"},
	"up/" + strings.Repeat("\x01", 200): {"up", strings.Repeat("\x01", 168) + "…", "The file's name is too long: it must have at most 1015 bytes, of which a control character takes six"},
	"up/" + strings.Repeat("x", 1016):   {"up", strings.Repeat("x", 1012) + "…", "The file's name is too long: it must have at most 1015 bytes, of which a control character takes six"},
}

func TestABadKeyOfAUserHasAFailedStateWithItsReason(t *testing.T) {
	for rest, want := range badKeys {
		key := csvimport.UploadsPrefix + "dTE/" + rest
		f, err := identify(t, key)
		if err != nil || f.UserID != "u1" || f.FileName != want.file || want.upload != "" && f.UploadID != want.upload {
			t.Errorf("identify %q is %+v, %v, want %+v", key, f, err, want)
		}
		if want.upload == "" && !message.ValidID(f.UploadID, 32) {
			t.Errorf("identify %q is %+v, want an id that is made of the key", key, f)
		}
		if again, _ := identify(t, key); again.UploadID != f.UploadID {
			t.Errorf("identify %q: the upload's id is %s, then %s", key, f.UploadID, again.UploadID)
		}
		logged, err := plan(t, key)
		var invalid *csvimport.InvalidFile
		if !errors.As(err, &invalid) || err.Error() != want.reason+". An upload's key is uploads/<user>/<upload>/<file>" {
			t.Errorf("plan %q: %v, want %s", key, err, want.reason)
		}
		if !strings.Contains(logged, "hasUser=true") {
			t.Errorf("plan %q: logged %q", key, logged)
		}
		checkMessages(t, f, err)
	}
}

// TestTheLongestNamesHaveEveryMessage has the longest id and the longest name that are imported.
func TestTheLongestNamesHaveEveryMessage(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", 1015), strings.Repeat(`"`, 507), strings.Repeat("\x01", 169)} {
		key := csvimport.UploadKey("u1", strings.Repeat(`"`, 256), name)
		f, err := identify(t, key)
		if err != nil || f.FileName != name {
			t.Errorf("identify %q is %+v, %v", key, f, err)
		}
		if _, err := plan(t, key); !errors.As(err, new(*csvimport.FileDeleted)) {
			t.Errorf("plan %q: %v, want it accepted, and FileDeleted", key, err)
		}
		checkMessages(t, f, &csvimport.InvalidFile{Line: 1 << 40, Reason: strings.Repeat(`"`, 10_000)})
	}
}

// checkMessages checks the messages of the workflow about a file. failure, if not nil, is the reason why its import fails.
func checkMessages(t *testing.T, f csvimport.File, failure error) {
	t.Helper()
	state := message.UploadProgress{UploadID: f.UploadID, FileName: f.FileName, Progress: 100, Message: "m"}
	messages := []message.Data{
		state, message.Notification{Title: "Imported " + f.FileName, Message: "m", Severity: message.SeveritySuccess},
	}
	if failure != nil {
		state.Status, state.Message = message.StatusFailed, failure.Error()
		details, err := json.Marshal(map[string]string{"uploadId": f.UploadID, "fileName": f.FileName})
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, state, message.Error{Code: "INVALID_FILE", Message: failure.Error(), Details: details})
	}
	for _, m := range messages {
		r := message.Request{UserID: f.UserID, Message: m}
		if err := r.Validate(); err != nil {
			t.Errorf("upload %q, file %q: %T: %v", f.UploadID, f.FileName, m, err)
		}
	}
}

// FuzzKeys checks that every key under uploads/<user>/ either names an upload, or leads to a failed state with a reason, and that
// every message about it is valid.
func FuzzKeys(f *testing.F) {
	f.Add(key)
	f.Add("uploads/dTE/up-1/f.csv")
	for rest := range badKeys {
		f.Add(csvimport.UploadsPrefix + "dTE/" + rest)
	}
	f.Fuzz(func(t *testing.T, key string) {
		file, err := identify(t, key)
		user, _, hasUser := strings.Cut(strings.TrimPrefix(key, csvimport.UploadsPrefix), "/")
		decoded, decodeErr := base64.RawURLEncoding.Strict().DecodeString(user)
		readable := strings.HasPrefix(key, csvimport.UploadsPrefix) && hasUser && decodeErr == nil && !strings.ContainsAny(user, "\r\n") &&
			message.ValidID(string(decoded), message.MaxUserID)
		if (err == nil) != readable || err == nil && file.UserID != string(decoded) {
			t.Fatalf("%q: %+v, %v; the user is %q", key, file, err, decoded)
		}
		if !readable {
			return
		}
		_, failure := plan(t, key)
		if failure == nil {
			t.Fatalf("%q is planned without a file", key)
		}
		checkMessages(t, file, failure)
		refused := errors.As(failure, new(*csvimport.InvalidFile))
		if back := csvimport.UploadKey(file.UserID, file.UploadID, file.FileName); !refused && back != key {
			t.Errorf("%q is understood as %+v, which has the key %q", key, file, back)
		}
	})
}
