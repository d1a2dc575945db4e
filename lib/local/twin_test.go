package local_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/logtest"
	"github.com/herald-progress/herald/lib/message"
)

// partsList is the path of a CSV file without its ending .csv; .expected.json is the ending of the summary of its import.
const partsList = "../../testdata/parts-list"

// startTwin returns a twin and what it logs.
func startTwin(t *testing.T) (*local.Twin, *logtest.Buffer) {
	t.Helper()
	log := &logtest.Buffer{}
	twin, err := local.Start(t.Context(), local.Config{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	return twin, log
}

// openTab opens a browser's tab of the user.
func openTab(t *testing.T, twin *local.Twin, user string) *client.Conn {
	t.Helper()
	token, err := twin.Token(user, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), twin.WebSocketURL(), token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// until returns the frames of a tab up to the first one for which done returns true, which is the last of them.
func until(t *testing.T, c *client.Conn, done func(message.Envelope) bool) []message.Envelope {
	t.Helper()
	var frames []message.Envelope
	for {
		e, _, err := c.Next(t.Context())
		if err != nil {
			t.Fatalf("after %d frames: %v", len(frames), err)
		}
		frames = append(frames, e)
		if done(e) {
			return frames
		}
	}
}

// twinS3 returns a client of the twin's S3.
func twinS3(twin *local.Twin) *s3.Client {
	return s3.NewFromConfig(twin.AWSConfig(), func(o *s3.Options) { o.UsePathStyle = true })
}

func TestAnImportReachesEveryTabOfItsUser(t *testing.T) {
	twin, log := startTwin(t)
	tabs := []*client.Conn{openTab(t, twin, "auth0|ann/x"), openTab(t, twin, "auth0|ann/x")}
	stranger := openTab(t, twin, "bob")
	putPartsList(t, twin, "auth0|ann/x", "u-42")
	for _, tab := range tabs {
		last := -1.0
		frames := until(t, tab, func(e message.Envelope) bool { return e.Type == message.TypeNotification })
		for _, e := range frames {
			state, ok := e.Data.(message.UploadProgress)
			if !ok {
				continue
			}
			if state.Progress < last || e.Job != "u-42" || state.FileName != "parts-list.csv" {
				t.Errorf("after %v %% the frame is %+v of job %s", last, state, e.Job)
			}
			last = state.Progress
		}
		// The last frame is the notification. The one before it is the terminal state.
		end, ok := frames[len(frames)-2].Data.(message.UploadProgress)
		if !ok || end.Progress != 100 || end.Status != message.StatusSucceeded || end.FailedRows != 200 {
			t.Errorf("the last state is %+v, want succeeded with 200 failed rows", frames[len(frames)-2].Data)
		}
	}
	if err := stranger.Send(t.Context(), `{"action":"ping"}`); err != nil {
		t.Fatal(err)
	}
	if frames := until(t, stranger, func(message.Envelope) bool { return true }); frames[0].Type != message.TypePong {
		t.Errorf("another user received %+v", frames[0])
	}
	compareSummary(t, twin, "auth0|ann/x", "u-42")
	for _, secret := range []string{"eyJ", "Reading parts-list"} { // the beginning of a token, and of a message
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// compareSummary compares an import's summary with the counts of an independent reader.
func compareSummary(t *testing.T, twin *local.Twin, user, upload string) {
	t.Helper()
	key := strings.Replace(csvimport.UploadKey(user, upload, "summary.json"), "uploads/", "results/", 1)
	object, err := twinS3(twin).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	want, got := map[string]any{}, map[string]any{}
	if err := json.NewDecoder(object.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	expected, err := os.ReadFile(partsList + ".expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(expected, &want); err != nil {
		t.Fatal(err)
	}
	for name := range got {
		if _, counted := want[name]; !counted {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-counted by Python +ours):\n%s", diff)
	}
}

func TestNotifierCanBeInvokedDirectly(t *testing.T) {
	twin, _ := startTwin(t)
	ann := openTab(t, twin, "ann")
	client := lambda.NewFromConfig(twin.AWSConfig())
	invoke := func(payload string) (string, string) {
		t.Helper()
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(local.NotifierName), Payload: []byte(payload)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Payload), aws.ToString(out.FunctionError)
	}
	body, failure := invoke(`{"userId":"ann","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"info"}}}`)
	if failure != "" || !strings.Contains(body, `"delivered":1`) {
		t.Errorf("answer is %s (%s), want 1 delivered", body, failure)
	}
	frames := until(t, ann, func(message.Envelope) bool { return true })
	want := message.Notification{Title: "Hi", Message: "By hand", Severity: message.SeverityInfo}
	if diff := cmp.Diff(message.Data(want), frames[0].Data); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
	body, failure = invoke(`{"userId":"ann","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"loud"}}}`)
	wantError := `{"errorMessage":"message.data.severity must be one of info, success, warning, error","errorType":"InvalidMessage"}`
	if failure != "Unhandled" || body != wantError {
		t.Errorf("answer is %s (%s), want %s", body, failure, wantError)
	}
}

func TestConnectRequiresAToken(t *testing.T) {
	twin, log := startTwin(t)
	otherTwin, _ := startTwin(t)
	foreign, err := otherTwin.Token("ann", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	expired, err := twin.Token("ann", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for token, kind := range map[string]string{"": "no token", foreign: "another twin's token", expired: "expired token"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(twin.WebSocketURL(), "ws")+"?token="+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", kind, response.StatusCode)
		}
		if token != "" && strings.Contains(log.String(), token) {
			t.Error("the log holds the token")
		}
	}
}

func TestPingIsAnsweredAsInTheStack(t *testing.T) {
	twin, _ := startTwin(t)
	ann := openTab(t, twin, "ann")
	before := time.Now().Truncate(time.Millisecond)
	if err := ann.Send(t.Context(), `{"action":"ping"}`); err != nil {
		t.Fatal(err)
	}
	pong, raw, err := ann.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at := pong.Timestamp.Time; at.Before(before) || at.After(time.Now()) {
		t.Errorf("the pong is of %v, want the time of the ping, %v", at, before)
	}
	if want := `{"type":"pong","data":{},"timestamp":"` + pong.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z") + `"}`; string(raw) != want {
		t.Errorf("the pong is %s, want %s", raw, want)
	}
}

func TestUnknownActionsAreAnswered(t *testing.T) {
	twin, _ := startTwin(t)
	ann := openTab(t, twin, "ann")
	if err := ann.Send(t.Context(), `{"action":"dance"}`); err != nil {
		t.Fatal(err)
	}
	frames := until(t, ann, func(message.Envelope) bool { return true })
	if e, ok := frames[0].Data.(message.Error); !ok || e.Code != "UNKNOWN_ACTION" {
		t.Errorf("answer is %+v, want UNKNOWN_ACTION", frames[0])
	}
}
