package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// outbox keeps what is sent, and fails as it is told.
type outbox struct {
	err error

	mu     sync.Mutex
	frames map[string]string
}

func (o *outbox) Send(_ context.Context, id string, frame []byte) error {
	if o.err != nil {
		return o.err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.frames == nil {
		o.frames = map[string]string{}
	}
	o.frames[id] = string(frame)

	return nil
}

type store struct{ err error }

func (s store) Put(context.Context, string, message.Data) error { return s.err }

func notifier(t *testing.T, box *outbox) *notify.Notifier {
	t.Helper()
	rows := &connection.Memory{}
	for _, id := range []string{"c1", "c2"} {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
		if err := rows.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}

	return &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: box}}
}

const progress = `"message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"secret-name.csv","progress":42.5,"message":"Half way"}}`

func TestTheTaskDelivers(t *testing.T) {
	for target, want := range map[string]int{`"userId":"u1"`: 2, `"connectionId":"c2"`: 1, `"userId":"nobody"`: 0} {
		box := &outbox{}
		out, err := notifier(t, box).Handle(t.Context(), json.RawMessage(`{`+target+`,`+progress+`}`))
		if err != nil {
			t.Fatal(err)
		}
		if out.Delivered != want || len(box.frames) != want || out.Stored {
			t.Errorf("%s: %+v, frames %v; want %d delivered", target, out, box.frames, want)
		}
		for _, frame := range box.frames {
			if !strings.Contains(frame, `"job":"u-42"`) || !strings.Contains(frame, out.MessageID) {
				t.Errorf("frame %s lacks its job or id", frame)
			}
		}
	}
}

func TestTheOutputIsWhatWorkflowsRead(t *testing.T) {
	out, err := notifier(t, &outbox{}).Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progress+`}`))
	if err != nil {
		t.Fatal(err)
	}
	out.MessageID = "01J"
	got, err := json.Marshal(out)
	want := `{"messageId":"01J","connections":2,"delivered":2,"gone":0,"failed":0,"expired":0,"stored":false}`
	if err != nil || string(got) != want {
		t.Errorf("output is %s, %v; want %s", got, err, want)
	}
}

func TestErrorsHaveTheNamesThatWorkflowsMatch(t *testing.T) {
	const target = `"userId":"u1",`
	huge := `"message":{"type":"error","data":{"code":"C","message":"` + strings.Repeat("x", message.MaxFrame) + `"}}`
	for _, tt := range []struct {
		name, input string
		send        error
		want        error
	}{
		{"not JSON", `x`, nil, notify.InvalidMessage{Reason: "input must be valid JSON"}},
		{"no target", `{` + progress + `}`, nil, notify.InvalidMessage{Reason: "userId, connectionId exactly one of the two is required"}},
		{"two targets", `{"userId":"u1","connectionId":"c1",` + progress + `}`, nil, notify.InvalidMessage{Reason: "userId, connectionId exactly one of the two is required"}},
		{"empty user", `{"userId":"",` + progress + `}`, nil, notify.InvalidMessage{Reason: "userId must be 1 to 255 bytes"}},
		{"user is a number", `{"userId":7,` + progress + `}`, nil, notify.InvalidMessage{Reason: "userId must be a string"}},
		{"empty connection", `{"connectionId":"",` + progress + `}`, nil, notify.InvalidMessage{Reason: "connectionId must be 1 to 255 bytes"}},
		{"long connection", `{"connectionId":"` + strings.Repeat("x", 256) + `",` + progress + `}`, nil, notify.InvalidMessage{Reason: "connectionId must be 1 to 255 bytes"}},
		{"no message", `{"userId":"u1"}`, nil, notify.InvalidMessage{Reason: "message is required"}},
		{"message is text", `{` + target + `"message":"hi"}`, nil, notify.InvalidMessage{Reason: "message must be a JSON object"}},
		{"field of a later version", `{` + target + `"epoch":"x",` + progress + `}`, nil, notify.InvalidMessage{Reason: "epoch is not a known field"}},
		{
			"bad data", `{` + target + `"message":{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":101}}}`, nil,
			notify.InvalidMessage{Reason: "message.data.progress must be a number from 0 to 100"},
		},
		{"over a frame", `{` + target + huge + `}`, nil, notify.PayloadTooLarge{Reason: "message is 131194 bytes long, the limit is 131072"}},
		{"all fail", `{` + target + progress + `}`, errors.New("403"), notify.DeliveryError{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := notifier(t, &outbox{err: tt.send}).Handle(t.Context(), json.RawMessage(tt.input))
			if err != tt.want { //nolint:errorlint // the outermost type is what counts
				t.Errorf("error is %T %v, want %T %v", err, err, tt.want, tt.want)
			}
			if kind := reflect.TypeOf(err); kind.Kind() != reflect.Struct {
				t.Errorf("error is a %s: aws-lambda-go would name it otherwise", kind.Kind())
			}
		})
	}
}

func TestPublishNamesABadUser(t *testing.T) {
	for _, user := range []string{"", strings.Repeat("x", 256)} {
		err := notifier(t, &outbox{}).Publish(t.Context(), user, message.Error{Code: "C", Message: "m"})
		if want := (notify.InvalidMessage{Reason: "userId must be 1 to 255 bytes"}); err != want { //nolint:errorlint // as above
			t.Errorf("user of %d bytes: %v, want %v", len(user), err, want)
		}
	}
}

func TestAStoredMessageIsNotADeliveryError(t *testing.T) {
	n := notifier(t, &outbox{err: errors.New("403")})
	n.Store = store{}
	out, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progress+`}`))
	if err != nil || !out.Stored || out.Failed != 2 {
		t.Errorf("%+v, %v; want stored, 2 failed", out, err)
	}
	n.Store = store{err: errors.New("table is gone")}
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progress+`}`)); err != (notify.StoreError{}) { //nolint:errorlint // as above
		t.Errorf("store failed: %v, want StoreError", err)
	}
}

func TestTheLogHasNoBodies(t *testing.T) {
	log := &bytes.Buffer{}
	n := notifier(t, &outbox{})
	n.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n.Broadcaster.Log = n.Log
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progress+`}`)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `"delivered":2`) || strings.Contains(log.String(), "secret-name") {
		t.Errorf("log is %s", log)
	}
}

func ExampleNotifier_Publish() {
	n := &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}, Sender: &outbox{}}}
	err := n.Publish(context.Background(), "u1", message.Notification{Title: "Done", Message: "Loud", Severity: "loud"})
	fmt.Println(err)
	// Output: data.severity must be one of info, success, warning, error
}

// FuzzDecode: input never panics, and what is accepted has one target and valid data.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"userId":"u1",` + progress + `}`))
	f.Add([]byte(`{"connectionId":"c",` + progress + `}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := notify.Decode(raw)
		if err != nil {
			return
		}
		if (in.UserID == "") == (in.ConnectionID == "") || in.Message.Validate() != nil {
			t.Errorf("accepted %+v", in)
		}
	})
}
