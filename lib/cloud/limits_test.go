package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"os"
	"reflect"
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

// limit is one row of the table in lib/message, walked from end to end: what is at the edge is stored, posted and read back
// as it was; what is over it is refused by its field.
type limit struct {
	name string
	most int
	unit string         // what is repeated until it is as long; the rest is made of x
	kind string         // the message's type
	with map[string]any // more of its data
	set  func(request, data map[string]any, text string)
	// refused is what the error begins with.
	refused string
}

func dataField(name string) func(_, data map[string]any, text string) {
	return func(_, data map[string]any, text string) { data[name] = text }
}

func requestField(name string) func(request, _ map[string]any, text string) {
	return func(request, _ map[string]any, text string) { request[name] = text }
}

const (
	progressType     = "upload_progress"
	notificationType = "notification"
	errorType        = "error"
)

var limits = []limit{
	{"user", message.MaxUserID, "x", progressType, nil, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"user of another script", message.MaxUserID, "€", progressType, nil, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"user of quotes", message.MaxUserID, `"`, progressType, nil, requestField("userId"), "userId must be 1 to 255 bytes"},
	{"job", message.MaxID, "x", progressType, nil, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"job of another script", message.MaxID, "€", progressType, nil, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"job of quotes", message.MaxID, `"`, progressType, nil, dataField("uploadId"), "message.data.uploadId must be at most 256 bytes"},
	{"file name", message.MaxName, "x", progressType, nil, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"file name of quotes", message.MaxName, `"`, progressType, nil, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"file name of control characters", message.MaxName, "\x01", progressType, nil, dataField("fileName"), "message.data.fileName must be at most 1024 bytes"},
	{"phase", message.MaxPhase, "\x01", progressType, nil, dataField("phase"), "message.data.phase must be at most 256 bytes"},
	{"key", message.MaxKey, "x", progressType, nil, requestField("key"), "key must be 1 to 1024 bytes"},
	{"key of another script", message.MaxKey, "€", progressType, nil, requestField("key"), "key must be 1 to 1024 bytes"},
	{"key of a note", message.MaxKey, "€", notificationType, nil, requestField("key"), "key must be 1 to 1024 bytes"},
	{"part", message.MaxPartID, "€", progressType, nil, func(request, _ map[string]any, text string) {
		request["part"] = map[string]any{"id": text, "done": int64(message.MaxSteps), "total": int64(message.MaxSteps), "failed": int64(message.MaxSteps)}
	}, "part.id must be 1 to 16 bytes"},
	{"state", message.MaxState, "\n", progressType, map[string]any{}, dataField("message"), "message.data must be at most 2560 bytes of JSON in the state of a job"},
	{"title", message.MaxName, `\`, notificationType, nil, dataField("title"), "message.data.title must be at most 1024 bytes"},
	{"link", message.MaxURL, "x", notificationType, nil, func(_, data map[string]any, text string) {
		data["actionUrl"] = "/" + text[1:]
	}, "message.data.actionUrl must be at most 4096 bytes"},
	{"code", message.MaxName, "\x01", errorType, nil, dataField("code"), "message.data.code must be at most 1024 bytes"},
	{"details", message.MaxDetails, "x", errorType, nil, func(_, data map[string]any, text string) {
		data["details"] = text[len(`""`):]
	}, "message.data.details must be at most 4096 bytes"},
	{"note", message.MaxNote, "\n", errorType, map[string]any{}, dataField("message"), "message.data must be at most 8192 bytes of JSON in a note"},
}

// full is what else a message has: every other field at its own edge.
var full = map[string]map[string]any{
	progressType: {
		"uploadId": strings.Repeat(`"`, message.MaxID), "fileName": strings.Repeat(`\`, message.MaxName/2), "message": text("\x01", message.MaxText),
		"progress": 33.333333333333336, "status": "cancelled", "phase": strings.Repeat(`"`, message.MaxPhase/2), "rowsPerSecond": 1.7976931348623157e+308,
		"currentRow": int64(message.MaxSteps), "totalRows": int64(message.MaxSteps), "etaMs": int64(message.MaxSteps), "failedRows": int64(message.MaxSteps),
	},
	notificationType: {
		"title": strings.Repeat(`"`, message.MaxName/2), "message": text("\x01", message.MaxText), "severity": "success",
		"actionUrl": "https://example.com/" + strings.Repeat("x", message.MaxURL-len("https://example.com/")),
	},
	errorType: {
		"code": strings.Repeat(`"`, message.MaxName/2), "message": text("\x01", message.MaxText), "details": strings.Repeat("x", message.MaxDetails-len(`""`)),
	},
}

// small is the least that a message has.
var small = map[string]map[string]any{
	progressType:     {"uploadId": "u", "fileName": "f", "message": "m", "progress": 1},
	notificationType: {"title": "t", "message": "m", "severity": "info"},
	errorType:        {"code": "C", "message": "m"},
}

// text returns one of so many bytes of JSON.
func text(unit string, size int) string {
	one := len(jsonOf(unit)) - len(`""`)
	return strings.Repeat(unit, size/one) + strings.Repeat("x", size%one)
}

func jsonOf(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// TestEveryLimitIsEnforcedFromRequestToClient tests each limit alone, and with every other field at its limit.
func TestEveryLimitIsEnforcedFromRequestToClient(t *testing.T) {
	stores := map[string]notify.Feed{"memory": &feed.Memory{}}
	if os.Getenv(dynamotest.Dynalite) != "" {
		_, stores["dynamo"] = dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	}
	for store, feed := range stores {
		for _, l := range limits {
			t.Run(store+"/"+l.name, func(t *testing.T) { l.check(t, feed, small) })
			if l.with != nil { // it is the sum of all other fields
				continue
			}
			t.Run(store+"/"+l.name+", and all else at its edge", func(t *testing.T) { l.check(t, feed, full) })
		}
	}
}

// check sends one message at the edge and one over it. Where the bytes count and not those of JSON, the unit is as long in both.
func (l limit) check(t *testing.T, store notify.Feed, rest map[string]map[string]any) {
	t.Helper()
	w := newLimitCheck(t, store)
	request := func(by int) (map[string]any, map[string]any) {
		data := maps.Clone(rest[l.kind])
		r := map[string]any{
			"userId": t.Name(), "message": map[string]any{"type": l.kind, "data": data}, "epoch": "2026-11-22T10:00:00.123Z#9999",
			"execution": "arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:" + strings.Repeat("€", 80) + ":" + strings.Repeat("\U0001F600", 80),
		}
		size := l.most + by
		if l.with != nil { // the whole is measured
			l.set(r, data, "")
			size -= len(jsonOf(decodeData(t, l.kind, data)))
		}
		value := text(l.unit, size)
		if strings.Contains(l.refused, "1 to ") || strings.Contains(l.name, "job") { // an id: bytes count
			value = strings.Repeat(l.unit, size/len(l.unit)) + strings.Repeat("x", size%len(l.unit))
		}
		l.set(r, data, value)
		if r["part"] != nil {
			delete(data, "status")
		}

		return r, data
	}
	r, data := request(0)
	out, err := w.notifier.Handle(t.Context(), json.RawMessage(jsonOf(r)))
	if err != nil {
		t.Fatalf("at its edge it is refused: %v", err)
	}
	want := decodeData(t, l.kind, data)
	w.check(t, r["userId"].(string), out, want)
	r, _ = request(1)
	var invalid notify.InvalidMessage
	if _, err := w.notifier.Handle(t.Context(), json.RawMessage(jsonOf(r))); !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Reason, l.refused) {
		t.Errorf("over its edge: %v, want %q", err, l.refused)
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

// limitCheck is a notifier and a tab of a user.
type limitCheck struct {
	notifier *notify.Notifier
	rows     *connection.Memory
	feed     notify.Feed

	mu     sync.Mutex
	frames [][]byte
}

func newLimitCheck(t *testing.T, store notify.Feed) *limitCheck {
	t.Helper()
	w := &limitCheck{rows: &connection.Memory{}, feed: store}
	w.notifier = &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: oneConnectionPerUser{w.rows}, Sender: w}, Feed: store}
	return w
}

// oneConnectionPerUser has one connection for every user.
type oneConnectionPerUser struct{ *connection.Memory }

func (e oneConnectionPerUser) ByUser(ctx context.Context, user string) iter.Seq2[connection.Connection, error] {
	_ = e.Put(ctx, connection.Connection{ID: "c1", UserID: user, ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)})
	return e.Memory.ByUser(ctx, user)
}

// Send records a frame.
func (w *limitCheck) Send(_ context.Context, _ string, frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, frame)
	return nil
}

// check wants the message in the frame that was posted and in the one that the next sync brings.
func (w *limitCheck) check(t *testing.T, user string, out notify.Output, want message.Data) {
	t.Helper()
	if !out.Stored || len(w.frames) != 1 {
		t.Fatalf("%+v, posted %d times", out, len(w.frames))
	}
	stored := w.stored(t, user, out, want)
	frame, err := stored.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range [][]byte{frame, w.frames[0]} {
		got, err := message.Parse(frame)
		if err != nil {
			t.Fatal(err)
		}
		if state, ok := want.(message.UploadProgress); ok && out.Seq > 0 { // a part's state says less at first
			have, _ := message.AsUploadProgress(got.Data)
			state.Progress, state.CurrentRow, state.FailedRows = have.Progress, have.CurrentRow, have.FailedRows
			state.RowsPerSecond, state.ETAMillis = have.RowsPerSecond, have.ETAMillis
			want = state
		}
		if diff := cmp.Diff(want, got.Data); diff != "" {
			t.Errorf("a client reads (-sent +got):\n%s", diff)
		}
		if len(frame) > message.MaxFrame {
			t.Errorf("the frame has %d bytes", len(frame))
		}
	}
}

func (w *limitCheck) stored(t *testing.T, user string, out notify.Output, want message.Data) message.Envelope {
	t.Helper()
	if state, ok := want.(message.UploadProgress); ok {
		row, err := w.feed.Job(t.Context(), feed.User(user), state.UploadID)
		if err != nil {
			t.Fatal(err)
		}
		text, err := feed.MarshalData(row.State)
		if err != nil || len(text) > feed.MaxState {
			t.Errorf("the state takes %d bytes, %v", len(text), err)
		}
		return row.Envelope()
	}
	notes, err := w.feed.Notes(t.Context(), feed.User(user), "", 50)
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

// TestLongestIDsFitInAnS3Key: a key has at most 1,024 bytes, and a file name 255.
func TestLongestIDsFitInAnS3Key(t *testing.T) {
	const most, longestName = 1024, 255
	user, upload := strings.Repeat("x", message.MaxUserID), strings.Repeat("y", message.MaxID)
	key := csvimport.UploadKey(user, upload, strings.Repeat("z", longestName))
	if len(key) > most {
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
		if may := message.ValidID(id, message.MaxUserID); may != (err == nil) {
			t.Errorf("%.20q of %d bytes may be notified: %v; may connect: %v", id, len(id), may, err)
		}
	}
}

// TestMaximumPartsFitInAJob stores as many parts as a job may have, each of the maximum size.
func TestMaximumPartsFitInAJob(t *testing.T) {
	_, store := dynamotest.Tables(t, dynamotest.Client(t, dynamotest.Dynalite, nil))
	w := newLimitCheck(t, store)
	data := decodeData(t, progressType, full[progressType]).(message.UploadProgress)
	data.Status = ""
	for n := range message.MaxParts {
		id := string(rune('€'+n)) + strings.Repeat("x", message.MaxPartID-len("€"))
		err := w.notifier.Publish(t.Context(), message.Request{
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
