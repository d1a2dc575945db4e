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

// readRecording returns a file that was recorded on AWS.
func readRecording(t *testing.T, name string) []byte {
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

// managementResponse is a response of @connections: its status, its headers, and the shape of its body. Headers whose values
// differ between runs have an empty value.
type managementResponse struct {
	Status  string
	Headers map[string]string
	Body    any
}

func newManagementResponse(status string, header http.Header, body []byte) managementResponse {
	response := managementResponse{Status: status, Headers: map[string]string{}}
	for name, values := range header {
		switch name = strings.ToLower(name); name {
		case "content-type", "x-amzn-errortype":
			response.Headers[name] = values[0]
		case "content-length":
			if len(body) == 0 {
				response.Headers[name] = values[0]
			}
		default:
			response.Headers[name] = ""
		}
	}

	if json.Unmarshal(body, &response.Body) == nil {
		response.Body = jsonShape(response.Body)
	}
	return response
}

// The responses of @connections have the status, the headers and the body of the recorded ones.
func TestManagementAPIMatchesRecordedResponses(t *testing.T) {
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

			recorded := decodeJSON[struct {
				Headers http.Header     `json:"headers"`
				Body    string          `json:"body"`
				Status  json.RawMessage `json:"status_code"`
			}](t, readRecording(t, name))
			want := newManagementResponse(strings.Trim(string(recorded.Status), `"`), recorded.Headers, []byte(recorded.Body))
			_, serverURL, id := dialWithID(t)
			if call.id != "" {
				id = call.id
			}

			status, header, body := callManagementFull(t, call.method, serverURL+"/prod/@connections/"+id, "hi")
			if diff := cmp.Diff(want, newManagementResponse(strconv.Itoa(status), header, []byte(body))); diff != "" {
				t.Errorf("response (-recorded +ours):\n%s", diff)
			}
			if call.method != http.MethodGet && body != recorded.Body {
				t.Errorf("body %q, recorded %q", body, recorded.Body)
			}
		})
	}
}

// $disconnect receives the code and reason that AWS sent for the same way to close.
func TestDisconnectMatchesRecordedEvents(t *testing.T) {
	t.Parallel()

	// The keys are beginnings of the field "what" of the recorded events.
	closers := map[string]func(t *testing.T, conn *pipeConn){
		"client closed without status": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			writeFrames(t, conn, ws.NewCloseFrame(nil))
		},
		"browser navigated away": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			writeFrames(t, conn, closeFrame(ws.StatusGoingAway, ""))
		},
		"idle timeout": func(*testing.T, *pipeConn) { time.Sleep(10 * time.Minute) },
		"server DELETE @connections": func(t *testing.T, conn *pipeConn) {
			t.Helper()
			if status := conn.listener.callManagement(t, http.MethodDelete, conn.id, ""); status != http.StatusNoContent {
				t.Errorf("DELETE returned %d", status)
			}
		},
	}

	for line := range bytes.Lines(bytes.TrimSpace(readRecording(t, "captured-disconnect.jsonl"))) {
		recorded := decodeJSON[struct {
			What   string `json:"what"`
			Code   int    `json:"disconnectStatusCode"`
			Reason string `json:"disconnectReason"`
		}](t, line)

		var closeConn func(*testing.T, *pipeConn)
		for what, closer := range closers {
			if strings.HasPrefix(recorded.What, what) {
				closeConn = closer
			}
		}

		if closeConn == nil {
			t.Errorf("no way to reproduce %q", recorded.What)
			continue
		}

		synctest.Test(t, func(t *testing.T) {
			function, events := functionRecording()
			_, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function}})
			conn := &pipeConn{Conn: listener.connect(t), listener: listener, id: nextEvent(t, events).RequestContext.ConnectionID}
			go closeConn(t, conn)

			if _, err := ws.ReadFrame(conn); err != nil {
				t.Errorf("read close: %v", err)
			}
			_ = conn.Close()

			if got := nextEvent(t, events).RequestContext; got.DisconnectStatusCode != recorded.Code || *got.DisconnectReason != recorded.Reason {
				t.Errorf("%s: $disconnect received %d %q, recorded %d %q", recorded.What, got.DisconnectStatusCode, *got.DisconnectReason, recorded.Code, recorded.Reason)
			}
		})
	}
}

// Without a User-Agent header the identity has no userAgent.
func TestIdentityOmitsAMissingUserAgent(t *testing.T) {
	t.Parallel()
	function, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": function}})
	dialRaw(t, serverURL)

	event := decodeJSON[struct {
		RequestContext struct {
			Identity map[string]any `json:"identity"`
		} `json:"requestContext"`
	}](t, nextEventJSON(t, events))
	if diff := cmp.Diff(map[string]any{"sourceIp": "127.0.0.1"}, event.RequestContext.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// The error frame of a failed function contains the request id of its event.
func TestErrorFrameHoldsTheRequestID(t *testing.T) {
	t.Parallel()
	events := make(chan []byte, 1)
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{
		"$default": functionFunc(func(_ context.Context, event []byte) ([]byte, error) {
			events <- event
			return nil, context.Canceled
		}),
	}})
	conn := dial(t, serverURL, nil)
	writeText(t, conn, "hello")
	event := nextEvent(t, events).RequestContext
	want := map[string]string{
		"message": "Internal server error", "connectionId": event.ConnectionID, "requestId": event.RequestID,
	}
	if diff := cmp.Diff(want, decodeJSON[map[string]string](t, []byte(readText(t, conn)))); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
}

// Messages and posts update lastActiveAt but not connectedAt.
func TestMessagesAndPostsUpdateLastActiveAt(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		function, events := functionRecording()
		_, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function, "$default": functionReturning(acceptedResponse)},
		})
		conn := listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		connected := time.Now()
		times := func() [2]string {
			_, body := listener.callManagementFull(t, http.MethodGet, id, "")
			status := decodeJSON[struct {
				ConnectedAt  string `json:"connectedAt"`
				LastActiveAt string `json:"lastActiveAt"`
			}](t, body)
			return [2]string{status.ConnectedAt, status.LastActiveAt}
		}
		iso := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
		for name, act := range map[string]func(){
			"message": func() { writeFrames(t, conn, textFrame("hello")) },
			"post": func() {
				go listener.callManagement(t, http.MethodPost, id, "hello")
				receives(textFrame("hello"))(t, conn)
			},
		} {
			time.Sleep(time.Minute)
			act()
			synctest.Wait()
			active := time.Now()
			time.Sleep(time.Second)
			if diff := cmp.Diff([2]string{iso(connected), iso(active)}, times()); diff != "" {
				t.Errorf("%s: connectedAt, lastActiveAt (-want +got):\n%s", name, diff)
			}
		}

		closeFromBrowser(t, conn)
	})
}

// $disconnect is invoked once, and its failure does not affect other connections.
func TestFailedDisconnectIsNotRetried(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"throws": context.Canceled, "times out": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				calls := 0
				_, listener := pipeGateway(t, gateway.Config{
					Routes: map[string]gateway.Function{
						"$disconnect": functionFunc(func(context.Context, []byte) ([]byte, error) {
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
				closeFromBrowser(t, listener.connect(t))
				synctest.Wait()

				if calls != 1 {
					t.Errorf("$disconnect ran %d times, want once", calls)
				}

				writeFrames(t, other, textFrame(`{"action":"ping"}`))
				receives(textFrame(pong(time.Now())))(t, other)
				closeFromBrowser(t, other)
			})
		})
	}
}
