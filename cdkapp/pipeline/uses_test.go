package pipeline_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

const (
	sharedKey = "0123456789abcdef0123456789abcdef"
	userID    = "ann"
	openID    = "open"
	execution = "arn:aws:states:us-east-1:123456789012:execution:shop:one"
)

// connect stores a connection of the user with the given age. Its token expires after tokenLife.
func (a *account) connect(t *testing.T, id string, age, tokenLife time.Duration) {
	t.Helper()
	err := a.connections.Put(t.Context(), connection.Connection{
		ID: id, UserID: userID, ConnectedAt: time.Now().Add(-age), TokenExpiresAt: time.Now().Add(tokenLife),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// connectBoth stores two connections of the user: one that is open, and one whose browser is gone.
func (a *account) connectBoth(t *testing.T) {
	t.Helper()
	a.connect(t, openID, time.Minute, time.Hour)
	a.connect(t, goneID, time.Minute, time.Hour)
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

// send passes the event of a route to its handler, as from the given connection.
func send(t *testing.T, handle func(context.Context, session.Request) (session.Response, error), r session.Request, id string) {
	t.Helper()
	r.RequestContext.ConnectionID = id
	response, err := handle(t.Context(), r)
	if err != nil || response.StatusCode != 200 {
		t.Errorf("%s: the answer is %d %s, error %v", id, response.StatusCode, response.Body, err)
	}
}

func useConnect(t *testing.T, a *account) {
	t.Helper()
	request := session.Request{QueryStringParameters: map[string]string{"token": token(t)}}
	// The user already has the maximum of connections. They have no rows and are five seconds old: at that age $connect looks up
	// each of them, because the index may not show it yet.
	connectedAt := time.Now().Add(-5 * time.Second)
	for n := range session.DefaultMaxConnections {
		_, _, err := a.connections.Connect(t.Context(), userID, fmt.Sprint("c", n), 1, session.DefaultMaxPosts, connectedAt)
		if err != nil {
			t.Fatal(err)
		}
	}
	send(t, startFunction(t, a, cloud.Connect).Handle, request, openID)
}

func useDisconnect(t *testing.T, a *account) {
	t.Helper()
	send(t, startFunction(t, a, cloud.Disconnect).Handle, session.Request{}, openID)
}

func useDefault(t *testing.T, a *account) {
	t.Helper()
	a.connectBoth(t)
	a.connect(t, "ended", 3*time.Hour, -time.Minute)
	note := feed.Note{ID: "01JAAAAAAAAAAAAAAAAAAAAAAA", At: time.Now(), Data: message.Error{Code: "A", Message: "a"}}
	if _, _, err := a.feed.Add(t.Context(), feed.User(userID), note); err != nil {
		t.Fatal(err)
	}
	h := startFunction(t, a, cloud.Default)
	for _, body := range []string{
		`{"action":"sync"}`, `{"action":"refresh","token":"` + token(t) + `"}`, `{"action":"dismiss","id":"` + note.ID + `"}`, `{"action":"dance"}`,
	} {
		send(t, h.Handle, session.Request{Body: body}, openID)
	}
	for _, id := range []string{"unknown", "ended"} {
		send(t, h.Handle, session.Request{Body: `{"action":"sync"}`}, id)
	}
	for _, size := range []int64{1, message.MaxSinglePut + 1} {
		useUploads(t, a, h, size)
	}
}

// useUploads opens an upload of a size, asks to complete it before and after its bytes are stored, and aborts another one.
func useUploads(t *testing.T, a *account, h *session.Default, size int64) {
	t.Helper()
	ask := func(fields string) (answer message.UploadURL) {
		send(t, h.Handle, session.Request{Body: `{"request":"` + rand.Text() + `",` + fields + `}`}, openID)
		frame, err := message.Parse(a.takePosted())
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

// progress returns a request to the notifier with a state of a job and with more fields.
func progress(more string) string {
	return `{"userId":"` + userID + `",` + more + `,"message":{"type":"upload_progress",` +
		`"data":{"uploadId":"u-1","fileName":"a.csv","progress":5,"message":"m"}}}`
}

func useNotifier(t *testing.T, a *account) {
	t.Helper()
	a.connectBoth(t)
	h := startFunction(t, a, cloud.Notifier)
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

func useReaper(t *testing.T, a *account) {
	t.Helper()
	a.connect(t, "ended", time.Hour, -time.Minute)
	if err := startFunction(t, a, cloud.Reaper).Handle(t.Context(), json.RawMessage(`{}`)); err != nil {
		t.Error(err)
	}
}

func useSweeper(t *testing.T, a *account) {
	t.Helper()
	a.connectBoth(t)
	lastUpdate := time.Now().Add(-10 * time.Minute) // Long enough ago for the sweeper to check the job.
	for job, arn := range map[string]string{"u-1": execution, "u-2": execution + "-2"} {
		_, _, err := a.feed.Apply(t.Context(), feed.User(userID), feed.Update{
			State: message.UploadProgress{UploadID: job, FileName: "a.csv", Message: "m", Status: message.StatusRunning},
			Epoch: "2026-11-22T10:00:00.000Z#0000", Execution: arn, At: lastUpdate,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h := startFunction(t, a, cloud.Sweeper)
	for _, event := range []string{
		`{"detail-type":"Step Functions Execution Status Change","detail":{"executionArn":"` + execution + `","status":"FAILED","redriveCount":0}}`,
		`{"detail-type":"Scheduled Event","detail":{}}`,
	} {
		if err := h.Handle(t.Context(), json.RawMessage(event)); err != nil {
			t.Errorf("%s: %v", event, err)
		}
	}
	for _, job := range []string{"u-1", "u-2"} {
		if row, err := a.feed.Job(t.Context(), feed.User(userID), job); err != nil || !row.State.Status.Terminal() {
			t.Errorf("%s: the job is %+v, error %v, want it ended", job, row.State, err)
		}
	}
}
