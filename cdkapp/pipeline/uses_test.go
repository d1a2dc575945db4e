package pipeline_test

// This file and objects_test.go have a use... function for each deployed function. It runs the function's handler in
// each case in which the handler makes other calls of AWS, so that fakeAWS records every permission that the function needs.
// TestRolesAllowTheFunctionsCalls in calls_test.go runs them, and compares the recorded permissions with those of the stack's roles.

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/cloud/browser"
	"github.com/herald-progress/herald/lib/cloud/workflow"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

const (
	sharedKey = "0123456789abcdef0123456789abcdef" // the HS256 key in the fake Secrets Manager
	userID    = "ann"
	openID    = "open" // a connection whose posts succeed; see goneID
	execution = "arn:aws:states:us-east-1:123456789012:execution:shop:one"
	// durableExecution is an execution of a durable function.
	durableExecution = "arn:aws:lambda:us-east-1:123456789012:function:shop:1/durable-execution/one/id"
)

// connect stores a connection of the user with the given age. Its token expires after tokenLife.
func (aws *fakeAWS) connect(t *testing.T, id string, age, tokenLife time.Duration) {
	t.Helper()
	err := aws.connections.Put(t.Context(), connection.Connection{
		ID: id, UserID: userID, ConnectedAt: time.Now().Add(-age), TokenExpiresAt: time.Now().Add(tokenLife),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// connectOpenAndGone stores two connections of the user: one that is open, and one whose posts are answered by 410.
func (aws *fakeAWS) connectOpenAndGone(t *testing.T) {
	t.Helper()
	aws.connect(t, openID, time.Minute, time.Hour)
	aws.connect(t, goneID, time.Minute, time.Hour)
}

// token returns a valid token of the user.
func token(t *testing.T) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": userID, "exp": time.Now().Add(time.Hour).Unix()}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(sharedKey))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// send calls the handler of a route with a request of the given connection, and checks that the response has status 200.
func send(t *testing.T, handle func(context.Context, session.Request) (session.Response, error), r session.Request, id string) {
	t.Helper()
	r.RequestContext.ConnectionID = id
	response, err := handle(t.Context(), r)
	if err != nil || response.StatusCode != 200 {
		t.Errorf("%s: the answer is %d %s, error %v", id, response.StatusCode, response.Body, err)
	}
}

func useConnect(t *testing.T, aws *fakeAWS) {
	t.Helper()
	request := session.Request{QueryStringParameters: map[string]string{"token": token(t)}}
	// The user already has the maximum number of connections. $connect looks for their rows one by one, and finds none: the
	// connections are five seconds old, and the index of a user's connections may not show rows of that age yet.
	connectedAt := time.Now().Add(-5 * time.Second)
	for n := range session.DefaultMaxConnections {
		const cost = 1
		_, _, err := aws.connections.Connect(t.Context(), userID, fmt.Sprint("c", n), cost, session.DefaultMaxPosts, connectedAt)
		if err != nil {
			t.Fatal(err)
		}
	}
	send(t, startFunction(t, aws, browser.Connect).Handle, request, openID)
}

func useDisconnect(t *testing.T, aws *fakeAWS) {
	t.Helper()
	send(t, startFunction(t, aws, browser.Disconnect).Handle, session.Request{}, openID)
}

// useDefault sends each action, one that does not exist, and messages of two connections that Herald must close.
func useDefault(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connectOpenAndGone(t)
	aws.connect(t, "ended", 3*time.Hour, -time.Minute)
	note := feed.Note{ID: "01JAAAAAAAAAAAAAAAAAAAAAAA", At: time.Now(), Data: message.Error{Code: "A", Message: "a"}}
	if _, _, err := aws.feed.Add(t.Context(), feed.User(userID), note); err != nil {
		t.Fatal(err)
	}
	h := startFunction(t, aws, browser.Default)
	for _, body := range []string{
		`{"action":"sync"}`, `{"action":"refresh","token":"` + token(t) + `"}`, `{"action":"dismiss","id":"` + note.ID + `"}`, `{"action":"dance"}`,
	} {
		send(t, h.Handle, session.Request{Body: body}, openID)
	}
	for _, id := range []string{"unknown", "ended"} {
		send(t, h.Handle, session.Request{Body: `{"action":"sync"}`}, id)
	}
	for _, size := range []int64{1, message.MaxSinglePut + 1} {
		useUploads(t, aws, h, size)
	}
	useDownload(t, aws, h)
}

// useDownload asks for the result of an ended job, and reads the URL of the answer.
func useDownload(t *testing.T, aws *fakeAWS, h *browser.RouteFunction) {
	t.Helper()
	_, _, err := aws.feed.Apply(t.Context(), feed.User(userID), feed.Update{
		State: message.UploadProgress{
			UploadID: "u-1", FileName: "aws.csv", Message: "m", Status: message.StatusSucceeded,
			Result: "results/" + base64.RawURLEncoding.EncodeToString([]byte(userID)) + "/u-1/rejected.csv",
		},
		Epoch: "2026-11-22T10:00:00.000Z#0000", At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, h.Handle, session.Request{Body: `{"action":"download","request":"r","job":"u-1"}`}, openID)
	frame, err := message.Parse(aws.takePosted())
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := frame.Data.(message.DownloadURL)
	if !ok {
		t.Fatalf("the answer is %+v", frame.Data)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, answer.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // there is no such object; asking for it needs the permission
}

// useUploads opens an upload of a size, asks to complete it before and after its bytes are stored, and aborts another one.
func useUploads(t *testing.T, aws *fakeAWS, h *browser.RouteFunction, size int64) {
	t.Helper()
	ask := func(fields string) (answer message.UploadURL) {
		send(t, h.Handle, session.Request{Body: `{"request":"` + rand.Text() + `",` + fields + `}`}, openID)
		frame, err := message.Parse(aws.takePosted())
		if err != nil {
			t.Fatal(err)
		}
		answer, _ = frame.Data.(message.UploadURL)
		return answer
	}
	open := fmt.Sprintf(`"action":"upload","fileName":"a b.csv","size":%d,"contentType":"text/csv"`, size)
	step := func(action, id string) message.UploadURL {
		return ask(`"action":"upload_` + action + `","uploadId":"` + id + `"`)
	}
	step("abort", ask(open).UploadID)
	answer := ask(open)
	step("complete", answer.UploadID)
	answer = step("resume", answer.UploadID)
	targets := map[string]int64{answer.URL: size}
	for i, part := range answer.Parts {
		targets[part.URL] = min(answer.PartSize, size-int64(i)*answer.PartSize)
	}
	for target, length := range targets {
		if target == "" {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, target, bytes.NewReader(make([]byte, length)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range answer.Headers {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("PUT: %v, %v", response, err)
		}
		_ = response.Body.Close()
	}
	if answer = step("complete", answer.UploadID); !answer.Complete {
		t.Errorf("the end is %+v", answer)
	}
}

// progress returns a request to the notifier with a state of a job. more are further fields of the request, as JSON.
func progress(more string) string {
	return `{"userId":"` + userID + `",` + more + `,"message":{"type":"upload_progress",` +
		`"data":{"uploadId":"u-1","fileName":"aws.csv","progress":5,"message":"m"}}}`
}

// useNotifier sends a note, the same note again, a message to one connection, and states of a job: as a task, with a key, as a
// part twice, and terminal.
func useNotifier(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connectOpenAndGone(t)
	h := startFunction(t, aws, cloud.Notifier)
	note := `{"userId":"ann","key":"k","message":{"type":"error","data":{"code":"A","message":"a"}}}`
	run := fmt.Sprintf(`"epoch":"2026-11-22T10:00:00Z","execution":%q`, execution)
	for _, request := range []string{
		note, note, strings.Replace(note, `"userId":"ann","key":"k"`, `"connectionId":"open"`, 1),
		progress(run), progress(run + `,"key":"k"`), progress(run + `,"part":{"id":"1","done":1,"total":2}`),
		progress(run + `,"part":{"id":"1","done":2,"total":2}`),
		strings.Replace(progress(run), `"progress":5`, `"status":"succeeded","progress":100`, 1),
	} {
		if _, err := h.Handle(t.Context(), json.RawMessage(request)); err != nil {
			t.Errorf("%s: %v", request, err)
		}
	}
}

func useReaper(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connect(t, "ended", time.Hour, -time.Minute)
	if err := startFunction(t, aws, browser.Reaper).Handle(t.Context(), json.RawMessage(`{}`)); err != nil {
		t.Error(err)
	}
}

// useSweeper sends the event of an execution that has failed, and the event of the schedule. The latter must end a job of an execution, and one of a durable execution.
func useSweeper(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connectOpenAndGone(t)
	lastUpdate := time.Now().Add(-10 * time.Minute) // long enough ago for the scheduled sweeper to check the job
	for job, arn := range map[string]string{"u-1": execution, "u-2": execution + "-2", "u-3": durableExecution} {
		_, _, err := aws.feed.Apply(t.Context(), feed.User(userID), feed.Update{
			State: message.UploadProgress{UploadID: job, FileName: "aws.csv", Message: "m", Status: message.StatusRunning},
			Epoch: "2026-11-22T10:00:00.000Z#0000", Execution: arn, At: lastUpdate,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h := startFunction(t, aws, workflow.Sweeper)
	for _, event := range []string{
		`{"detail-type":"Step Functions Execution Status Change","detail":{"executionArn":"` + execution + `","status":"FAILED","redriveCount":0}}`,
		`{"detail-type":"Scheduled Event","detail":{}}`,
	} {
		if err := h.Handle(t.Context(), json.RawMessage(event)); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	for _, job := range []string{"u-1", "u-2", "u-3"} {
		if row, err := aws.feed.Job(t.Context(), feed.User(userID), job); err != nil || !row.State.Status.Terminal() {
			t.Errorf("%s: the job is %+v, error %v, want it ended", job, row.State, err)
		}
	}
}

// mapDefinition is the definition of the watched state machines.
const mapDefinition = `{"StartAt":"A","States":{"A":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}}}`

// useObserver sends log lines of an execution, of which the last ends it, and of an Express workflow. Of the states, the second waits for
// its push.
func useObserver(t *testing.T, aws *fakeAWS) {
	t.Helper()
	aws.connectOpenAndGone(t)
	h := startFunction(t, aws, workflow.Observer)
	express := strings.Replace(execution, ":execution:shop:", ":express:shop-express:", 1) + ":id"
	started := `{"input":"{\"userId\":\"` + userID + `\"}"}`
	for i, lines := range [][]string{
		{logLine(execution, 1, "ExecutionStarted", `{}`), logLine(execution, 2, "MapStateEntered", `{"name":"A"}`), logLine(execution, 3, "MapStateStarted", `{"length":"2"}`)},
		{logLine(execution, 4, "MapIterationStarted", `{"name":"A","index":"0"}`), logLine(execution, 5, "MapIterationSucceeded", `{"name":"A","index":"0"}`)},
		{logLine(execution, 6, "ExecutionSucceeded", `{}`)},
		{logLine(express, 1, "ExecutionStarted", started), logLine(express, 2, "PassStateEntered", `{"name":"A"}`)},
		{logLine(express, 3, "ExecutionFailed", `{}`)},
	} {
		if err := h.Handle(t.Context(), logBatch(t, lines...)); err != nil {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	row, err := aws.feed.Job(t.Context(), feed.User(userID), "one") // the name of both executions
	if err != nil || !row.State.Status.Terminal() {
		t.Errorf("the job is %+v, error %v, want it ended", row.State, err)
	}
}

// logLine returns an event of an execution as Step Functions logs it.
func logLine(execution string, id int, kind, details string) string {
	return fmt.Sprintf(`{"id":"%d","previous_event_id":"%d","type":%q,"details":%s,"event_timestamp":"%d","execution_arn":%q,"redrive_count":"0"}`,
		id, id-1, kind, details, time.Now().UnixMilli(), execution)
}

// logBatch returns the event of a subscription filter.
func logBatch(t *testing.T, lines ...string) json.RawMessage {
	t.Helper()
	var events []map[string]string
	for _, line := range lines {
		events = append(events, map[string]string{"message": line})
	}
	text, err := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "logEvents": events})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return json.RawMessage(`{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString(b.Bytes()) + `"}}`)
}
