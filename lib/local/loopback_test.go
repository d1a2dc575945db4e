package local_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/coder/websocket"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/loopback"
	"github.com/herald-progress/herald/lib/local/states"
)

// call is a request to one of the twin's endpoints.
type call struct {
	method, path, body string
	header             http.Header
}

// calls returns requests to all endpoints of the twin. The twin accepts each of them from a program of this machine.
func calls(token string) map[string]call {
	target := func(action string) http.Header { return http.Header{"X-Amz-Target": {"AWSStepFunctions." + action}} }
	const object = "/herald-uploads/uploads/ZGV2/u-1/a.csv"
	all := map[string]call{
		"put an upload":          {http.MethodPut, object, "part,color,quantity\n3001,Red,4\n", nil},
		"get an upload":          {http.MethodGet, object, "", nil},
		"preflight of an upload": {http.MethodOptions, object, "", http.Header{"Access-Control-Request-Method": {"PUT"}}},
		"list a bucket":          {http.MethodGet, "/herald-uploads?list-type=2", "", nil},
		"invoke the notifier":    {http.MethodPost, "/2015-03-31/functions/herald-notifier/invocations", `{}`, nil},
		"start a workflow": {
			http.MethodPost, "/", `{"stateMachineArn":"` + states.StateMachineARN(local.CSVImport) + `","input":"{}"}`, target("StartExecution"),
		},
		"create a workflow": {
			http.MethodPost, "/", `{"name":"foreign","roleArn":"arn:aws:iam::000000000000:role/r","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}"}`,
			target("CreateStateMachine"),
		},
		"invoke a user's function": {http.MethodPost, "/2015-03-31/functions/own/invocations", `{}`, nil},
		"open the page":            {http.MethodGet, "/", "", nil},
		"get a token":              {http.MethodPost, "/_herald/token?user=dev", "", nil},
		"post to a connection":     {http.MethodPost, "/prod/@connections/x", "{}", nil},
		"handshake": {http.MethodGet, "/prod?token=" + token, "", http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}},
	}
	for method := range reflect.TypeFor[*sfn.Client]().Methods() {
		all["Step Functions "+method.Name] = call{http.MethodPost, "/", "{}", target(method.Name)}
	}
	return all
}

// send sends the request and returns the status of the response. An empty host means the twin's own.
func (c call) send(t *testing.T, twin *local.Twin, host, origin string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), c.method, twin.Endpoint()+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.header != nil {
		r.Header = c.header.Clone()
	}
	if host != "" {
		r.Host = host
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusForbidden && response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page may read the refusal")
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, response.Body)
	}

	return response.StatusCode
}

// TestForeignPagesAreForbidden sends requests of foreign pages, whose Host is the name of the page or of this machine.
func TestForeignPagesAreForbidden(t *testing.T) {
	var started atomic.Int64
	var called atomic.Int64
	own := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer own.Close()
	twin, err := local.Start(t.Context(), local.Config{
		Processes: map[string]local.Process{"own": {Command: own.URL}},
		Allowed:   loopback.Config{Hosts: []string{"box.example"}, Origins: []string{"https://app.example.com"}},
		StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
			if x.StopDate.IsZero() {
				started.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	}()
	token, err := twin.Token("dev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(twin.Endpoint(), "http://"))
	for name, c := range calls(token) {
		for _, from := range []struct{ host, origin string }{
			{"rebound.example:" + port, ""},
			{"rebound.example:" + port, "http://rebound.example:" + port},
			{"127.0.0.1.evil.example", ""},
			{"", "https://evil.example"},
			{"", "null"},
			{"box.example", "https://box.example"},
		} {
			if got := c.send(t, twin, from.host, from.origin); got != http.StatusForbidden {
				t.Errorf("%s, Host %q, Origin %q: %d, want 403", name, from.host, from.origin, got)
			}
		}
	}
	if n := started.Load(); n != 0 {
		t.Errorf("foreign pages have started %d executions", n)
	}
	if n := called.Load(); n != 0 {
		t.Errorf("foreign pages have called the user's function %d times", n)
	}
	for name, c := range calls(token) {
		for _, from := range []struct{ host, origin string }{
			{"", ""}, {"localhost:" + port, "http://localhost:5173"}, {"", "http://[::1]:3000"}, {"", "https://app.example.com"}, {"box.example:" + port, ""},
		} {
			if got := c.send(t, twin, from.host, from.origin); got == http.StatusForbidden {
				t.Errorf("%s, Host %q, Origin %q: refused", name, from.host, from.origin)
			}
		}
	}
}

// TestBrowserOfThisMachineIsAdmitted connects a WebSocket from a page on another port.
func TestBrowserOfThisMachineIsAdmitted(t *testing.T) {
	twin, _ := startTwin(t)
	token, err := twin.Token("dev", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for origin, admitted := range map[string]bool{"": true, "http://localhost:3000": true, "https://evil.example": false, "null": false} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, _, err := websocket.Dial(t.Context(), twin.WebSocketURL(), &websocket.DialOptions{
			Subprotocols: []string{"herald", token}, HTTPHeader: header,
		})
		if (err == nil) != admitted {
			t.Errorf("Origin %q: %v", origin, err)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
}

func TestStartNamesAnInvalidAllowedEntry(t *testing.T) {
	_, err := local.Start(t.Context(), local.Config{Allowed: loopback.Config{Hosts: []string{"a.example:80"}}})
	if err == nil || !strings.Contains(err.Error(), `"a.example:80"`) {
		t.Errorf("Start: %v", err)
	}
}
