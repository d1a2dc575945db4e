package gateway_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// Each way to close a connection has its own close code for the browser, and its own code and reason for $disconnect.
func TestDisconnectReportsHowTheConnectionClosed(t *testing.T) {
	t.Parallel()
	const kilobyte = 1 << 10
	tests := map[string]struct {
		send           []ws.Frame
		drop           bool          // The browser drops the connection.
		delete         bool          // A DELETE closes the connection.
		code           ws.StatusCode // In the close frame that the browser receives.
		disconnectCode int           // In the event of $disconnect.
		reason         string        // In the event of $disconnect, and after a DELETE also in the close frame.
	}{
		"closed without status": {
			send: []ws.Frame{ws.NewCloseFrame(nil)},
			code: 1000, disconnectCode: 1005, reason: "Client-side close frame status not set",
		},
		"browser leaves":      {send: []ws.Frame{closeFrame(1001, "")}, code: 1001, disconnectCode: 1001},
		"application's close": {send: []ws.Frame{closeFrame(4000, "bye")}, code: 4000, disconnectCode: 4000, reason: "bye"},
		"connection lost":     {drop: true, disconnectCode: 1006},
		"DELETE":              {delete: true, code: 1000, disconnectCode: 1000, reason: "Connection Closed Normally"},
		"binary":              {send: []ws.Frame{ws.NewBinaryFrame([]byte("x"))}, code: 1003, disconnectCode: 1003},
		"frame too big":       {send: []ws.Frame{textFrame(strings.Repeat("x", 32*kilobyte+1))}, code: 1009, disconnectCode: 1009},
		"message too big": {send: []ws.Frame{
			newFrame(ws.OpText, false, strings.Repeat("x", 32*kilobyte)), newFrame(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)),
			newFrame(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)), newFrame(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)),
			newFrame(ws.OpContinuation, true, "x"),
		}, code: 1009, disconnectCode: 1009},
		"not UTF-8":      {send: []ws.Frame{textFrame("\xff")}, code: 1007, disconnectCode: 1007},
		"cut character":  {send: []ws.Frame{textFrame("caf\xc3")}, code: 1007, disconnectCode: 1007},
		"protocol error": {send: []ws.Frame{newFrame(ws.OpContinuation, true, "x")}, code: 1002, disconnectCode: 1002},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connect, connects := functionRecording()
			disconnect, disconnects := functionRecording()
			_, serverURL := startGateway(t, gateway.Config{
				Routes: map[string]gateway.Function{"$connect": connect, "$disconnect": disconnect},
			})
			conn := dialRaw(t, serverURL)
			id := nextEvent(t, connects).RequestContext.ConnectionID
			writeFrames(t, conn, test.send...)

			if test.delete {
				if status, _ := callManagement(t, http.MethodDelete, serverURL+"/prod/@connections/"+id, ""); status != http.StatusNoContent {
					t.Errorf("DELETE returned %d", status)
				}
			}

			if test.drop {
				_ = conn.Close()
			} else {
				code, reason := readClose(t, conn, false)
				if code != test.code {
					t.Errorf("close code %d, want %d", code, test.code)
				}
				if test.delete && reason != test.reason {
					t.Errorf("close reason %q, want %q", reason, test.reason)
				}
			}

			event := nextEvent(t, disconnects).RequestContext
			if event.DisconnectReason == nil {
				t.Fatal("no disconnectReason")
			}

			if event.DisconnectStatusCode != test.disconnectCode || *event.DisconnectReason != test.reason {
				t.Errorf("$disconnect received %d %q, want %d %q",
					event.DisconnectStatusCode, *event.DisconnectReason, test.disconnectCode, test.reason)
			}
			if event.ConnectionID != id {
				t.Errorf("$disconnect of %q, want %q", event.ConnectionID, id)
			}
			if status, _ := callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "x"); status != http.StatusGone {
				t.Errorf("a post after the close returned %d, want 410", status)
			}
		})
	}
}

// The browser has 5 s to read the close frame and to answer it. $disconnect runs at once and does not wait for the answer.
func TestClosingHandshakeTakesAtMost5Seconds(t *testing.T) {
	t.Parallel()

	tests := map[string]func(conn net.Conn){
		"reads nothing":   func(net.Conn) {},
		"answers nothing": func(conn net.Conn) { _, _ = ws.ReadFrame(conn) },
	}
	for name, browser := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				function, events := functionRecording()
				g, listener := pipeGateway(t, gateway.Config{
					Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function},
				})
				conn := listener.connect(t)
				id := nextEvent(t, events).RequestContext.ConnectionID
				go browser(conn)
				start := time.Now()

				if status := listener.callManagement(t, http.MethodDelete, id, ""); status != http.StatusNoContent {
					t.Errorf("DELETE returned %d, want 204", status)
				}

				nextEvent(t, events)
				if lasted := time.Since(start); lasted != 0 {
					t.Errorf("$disconnect ran after %v, want at once", lasted)
				}
				if err := g.Close(t.Context()); err != nil {
					t.Errorf("Close: %v", err)
				}
				if lasted := time.Since(start); lasted != 5*time.Second {
					t.Errorf("closing took %v, want 5s", lasted)
				}
			})
		})
	}
}
