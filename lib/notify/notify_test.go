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
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// recordingSender records the last frame that it posted to each connection. If err is set, every post fails with it.
type recordingSender struct {
	err error

	mu     sync.Mutex
	frames map[string]string // by connection id
}

func (o *recordingSender) Send(_ context.Context, id string, frame []byte) error {
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

// notifierWithoutFeed returns a notifier that stores nothing and posts to two tabs of u1, "c1" and "c2".
func notifierWithoutFeed(t *testing.T, sender *recordingSender) *notify.Notifier {
	t.Helper()
	rows := &connection.Memory{}
	for _, id := range []string{"c1", "c2"} {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
		if err := rows.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}

	return &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: sender}}
}

// progressMessage is the member "message" of the task's input: a state whose file name and message must not be logged.
const progressMessage = `"message":{"type":"upload_progress","data":{"uploadId":"u-42","fileName":"secret-name.csv","progress":42.5,"message":"Half way"}}`

func TestTheTaskDelivers(t *testing.T) {
	for target, want := range map[string]int{`"userId":"u1"`: 2, `"connectionId":"c2"`: 1, `"userId":"nobody"`: 0} {
		sender := &recordingSender{}
		out, err := notifierWithoutFeed(t, sender).Handle(t.Context(), json.RawMessage(`{`+target+`,`+progressMessage+`}`))
		if err != nil {
			t.Fatal(err)
		}
		if out.Delivered != want || len(sender.frames) != want || out.Stored {
			t.Errorf("%s: %+v, frames %v; want %d delivered", target, out, sender.frames, want)
		}
		for _, frame := range sender.frames {
			if !strings.Contains(frame, `"job":"u-42"`) || !strings.Contains(frame, out.MessageID) {
				t.Errorf("frame %s does not contain its job or its id", frame)
			}
		}
	}
}

func TestTheOutputIsWhatWorkflowsRead(t *testing.T) {
	out, err := notifierWithoutFeed(t, &recordingSender{}).Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progressMessage+`}`))
	if err != nil {
		t.Fatal(err)
	}
	out.MessageID = "01J"
	got, err := json.Marshal(out)
	want := `{"messageId":"01J","connections":2,"delivered":2,"gone":0,"failed":0,"expired":0,"stored":false}`
	if err != nil || string(got) != want {
		t.Errorf("output is %s, %v; want %s", got, err, want)
	}
	n := notifierWithoutFeed(t, &recordingSender{})
	n.Feed = &feed.Memory{}
	if out, err = n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progressMessage+`}`)); err != nil {
		t.Fatal(err)
	}
	out.MessageID = "01J"
	got, err = json.Marshal(out)
	want = `{"messageId":"01J","connections":2,"delivered":2,"gone":0,"failed":0,"expired":0,"seq":1,"stored":true,"outcome":"accepted"}`
	if err != nil || string(got) != want {
		t.Errorf("output is %s, %v; want %s", got, err, want)
	}
}

func TestErrorsHaveTheNamesThatWorkflowsMatch(t *testing.T) {
	const target = `"userId":"u1",`
	huge := `"message":{"type":"error","data":{"code":"C","message":"` + strings.Repeat("x", message.MaxFrame) + `"}}`
	for _, tt := range []struct {
		name, input string
		sendErr     error // of every post
		want        error
	}{
		{"not JSON", `x`, nil, notify.InvalidMessage{Reason: "input must be valid JSON"}},
		{"no target", `{` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "userId, connectionId exactly one of the two is required"}},
		{"two targets", `{"userId":"u1","connectionId":"c1",` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "userId, connectionId exactly one of the two is required"}},
		{"empty user", `{"userId":"",` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "userId must be 1 to 255 bytes"}},
		{"user is a number", `{"userId":7,` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "userId must be a string"}},
		{"empty connection", `{"connectionId":"",` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "connectionId must be 1 to 255 bytes"}},
		{"long connection", `{"connectionId":"` + strings.Repeat("x", 256) + `",` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "connectionId must be 1 to 255 bytes"}},
		{"no message", `{"userId":"u1"}`, nil, notify.InvalidMessage{Reason: "message is required"}},
		{"message is text", `{` + target + `"message":"hi"}`, nil, notify.InvalidMessage{Reason: "message must be a JSON object"}},
		{"field of a later version", `{` + target + `"channel":"x",` + progressMessage + `}`, nil, notify.InvalidMessage{Reason: "channel is not a known field"}},
		{
			"bad data", `{` + target + `"message":{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","message":"m","progress":101}}}`, nil,
			notify.InvalidMessage{Reason: "message.data.progress must be a number from 0 to 100"},
		},
		{"over a frame", `{` + target + huge + `}`, nil, notify.PayloadTooLarge{Reason: "message is 131194 bytes long, the limit is 131072"}},
		{"all fail", `{` + target + progressMessage + `}`, errors.New("403"), notify.DeliveryError{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := notifierWithoutFeed(t, &recordingSender{err: tt.sendErr}).Handle(t.Context(), json.RawMessage(tt.input))
			if err != tt.want {
				t.Errorf("error is %T %v, want %T %v", err, err, tt.want, tt.want)
			}
			if kind := reflect.TypeOf(err).Kind(); kind != reflect.Struct {
				t.Errorf("error is a %s; aws-lambda-go takes its name from the type only if it is a struct", kind)
			}
		})
	}
}

func TestPublishNamesTheBadField(t *testing.T) {
	ok := message.Error{Code: "C", Message: "m"}
	for _, tt := range []struct {
		r    message.Request
		want string
	}{
		{message.Request{Message: ok}, "userId, connectionId exactly one of the two is required"},
		{message.Request{UserID: strings.Repeat("x", 256), Message: ok}, "userId must be 1 to 255 bytes"},
		{message.Request{UserID: "u1"}, "message is required"},
		{message.Request{UserID: "u1", Message: message.Error{Code: "C", Message: strings.Repeat("x", feed.MaxNote)}}, "data must be at most 8192 bytes of JSON in a note"},
	} {
		n := notifierWithoutFeed(t, &recordingSender{})
		n.Feed = &feed.Memory{}
		if err := n.Publish(t.Context(), tt.r); err != (notify.InvalidMessage{Reason: tt.want}) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func TestTooLargeMessagesAreNeitherStoredNorPosted(t *testing.T) {
	state := func(n int) string {
		return `{"userId":"u1","message":{"type":"upload_progress","data":{"uploadId":"u","fileName":"f","progress":1,"message":"` + strings.Repeat("x", n) + `"}}}`
	}
	const frameOverhead = 174 // the bytes of the frame in addition to the text of its message
	for _, tt := range []struct {
		size int
		want error
	}{
		{feed.MaxState, notify.InvalidMessage{
			Reason: fmt.Sprintf("message.data must be at most %d bytes of JSON in the state of a job", feed.MaxState),
		}},
		{message.MaxFrame, notify.PayloadTooLarge{
			Reason: fmt.Sprintf("message is %d bytes long, the limit is %d", message.MaxFrame+frameOverhead, message.MaxFrame),
		}},
	} {
		sender, jobs := &recordingSender{}, &feed.Memory{}
		n := notifierWithoutFeed(t, sender)
		n.Feed = jobs
		if _, err := n.Handle(t.Context(), json.RawMessage(state(tt.size))); err != tt.want {
			t.Errorf("%v, want %v", err, tt.want)
		}
		if _, err := jobs.Job(t.Context(), feed.User("u1"), "u"); !errors.Is(err, feed.ErrNotFound) || len(sender.frames) != 0 {
			t.Errorf("stored: %v, posted: %v", err, sender.frames)
		}
	}
	toConnection := strings.Replace(state(feed.MaxState), `"userId":"u1"`, `"connectionId":"c1"`, 1)
	n := notifierWithoutFeed(t, &recordingSender{})
	n.Feed = &feed.Memory{}
	if out, err := n.Handle(t.Context(), json.RawMessage(toConnection)); err != nil || out.Delivered != 1 {
		t.Errorf("a message to a connection: %+v, %v; want it delivered, because it is not stored and needs no limit of the feed", out, err)
	}
}

func TestTheLogHasNoBodies(t *testing.T) {
	log := &bytes.Buffer{}
	n := notifierWithoutFeed(t, &recordingSender{})
	n.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n.Broadcaster.Log = n.Log
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progressMessage+`}`)); err != nil {
		t.Fatal(err)
	}
	n.Feed = &faultyFeed{Memory: &feed.Memory{}, fault: map[string]fault{"Apply": notApplied}}
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progressMessage+`}`)); err != nil {
		t.Fatal(err)
	}
	n.Feed = &feed.Memory{}
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1",`+progressMessage+`}`)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"delivered":2`, `"stored":false`, `"outcome":"accepted","seq":1`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log does not contain %s:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "secret-name") || strings.Contains(log.String(), "Half way") {
		t.Errorf("log is %s", log)
	}
}

// TestEachMessageIsOneLineOfTheLog: a request that is refused also gives one line. The line of a worker's message has the level
// DEBUG, because workers publish often.
func TestEachMessageIsOneLineOfTheLog(t *testing.T) {
	log := &bytes.Buffer{}
	n := notifierWithoutFeed(t, &recordingSender{})
	n.Log, n.Feed = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), &feed.Memory{}
	expectLine := func(level, content string) {
		t.Helper()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"level":"`+level+`"`) || !strings.Contains(got, content) {
			t.Errorf("logged %q, want one line at %s with %s", got, level, content)
		}
		if strings.Contains(log.String(), "secret-name") || strings.Contains(log.String(), "Half way") {
			t.Errorf("the log holds a body: %s", log)
		}
		log.Reset()
	}
	for _, target := range []string{`"userId":"u1"`, `"userId":"nobody"`, `"connectionId":"c1"`} {
		if _, err := n.Handle(t.Context(), json.RawMessage(`{`+target+`,`+progressMessage+`}`)); err != nil {
			t.Fatal(err)
		}
		expectLine("INFO", `"type":"upload_progress"`)
	}
	if _, err := n.Handle(t.Context(), json.RawMessage(`{"userId":"u1","epoch":"secret-name",`+progressMessage+`}`)); err == nil {
		t.Fatal("a bad epoch was accepted")
	}
	expectLine("WARN", "epoch must be")
	if err := n.Publish(t.Context(), message.Request{UserID: "u1", Message: message.Error{Code: "C", Message: "Half way"}}); err != nil {
		t.Fatal(err)
	}
	expectLine("DEBUG", `"type":"error"`)
}

func ExampleNotifier_Publish() {
	n := &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: &connection.Memory{}, Sender: &recordingSender{}}}
	loud := message.Notification{Title: "Done", Message: "Loud", Severity: "loud"}
	err := n.Publish(context.Background(), message.Request{UserID: "u1", Message: loud})
	fmt.Println(err)
	// Output: data.severity must be one of info, success, warning, error
}
