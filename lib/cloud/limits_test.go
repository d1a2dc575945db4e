package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// limit is one row of the table of limits in lib/message. A value at the limit is stored, posted and read back unchanged. A longer
// value is refused with an error that names the field.
type limit struct {
	name string
	max  int
	unit string // is repeated until the value is long enough; x fills the rest. It is empty for a number
	kind string // the message's type
	// ofAllData is true if the limit is about the message's data as JSON, not about one field.
	ofAllData bool
	// set sets the limited field of the request or of its data.
	set func(request, data map[string]any, text string)
	// wantError is the beginning of the error for a longer value.
	wantError string
}

// dataField returns a set function for a field of the data.
func dataField(name string) func(_, data map[string]any, text string) {
	return func(_, data map[string]any, text string) { data[name] = text }
}

// numberField returns a set function for a number of the data, whose value is the length of the text. It also sets other fields.
func numberField(name string, others map[string]any) func(_, data map[string]any, text string) {
	return func(_, data map[string]any, text string) {
		maps.Copy(data, others)
		data[name] = len(text)
	}
}

// stepField returns a set function for a field of the first of two steps.
func stepField(name string) func(_, data map[string]any, text string) {
	return func(_, data map[string]any, text string) {
		first := map[string]any{"name": "s", "at": "2026-11-22T10:00:00.123Z", "status": "failed"}
		first[name] = text
		data["steps"], data["message"] = []map[string]any{first, {"name": "next"}}, "m"
	}
}

// requestField returns a set function for a field of the request.
func requestField(name string) func(request, _ map[string]any, text string) {
	return func(request, _ map[string]any, text string) { request[name] = text }
}

const (
	progressType     = "upload_progress"
	jobType          = "job_progress"
	notificationType = "notification"
	errorType        = "error"
)

var limits = []limit{
	{"user", message.MaxUserID, "x", progressType, false, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"user of another script", message.MaxUserID, "€", progressType, false, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"user of quotes", message.MaxUserID, `"`, progressType, false, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"job", message.MaxID, "x", progressType, false, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"job of another script", message.MaxID, "€", progressType, false, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"job of quotes", message.MaxID, `"`, progressType, false, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"file name", message.MaxName, "x", progressType, false, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"file name of quotes", message.MaxName, `"`, progressType, false, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"file name of control characters", message.MaxName, "\x01", progressType, false, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"job that is no file", message.MaxID, "€", jobType, false, dataField("jobId"), "message.data.jobId must be at most 256 bytes"},
	{"title of a report", message.MaxName, `"`, jobType, false, dataField("title"), "message.data.title must be at most 1024 bytes"},
	{"phase of a report", message.MaxPhase, "\x01", jobType, false, dataField("phase"), "message.data.phase must be at most 256 bytes"},
	{"state of a report", message.MaxState, "\n", jobType, true, dataField("message"), "message.data must be at most 2560 bytes of JSON in the state of a job"},
	{"attempt", message.MaxAttempt, "", progressType, false, numberField("attempt", nil), "message.data.attempt must be from 1 to 9999"},
	{"attempts at most", message.MaxAttempt, "", jobType, false, numberField("of", map[string]any{"attempt": message.MaxAttempt}), "message.data.of must be from 1 to 9999"},
	{"silence until a job is stalled", message.MaxExpectEvery, "", progressType, false, numberField("expectEvery", map[string]any{"message": "m"}), "message.data.expectEvery must be from 5 to 86400 seconds"},
	{"silence until a job ends", message.MaxEndAfter, "", progressType, false, numberField("endAfter", map[string]any{"message": "m"}), "message.data.endAfter must be from 60 to 2592000 seconds"},
	{"result as a key", message.MaxResultKey, "x", progressType, false, func(request, data map[string]any, text string) {
		prefix := message.ResultPrefix(request["userId"].(string))
		data["result"], data["status"], data["message"], data["fileName"] = prefix+text[len(prefix):], "succeeded", "m", "f"
	}, "message.data.result must be at most 1024 bytes"},
	{"step", message.MaxStepName, `"`, progressType, false, stepField("name"), "message.data.steps[0].name must be at most 320 bytes"},
	{"title of a step", message.MaxStepName, "\x01", jobType, false, stepField("title"), "message.data.steps[0].title must be at most 320 bytes"},
	{"steps", message.MaxListedSteps, "", jobType, false, func(_, data map[string]any, text string) {
		steps := slices.Repeat([]map[string]any{{"name": "s", "status": "succeeded"}}, len(text))
		data["steps"], data["title"], data["message"] = steps, "t", "m"
	}, "message.data.steps must be at most 32 steps"},
	{"phase", message.MaxPhase, "\x01", progressType, false, dataField("phase"), "message.data.phase must be at most 256 bytes"},
	{"key", message.MaxKey, "x", progressType, false, requestField("key"), "key must be 1 to 1024 bytes"},
	{"key of another script", message.MaxKey, "€", progressType, false, requestField("key"), "key must be 1 to 1024 bytes"},
	{"key of a note", message.MaxKey, "€", notificationType, false, requestField("key"), "key must be 1 to 1024 bytes"},
	{"part", message.MaxPartID, "€", progressType, false, func(request, _ map[string]any, text string) {
		request["part"] = map[string]any{"id": text, "done": int64(message.MaxSteps), "total": int64(message.MaxSteps), "failed": int64(message.MaxSteps)}
	}, "part.id must be 1 to 16 bytes"},
	{"state", message.MaxState, "\n", progressType, true, dataField("message"), "message.data must be at most 2560 bytes of JSON in the state of a job"},
	{"title", message.MaxName, `\`, notificationType, false, dataField("title"), "message.data.title must be at most 1024 bytes"},
	{"link", message.MaxURL, "x", notificationType, false, func(_, data map[string]any, text string) {
		data["actionUrl"] = "/" + text[1:] // the slash counts, too
	}, "message.data.actionUrl must be at most 4096 bytes"},
	{"code", message.MaxName, "\x01", errorType, false, dataField("code"), "message.data.code must be at most 1024 bytes"},
	{"details", message.MaxDetails, "x", errorType, false, func(_, data map[string]any, text string) {
		data["details"] = text[len(`""`):] // the quotes of its JSON count, too
	}, "message.data.details must be at most 4096 bytes"},
	{"note", message.MaxNote, "\n", errorType, true, dataField("message"), "message.data must be at most 8192 bytes of JSON in a note"},
}

// full has data with every field at its limit, by the type of the message.
var full = map[string]map[string]any{
	progressType: {
		"uploadId": strings.Repeat(`"`, message.MaxID), "fileName": strings.Repeat(`\`, message.MaxName/2), "message": text("\x01", message.MaxText),
		"progress": 33.333333333333336, "status": "cancelled", "phase": strings.Repeat(`"`, message.MaxPhase/2), "rowsPerSecond": 1.7976931348623157e+308,
		"currentRow": int64(message.MaxSteps), "totalRows": int64(message.MaxSteps), "etaMs": int64(message.MaxSteps), "failedRows": int64(message.MaxSteps),
		"attempt": message.MaxAttempt, "of": message.MaxAttempt,
	},
	jobType: {
		"jobId": strings.Repeat(`"`, message.MaxID), "title": strings.Repeat(`\`, message.MaxName/2), "message": text("\x01", message.MaxText),
		"progress": 33.333333333333336, "status": "cancelled", "phase": strings.Repeat(`"`, message.MaxPhase/2), "rowsPerSecond": 1.7976931348623157e+308,
		"currentRow": int64(message.MaxSteps), "totalRows": int64(message.MaxSteps), "etaMs": int64(message.MaxSteps), "failedRows": int64(message.MaxSteps),
		"attempt": message.MaxAttempt, "of": message.MaxAttempt,
	},
	notificationType: {
		"title": strings.Repeat(`"`, message.MaxName/2), "message": text("\x01", message.MaxText), "severity": "success",
		"actionUrl": "https://example.com/" + strings.Repeat("x", message.MaxURL-len("https://example.com/")),
	},
	errorType: {
		"code": strings.Repeat(`"`, message.MaxName/2), "message": text("\x01", message.MaxText), "details": strings.Repeat("x", message.MaxDetails-len(`""`)),
	},
}

// small has the smallest valid data, by the type of the message.
var small = map[string]map[string]any{
	progressType:     {"uploadId": "u", "fileName": "f", "message": "m", "progress": 1},
	jobType:          {"jobId": "j", "title": "t", "message": "m", "progress": 1},
	notificationType: {"title": "t", "message": "m", "severity": "info"},
	errorType:        {"code": "C", "message": "m"},
}

// text returns a text that has size bytes in JSON: repeated units, and x for the rest.
func text(unit string, size int) string {
	unitSize := len(jsonOf(unit)) - len(`""`)
	return strings.Repeat(unit, size/unitSize) + strings.Repeat("x", size%unitSize)
}

// jsonOf returns v as JSON without HTML escapes.
func jsonOf(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// TestEveryLimitIsEnforcedFromRequestToClient tests each limit in a small message, and in one with every other field at its limit.
func TestEveryLimitIsEnforcedFromRequestToClient(t *testing.T) {
	stores := map[string]notify.Feed{"memory": &feed.Memory{}}
	if os.Getenv(dynamotest.Dynalite) != "" {
		_, stores["dynamo"] = dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	}
	for storeName, store := range stores {
		for _, l := range limits {
			t.Run(storeName+"/"+l.name, func(t *testing.T) { l.check(t, store, small) })
			if l.ofAllData { // The other fields count against the same limit.
				continue
			}
			t.Run(storeName+"/"+l.name+", and every other field at its limit", func(t *testing.T) { l.check(t, store, full) })
		}
	}
}

// check sends a message with a value at the limit, and one with a value that is a byte longer. The length of an ID is counted in
// bytes, that of other fields in bytes of JSON.
func (l limit) check(t *testing.T, store notify.Feed, otherData map[string]map[string]any) {
	t.Helper()
	c := newLimitCheck(t, store)
	// The errors of ids say "1 to", except those of jobs.
	isID := strings.Contains(l.wantError, "1 to ") || strings.Contains(l.name, "job")
	// newRequest returns a request whose value is excess bytes longer than the limit.
	newRequest := func(excess int) (request, data map[string]any) {
		data = maps.Clone(otherData[l.kind])
		request = map[string]any{
			"userId": t.Name(), "message": map[string]any{"type": l.kind, "data": data}, "epoch": "2026-11-22T10:00:00.123Z#9999",
			"execution": "arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:" + strings.Repeat("€", 80) + ":" + strings.Repeat("\U0001F600", 80),
		}
		size := l.max + excess
		if l.ofAllData {
			l.set(request, data, "")
			size -= len(jsonOf(decodeData(t, l.kind, data)))
		}
		unit := l.unit
		if unit == "" {
			unit = "x"
		}
		value := text(unit, size)
		if isID {
			value = strings.Repeat(unit, size/len(unit)) + strings.Repeat("x", size%len(unit))
		}
		l.set(request, data, value)
		if request["part"] != nil { // a part must not have the terminal status of full
			delete(data, "status")
		}
		return request, data
	}
	request, data := newRequest(0)
	out, err := c.notifier.Handle(t.Context(), json.RawMessage(jsonOf(request)))
	if err != nil {
		t.Fatalf("a value at the limit is refused: %v", err)
	}
	want := decodeData(t, l.kind, data)
	c.check(t, request["userId"].(string), out, want)
	request, _ = newRequest(1)
	var invalid notify.InvalidMessage
	if _, err := c.notifier.Handle(t.Context(), json.RawMessage(jsonOf(request))); !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Reason, l.wantError) {
		t.Errorf("a value over the limit: %v, want %q", err, l.wantError)
	}
}

// decodeData returns data as a client reads it.
func decodeData(t *testing.T, kind string, data map[string]any) message.Data {
	t.Helper()
	e, err := message.Parse([]byte(jsonOf(map[string]any{"type": kind, "data": data})))
	if err != nil {
		t.Fatal(err)
	}
	return e.Data
}

// limitCheck is a notifier with one connection for each user. It records the frames that are posted.
type limitCheck struct {
	notifier *notify.Notifier
	feed     notify.Feed

	mu     sync.Mutex
	frames [][]byte
}

func newLimitCheck(t *testing.T, store notify.Feed) *limitCheck {
	t.Helper()
	c := &limitCheck{feed: store}
	c.notifier = &notify.Notifier{
		Broadcaster: &broadcast.Broadcaster{Store: oneConnectionPerUser{&connection.Memory{}}, Sender: c}, Feed: store,
	}
	return c
}

// oneConnectionPerUser has one connection for every user.
type oneConnectionPerUser struct{ *connection.Memory }

func (o oneConnectionPerUser) ByUser(ctx context.Context, user string) iter.Seq2[connection.Connection, error] {
	_ = o.Put(ctx, connection.Connection{ID: "c1", UserID: user, ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)})
	return o.Memory.ByUser(ctx, user)
}

// Send records a frame.
func (c *limitCheck) Send(_ context.Context, _ string, frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, frame)
	return nil
}

// check compares the message with the frame that was posted and with the frame that the next sync would send.
func (c *limitCheck) check(t *testing.T, user string, out notify.Output, want message.Data) {
	t.Helper()
	if !out.Stored || len(c.frames) != 1 {
		t.Fatalf("%+v, posted %d times", out, len(c.frames))
	}
	stored := c.stored(t, user, out, want)
	syncFrame, err := stored.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range [][]byte{syncFrame, c.frames[0]} {
		got, err := message.Parse(frame)
		if err != nil {
			t.Fatal(err)
		}
		if state, ok := message.AsUploadProgress(want); ok && out.Seq > 0 { // If the job has parts, the feed computes these fields.
			gotState, _ := message.AsUploadProgress(got.Data)
			state.Progress, state.CurrentRow, state.FailedRows = gotState.Progress, gotState.CurrentRow, gotState.FailedRows
			state.RowsPerSecond, state.ETAMillis = gotState.RowsPerSecond, gotState.ETAMillis
			want = message.AsType(want.Type(), state)
		}
		if diff := cmp.Diff(want, got.Data); diff != "" {
			t.Errorf("a client reads (-sent +got):\n%s", diff)
		}
		if len(frame) > message.MaxFrame {
			t.Errorf("the frame has %d bytes", len(frame))
		}
	}
}

// stored returns the message as the feed has stored it.
func (c *limitCheck) stored(t *testing.T, user string, out notify.Output, want message.Data) message.Envelope {
	t.Helper()
	if state, ok := message.AsUploadProgress(want); ok {
		row, err := c.feed.Job(t.Context(), feed.User(user), state.UploadID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := feed.MarshalData(message.AsType(row.Type, row.State))
		if err != nil || len(text) > feed.MaxState {
			t.Errorf("the state takes %d bytes, %v", len(text), err)
		}
		return row.Envelope()
	}
	notes, err := c.feed.Notes(t.Context(), feed.User(user), "", 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range notes {
		if note.ID == out.MessageID {
			return note.Envelope()
		}
	}
	t.Fatal("the note is not stored")
	return message.Envelope{}
}

// TestLongestIDsFitInAnS3Key makes the key of an upload from the longest IDs and the longest file name. A key of S3 has at most
// 1,024 bytes, and a file name at most 255 bytes in common file systems.
func TestLongestIDsFitInAnS3Key(t *testing.T) {
	const maxKey, maxFileName = 1024, 255
	user, upload := strings.Repeat("x", message.MaxUserID), strings.Repeat("y", message.MaxID)
	key := csvimport.UploadKey(user, upload, strings.Repeat("z", maxFileName))
	if len(key) > maxKey {
		t.Errorf("the key has %d bytes", len(key))
	}
	var event csvimport.Event
	event.Object.Key = key
	out, err := csvimport.NewPlan(csvimport.Config{}).Handle(t.Context(), csvimport.PlanInput{Step: csvimport.StepIdentify, Detail: event})
	if err != nil || out.File.UserID != user || out.File.UploadID != upload {
		t.Errorf("%+v, %v", out.File, err)
	}
}

func TestTokensAndMessagesAcceptTheSameUserIDs(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	verifier, err := auth.New(auth.Config{Secret: []byte(key)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{
		"u", strings.Repeat("x", message.MaxUserID), strings.Repeat("x", message.MaxUserID+1), strings.Repeat("€", message.MaxUserID/3),
		strings.Repeat("€", message.MaxUserID/3+1), `auth0|"\/`, "a b", "a\nb", "\x00", "\u0085", "\u2028", "\ufffd",
	} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": id, "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.Verify(t.Context(), token)
		if valid := message.ValidID(id, message.MaxUserID); valid != (err == nil) {
			t.Errorf("%.20q of %d bytes: valid in a message: %v, in a token: %v", id, len(id), valid, err)
		}
	}
}

// TestMaximumPartsFitInAJob stores as many parts as a job may have, each of the maximum size.
func TestMaximumPartsFitInAJob(t *testing.T) {
	_, store := dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	c := newLimitCheck(t, store)
	data := decodeData(t, progressType, full[progressType]).(message.UploadProgress)
	data.Status = ""
	for n := range message.MaxParts {
		id := string(rune('€'+n)) + strings.Repeat("x", message.MaxPartID-len("€"))
		err := c.notifier.Publish(t.Context(), message.Request{
			UserID: "u1", Message: data, Part: &message.Part{ID: id, Done: message.MaxSteps, Total: message.MaxSteps, Failed: message.MaxSteps},
		})
		if err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
	}
	row, err := store.Job(t.Context(), feed.User("u1"), data.UploadID)
	if err != nil || len(row.Parts) != message.MaxParts || reflect.DeepEqual(row.Scope, feed.Scope{}) {
		t.Errorf("%d parts, %v", len(row.Parts), err)
	}
}
