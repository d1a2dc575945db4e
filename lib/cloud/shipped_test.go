package cloud_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

const (
	user = "auth0|ann/x"
	// partsList is the path of the parts list, without its suffix.
	partsList = "../../testdata/parts-list"
	// disconnectWait is the longest wait until $disconnect has deleted a connection. A browser does not see this.
	disconnectWait = time.Minute
	// endWait is the longest wait for the end of a workflow.
	endWait = time.Minute
	// secret is the shared key that signs tokens.
	secret = "0123456789abcdef0123456789abcdef"
)

// tokenPart matches the header or the claims of a token. The random id of a connection is shorter, and may begin like them.
var tokenPart = regexp.MustCompile(`eyJ[\w-]{20}`)

// TestBuiltFunctionsWorkTogether runs the shipped functions in processes of their own, connected by the twin. testEnd comes last,
// because it stops functions.
func TestBuiltFunctionsWorkTogether(t *testing.T) {
	f := startFleet(t)
	t.Run("connect", f.testConnect)
	t.Run("default", f.testDefault)
	t.Run("broadcast", f.testBroadcast)
	t.Run("import", f.testImport)
	t.Run("reaper", f.testReaper)
	t.Run("sweeper", f.testSweeper)
	t.Run("observer", f.testObserver)
	for _, name := range bootstrap.Functions() {
		size, zipped := sizes(t, program(t, name))
		p := f.functions[name].process.Load()
		t.Logf("%-10s %5.1f MB, zipped %4.1f MB, cold start %v, memory %.1f MB", name,
			float64(size)/1e6, float64(zipped)/1e6, p.InitTook.Round(100*time.Microsecond), float64(p.memory(t))/1e6)
		if tokenPart.MatchString(p.output.String()) || strings.Contains(p.output.String(), secret) {
			t.Errorf("%s logs a token or the secret", name)
		}
	}
	t.Run("end", f.testEnd)
}

func (f fleet) testConnect(t *testing.T) {
	for name, tt := range map[string]struct {
		subprotocols []string
		want         string
	}{
		"missing": {nil, "Missing token"},
		"forged":  {[]string{session.Subprotocol, token(t, strings.ToUpper(secret), time.Hour)}, "Invalid token"},
		"expired": {[]string{session.Subprotocol, token(t, secret, -time.Second)}, "Token expired"},
	} {
		status, body := f.connectRefused(t, tt.subprotocols...)
		if want := `{"error":"UNAUTHORIZED","message":"` + tt.want + `"}`; status != http.StatusUnauthorized || body != want {
			t.Errorf("%s: %d %s, want 401 %s", name, status, body, want)
		}
	}
	if err := f.openTab(t).Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(disconnectWait); f.countConnections(t) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("$disconnect has not deleted the row")
		}
		time.Sleep(time.Millisecond)
	}
}

func (f fleet) testDefault(t *testing.T) {
	tab := f.openTab(t)
	for _, request := range []struct {
		text string
		want []message.Type
	}{
		{`{"action":"dance"}`, []message.Type{message.TypeError}},
		{`{"action":"sync"}`, []message.Type{message.TypeWelcome, message.TypeSynced}},
		{`{"action":"refresh","token":"` + token(t, secret, time.Hour) + `"}`, []message.Type{message.TypeRefreshed}},
	} {
		if err := tab.Send(t.Context(), request.text); err != nil {
			t.Fatal(err)
		}
		for _, want := range request.want {
			if e := next(t, tab); e.Type != want {
				t.Errorf("answer is %s %+v, want %s", e.Type, e.Data, want)
			}
		}
	}
}

func (f fleet) testBroadcast(t *testing.T) {
	tabs := []*client.Conn{f.openTab(t), f.openTab(t)}
	want := message.Notification{Title: "Hi", Message: "By hand", Severity: message.SeverityInfo}
	input := `{"userId":"` + user + `","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"info"}}}`
	body, failure := f.notify(t, input)
	if failure != "" || !strings.Contains(body, `"delivered":2`) || !strings.Contains(body, `"stored":true`) {
		t.Errorf("answer is %s (%s), want it stored, and 2 delivered", body, failure)
	}
	for _, tab := range tabs {
		if diff := cmp.Diff(message.Data(want), next(t, tab).Data); diff != "" {
			t.Errorf("frame (-want +got):\n%s", diff)
		}
	}
	body, failure = f.notify(t, strings.Replace(input, "info", "loud", 1))
	wantError := `{"errorMessage":"message.data.severity must be one of info, success, warning, error","errorType":"InvalidMessage"}`
	if failure != "Unhandled" || body != wantError {
		t.Errorf("answer is %s (%s), want %s", body, failure, wantError)
	}
}

func (f fleet) testImport(t *testing.T) {
	tab := f.openTab(t)
	client := s3.NewFromConfig(f.twin.AWSConfig(), func(o *s3.Options) { o.UsePathStyle = true })
	file, err := os.Open(partsList + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	key := csvimport.UploadKey(user, "u-42", "parts-list.csv")
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &key, Body: file}); err != nil {
		t.Fatal(err)
	}
	var last message.UploadProgress
	for e := next(t, tab); e.Type != message.TypeNotification; e = next(t, tab) {
		state, ok := e.Data.(message.UploadProgress)
		if !ok || state.Progress < last.Progress {
			t.Errorf("after %v %% the frame is %+v", last.Progress, e)
		}
		last = state
	}
	if last.Progress != 100 || last.Status != message.StatusSucceeded {
		t.Errorf("the last state is %+v, want 100 %%, succeeded", last)
	}
	key = strings.Replace(csvimport.UploadKey(user, "u-42", "summary.json"), "uploads/", "results/", 1)
	object, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	summary, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := os.ReadFile(partsList + ".expected.json")
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	if err := errors.Join(json.Unmarshal(expected, &want), json.Unmarshal(summary, &got)); err != nil {
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

// testReaper moves the stored end of a tab's session to the past, and starts the reaper. The tab must get a closing frame.
func (f fleet) testReaper(t *testing.T) {
	tab := f.openTab(t)
	for c, err := range f.connections.ByUser(t.Context(), user) {
		if err != nil {
			t.Fatal(err)
		}
		c.TokenExpiresAt = time.Now().Add(-time.Second)
		if err := f.connections.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	f.invoke(t, "reaper", `{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`)
	if closing, ok := next(t, tab).Data.(message.Closing); !ok || closing.Code != message.CloseTokenExpired {
		t.Errorf("frame is %+v, want %s", closing, message.CloseTokenExpired)
	}
	if e, _, err := tab.Next(t.Context()); err == nil {
		t.Errorf("after the closing frame: %+v, want the end of the connection", e)
	}
}

// testSweeper starts two jobs whose workflows report no final state. The sweeper must end the first one when it gets the event of the
// workflow's end, and the second one, whose event was lost, when it runs on schedule.
// testObserver runs a workflow that does not call Herald. The twin sends its log to the observer.
func (f fleet) testObserver(t *testing.T) {
	_, err := sfn.NewFromConfig(f.twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(states.StateMachineARN(watchedName)), Name: aws.String("one"), Input: aws.String(`{"userId":"` + user + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var row feed.Row
	for deadline := time.Now().Add(endWait); !row.Terminal(); time.Sleep(10 * time.Millisecond) {
		if row, err = f.feed.Job(t.Context(), feed.User(user), "one"); time.Now().After(deadline) {
			t.Fatalf("the job does not end: %+v, error %v", row.State, err)
		}
	}
	if row.State.Status != message.StatusSucceeded || row.State.FileName != watchedName || row.Type != message.TypeJobProgress {
		t.Errorf("the end is %+v", row.State)
	}
}

func (f fleet) testSweeper(t *testing.T) {
	const failed = "arn:aws:states:us-east-1:000000000000:execution:mine:failed"
	const state = `{"userId":"` + user + `","epoch":"2026-11-22T10:00:00Z","execution":"` + failed + `","message":{"type":"upload_progress",` +
		`"data":{"uploadId":"failed","fileName":"a.csv","progress":40,"message":"Working"}}}`
	tab := f.openTab(t)
	if body, failure := f.notify(t, state); failure != "" || !strings.Contains(body, `"followed":true`) {
		t.Fatal(body)
	}
	succeeded, anHourAgo := f.succeededExecution(t), time.Now().Add(-time.Hour)
	_, _, err := f.feed.Apply(t.Context(), feed.User(user), feed.Update{
		State: message.UploadProgress{UploadID: "silent", FileName: "a.csv", Progress: 40, Message: "Working"},
		Epoch: "2026-11-22T10:00:00.000Z#0000", Execution: succeeded, ID: "01JAAAAAAAAAAAAAAAAAAAAAAA", At: anHourAgo,
	})
	if err != nil {
		t.Fatal(err)
	}
	next(t, tab)
	for _, job := range []struct {
		id, event string
		status    message.Status
		progress  float64
	}{
		{"failed", `{"detail-type":"Step Functions Execution Status Change","detail":{"executionArn":"` + failed + `","status":"FAILED","redriveCount":0}}`, message.StatusFailed, 40},
		{"silent", `{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`, message.StatusSucceeded, 100},
	} {
		f.invoke(t, "sweeper", job.event)
		state, ok := next(t, tab).Data.(message.UploadProgress)
		if !ok || state.UploadID != job.id || state.Status != job.status || state.Progress != job.progress {
			t.Errorf("%s: frame is %+v, want %s, %v %%", job.id, state, job.status, job.progress)
		}
	}
}

// testEnd stops functions by SIGTERM. Their callers must get an error.
func (f fleet) testEnd(t *testing.T) {
	for _, name := range []string{"connect", "notifier"} {
		p := f.functions[name].process.Load()
		if err := p.process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-p.ended
	}
	if body, failure := f.notify(t, `{}`); failure != "Unhandled" || !strings.Contains(body, `"errorType":"Runtime.ExitError"`) {
		t.Errorf("answer is %s (%s), want Runtime.ExitError", body, failure)
	}
	if status, body := f.connectRefused(t); status != http.StatusBadGateway {
		t.Errorf("a connection is answered %d %s, want 502", status, body)
	}
}

// TestCrashIsReportedToTheCaller lets the notifier end twice: at its start, because variables are missing, and while it handles an
// event, because it is killed. To kill it at the right time, its DynamoDB does not answer.
func TestCrashIsReportedToTheCaller(t *testing.T) {
	_, err := startProcess(t, exec.CommandContext(t.Context(), program(t, "notifier")))
	if exit := (messages.InvokeResponse_Error{}); !errors.As(err, &exit) || exit.Type != "Runtime.ExitError" ||
		!strings.Contains(exit.Message, "cloud: set CONNECTIONS_TABLE, FEED_TABLE, WEBSOCKET_API_ENDPOINT") {
		t.Errorf("without its variables: %v, want Runtime.ExitError with their names", err)
	}
	reached, testEnded := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), `"ann"`) {
			close(reached)
			<-testEnded
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(testEnded) })
	p, err := startProcess(t, exec.CommandContext(t.Context(), program(t, "notifier")),
		"CONNECTIONS_TABLE=t", "FEED_TABLE=f", "WEBSOCKET_API_ENDPOINT="+server.URL+"/prod", "AWS_ENDPOINT_URL_DYNAMODB="+server.URL)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-reached
		_ = p.process.Kill()
	}()
	input := `{"userId":"ann","message":{"type":"notification","data":{"title":"Hi","message":"By hand","severity":"info"}}}`
	_, err = p.Invoke(t.Context(), []byte(input))
	if exit := (messages.InvokeResponse_Error{}); !errors.As(err, &exit) || exit.Type != "Runtime.ExitError" {
		t.Errorf("killed while it handles an event: %v, want Runtime.ExitError", err)
	}
}

// next returns the next frame of a tab.
func next(t *testing.T, tab *client.Conn) message.Envelope {
	t.Helper()
	e, _, err := tab.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}
