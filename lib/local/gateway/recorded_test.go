package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// readRecorded returns a file of what was recorded on AWS.
func readRecorded(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("CONFORMANCE_DIR")
	if dir == "" {
		t.Skip("CONFORMANCE_DIR is not set")
	}

	recorded, err := os.ReadFile(filepath.Join(dir, "apigw", name))
	if err != nil {
		t.Fatal(err)
	}
	return recorded
}

// callAnswer is an answer of @connections: its status, its headers without those that change from run to run, which
// are there by name alone, and the shape of its body.
type callAnswer struct {
	Status  string
	Headers map[string]string
	Body    any
}

func newCallAnswer(status string, header http.Header, body []byte) callAnswer {
	answer := callAnswer{Status: status, Headers: map[string]string{}}
	for name, values := range header {
		switch name = strings.ToLower(name); name {
		case "content-type", "x-amzn-errortype":
			answer.Headers[name] = values[0]
		case "content-length":
			if len(body) == 0 {
				answer.Headers[name] = values[0]
			}
		default:
			answer.Headers[name] = ""
		}
	}

	if json.Unmarshal(body, &answer.Body) == nil {
		answer.Body = jsonShape(answer.Body)
	}
	return answer
}

// The answers of @connections have the status, the headers and the body of the recorded ones.
func TestCallbacksAsRecorded(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]struct{ method, id string }{
		"message-success.json":                      {http.MethodPost, ""},
		"message-failure-invalid-connectionid.json": {http.MethodPost, "WDGT8fY4joECJrQ=test"},
		"status.json":                               {http.MethodGet, ""},
		"disconnect-success.json":                   {http.MethodDelete, ""},
		"disconnect-failure-gone.json":              {http.MethodDelete, "AAAAAAAAAAAAAAA="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			recorded := fromJSON[struct {
				Headers http.Header     `json:"headers"`
				Body    string          `json:"body"`
				Status  json.RawMessage `json:"status_code"`
			}](t, readRecorded(t, name))
			want := newCallAnswer(strings.Trim(string(recorded.Status), `"`), recorded.Headers, []byte(recorded.Body))
			_, serverURL, id := dialKnown(t)
			if call.id != "" {
				id = call.id
			}

			status, header, body := callGatewayFull(t, call.method, serverURL+"/prod/@connections/"+id, "hi")
			if diff := cmp.Diff(want, newCallAnswer(strconv.Itoa(status), header, []byte(body))); diff != "" {
				t.Errorf("answer (-recorded +ours):\n%s", diff)
			}
			if call.method != http.MethodGet && body != recorded.Body {
				t.Errorf("body %q, recorded %q", body, recorded.Body)
			}
		})
	}
}

// $disconnect is told what was seen on AWS, however the connection ends.
func TestEndsAsRecorded(t *testing.T) {
	t.Parallel()

	ways := map[string]func(t *testing.T, conn *pipeConn){
		"client closed without status": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			wsWrite(t, conn, ws.NewCloseFrame(nil))
		},
		"browser navigated away": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			wsWrite(t, conn, wsClose(ws.StatusGoingAway, ""))
		},
		"idle timeout": func(*testing.T, *pipeConn) { time.Sleep(10 * time.Minute) },
		"server DELETE @connections": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			if status := conn.listener.callback(t, http.MethodDelete, conn.id, ""); status != http.StatusNoContent {
				t.Errorf("DELETE answered %d", status)
			}
		},
	}

	for line := range bytes.Lines(bytes.TrimSpace(readRecorded(t, "captured-disconnect.jsonl"))) {
		seen := fromJSON[struct {
			What   string `json:"what"`
			Code   int    `json:"disconnectStatusCode"`
			Reason string `json:"disconnectReason"`
		}](t, line)

		var end func(*testing.T, *pipeConn)
		for what, way := range ways {
			if strings.HasPrefix(seen.What, what) {
				end = way
			}
		}

		if end == nil {
			t.Errorf("no test for %q", seen.What)
			continue
		}

		synctest.Test(t, func(t *testing.T) {
			function, events := routeRecords()
			_, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function}})
			conn := &pipeConn{Conn: listener.connect(t), listener: listener, id: nextEvent(t, events).RequestContext.ConnectionID}
			go end(t, conn)

			if _, err := ws.ReadFrame(conn); err != nil {
				t.Errorf("read close: %v", err)
			}
			_ = conn.Close()

			if got := nextEvent(t, events).RequestContext; got.DisconnectStatusCode != seen.Code || *got.DisconnectReason != seen.Reason {
				t.Errorf("%s: told %d %q, seen %d %q", seen.What, got.DisconnectStatusCode, *got.DisconnectReason, seen.Code, seen.Reason)
			}
		})
	}
}

// A browser that does not say what it is has no userAgent in its identity.
func TestIdentityWithoutUserAgent(t *testing.T) {
	t.Parallel()
	function, events := routeRecords()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}})
	wsDialRaw(t, serverURL)

	event := fromJSON[struct {
		RequestContext struct {
			Identity map[string]any `json:"identity"`
		} `json:"requestContext"`
	}](t, nextEventJSON(t, events))
	if diff := cmp.Diff(map[string]any{"sourceIp": "127.0.0.1"}, event.RequestContext.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// The frame that tells of a failure names the request that failed.
func TestErrorFrameNamesTheRequest(t *testing.T) {
	t.Parallel()
	events := make(chan []byte, 1)
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{
		"$default": routeFunc(func(_ context.Context, event []byte) ([]byte, error) {
			events <- event
			return nil, context.Canceled
		}),
	}})
	conn := wsDial(t, serverURL, nil)
	wsSay(t, conn, "hello")
	event := nextEvent(t, events).RequestContext
	want := map[string]string{
		"message": "Internal server error", "connectionId": event.ConnectionID, "requestId": event.RequestID,
	}
	if diff := cmp.Diff(want, fromJSON[map[string]string](t, []byte(wsHear(t, conn)))); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
}

// lastActiveAt moves with messages of the browser and with posts to it; connectedAt does not move.
func TestLastActive(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		function, events := routeRecords()
		_, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function, "$default": routeAnswers(routeAccepted)},
		})
		conn := listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		connected := time.Now()
		status := func() [2]string {
			_, body := listener.callbackFull(t, http.MethodGet, id, "")
			answer := fromJSON[struct {
				ConnectedAt  string `json:"connectedAt"`
				LastActiveAt string `json:"lastActiveAt"`
			}](t, body)
			return [2]string{answer.ConnectedAt, answer.LastActiveAt}
		}
		iso := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
		for name, act := range map[string]func(){
			"message": func() { wsWrite(t, conn, wsText("hello")) },
			"post": func() {
				go listener.callback(t, http.MethodPost, id, "hello")
				receives(wsText("hello"))(t, conn)
			},
		} {
			time.Sleep(time.Minute)
			act()
			synctest.Wait()
			active := time.Now()
			time.Sleep(time.Second)
			if diff := cmp.Diff([2]string{iso(connected), iso(active)}, status()); diff != "" {
				t.Errorf("%s: connectedAt, lastActiveAt (-want +got):\n%s", name, diff)
			}
		}

		wsLeave(t, conn)
	})
}

// $disconnect is tried once, and its failure is nobody's.
func TestDisconnectFails(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"throws": context.Canceled, "times out": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				calls := 0
				_, listener := pipeGateway(t, gateway.Config{
					Routes: map[string]gateway.Function{
						"$disconnect": routeFunc(func(context.Context, []byte) ([]byte, error) {
							calls++
							if err == nil {
								time.Sleep(time.Minute)
							}
							return nil, err
						}),
					},
					Mocks: map[string]func(time.Time) string{"ping": pong},
				})
				other := listener.connect(t)
				wsLeave(t, listener.connect(t))
				synctest.Wait()

				if calls != 1 {
					t.Errorf("$disconnect ran %d times, want once", calls)
				}

				wsWrite(t, other, wsText(`{"action":"ping"}`))
				receives(wsText(pong(time.Now())))(t, other)
				wsLeave(t, other)
			})
		})
	}
}
