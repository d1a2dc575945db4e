package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

func TestConnectFunctionDecidesTheHandshakeResponse(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		connect  gateway.Function
		status   int
		body     string
		protocol string
	}{
		"no route":                        {nil, 101, "", ""},
		"accepts":                         {functionReturning(`{"statusCode":200,"body":"Connected"}`), 101, "", ""},
		"accepts with 204":                {functionReturning(`{"statusCode":204}`), 101, "", ""},
		"selects a subprotocol":           {functionReturning(`{"statusCode":200,"headers":{"sec-websocket-protocol":"herald"}}`), 101, "", "herald"},
		"selects it by multiValueHeaders": {functionReturning(`{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["herald"]}}`), 101, "", "herald"},
		"refuses": {
			functionReturning(`{"statusCode":401,"headers":{"content-type":"application/json"},"body":"{\"error\":\"UNAUTHORIZED\"}"}`),
			401, `{"error":"UNAUTHORIZED"}`, "",
		},
		"refuses in base64": {functionReturning(`{"statusCode":403,"isBase64Encoded":true,"body":"bm8="}`), 403, "no", ""},
		"redirects":         {functionReturning(`{"statusCode":302}`), 302, "", ""},
		"throws":            {functionFailing(io.ErrUnexpectedEOF), 502, "Internal server error", ""},
		"panics":            {functionFunc(func(context.Context, []byte) ([]byte, error) { panic("oh") }), 502, "Internal server error", ""},
		"returns nothing":   {functionReturning(""), 502, "Internal server error", ""},
		"returns null":      {functionReturning("null"), 502, "Internal server error", ""},
		"returns no status": {functionReturning("{}"), 502, "Internal server error", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": test.connect}})
			conn, response, err := websocket.Dial(t.Context(), serverURL+"/prod",
				&websocket.DialOptions{Subprotocols: []string{"herald", "a.token"}})
			if err == nil {
				defer conn.CloseNow()
				if conn.Subprotocol() != test.protocol {
					t.Errorf("subprotocol %q, want %q", conn.Subprotocol(), test.protocol)
				}
			}

			if response == nil {
				t.Fatalf("no response: %v", err)
			}

			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}

			if test.status == http.StatusSwitchingProtocols {
				return
			}

			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatalf("read body: %v", err)
			}

			if !strings.Contains(string(body), test.body) {
				t.Errorf("body %q, want %q", body, test.body)
			}
		})
	}
}

// An invalid handshake is refused before $connect runs.
func TestInvalidHandshakesDoNotRunConnect(t *testing.T) {
	t.Parallel()
	connect, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": connect}})
	good := http.Header{
		"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}

	tests := map[string]struct {
		method, path string
		change       map[string]string
		status       int
	}{
		"proper":           {"GET", "/prod", nil, 101},
		"with a slash":     {"GET", "/prod/", nil, 101},
		"another stage":    {"GET", "/dev", nil, 403},
		"no stage":         {"GET", "/", nil, 403},
		"beyond the stage": {"GET", "/prod/chat", nil, 403},
		"POST":             {"POST", "/prod", nil, 403},
		"bad escape":       {"GET", "/prod%2Fx", nil, 403},
		"long URL":         {"GET", "/prod?token=" + strings.Repeat("x", 4096), nil, 414},
		"longest URL":      {"GET", "/prod?token=" + strings.Repeat("x", 4096-len("/prod?token=")), nil, 101},
		"no upgrade":       {"GET", "/prod", map[string]string{"Connection": "close"}, 426},
		"other protocol":   {"GET", "/prod", map[string]string{"Upgrade": "h2c"}, 426},
		"old version":      {"GET", "/prod", map[string]string{"Sec-Websocket-Version": "8"}, 426},
		"no key":           {"GET", "/prod", map[string]string{"Sec-Websocket-Key": ""}, 400},
		"short key":        {"GET", "/prod", map[string]string{"Sec-Websocket-Key": "c2hvcnQ="}, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), test.method, serverURL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}

			request.Header = good.Clone()
			for name, value := range test.change {
				request.Header.Set(name, value)
			}

			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}

			_ = response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}

			want := 0
			if test.status == http.StatusSwitchingProtocols {
				want = 1
			}
			if got := len(events); got != want {
				t.Errorf("$connect ran %d times, want %d", got, want)
			}

			for range len(events) {
				<-events
			}
		})
	}
}

// A browser may send its first frames together with the handshake.
func TestFramesSentWithTheHandshakeAreHandled(t *testing.T) {
	t.Parallel()
	function, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$default": function}})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(serverURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var wire bytes.Buffer
	wire.WriteString("GET /prod HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	ws.MustWriteFrame(&wire, ws.MaskFrame(textFrame("first")))
	ws.MustWriteFrame(&wire, ws.MaskFrame(textFrame("second")))
	if _, err := conn.Write(wire.Bytes()); err != nil {
		t.Fatal(err)
	}

	messages := []string{nextEvent(t, events).Body, nextEvent(t, events).Body}
	slices.Sort(messages)
	if diff := cmp.Diff([]string{"first", "second"}, messages); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}
