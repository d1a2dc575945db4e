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

// A connection ends in one of these ways. What the browser is told, and what $disconnect is told:
func TestEnds(t *testing.T) {
	t.Parallel()
	const kilobyte = 1 << 10
	tests := map[string]struct {
		send   []ws.Frame
		drop   bool
		delete bool
		code   ws.StatusCode
		told   int
		reason string
	}{
		"closed without status": {
			send: []ws.Frame{ws.NewCloseFrame(nil)},
			code: 1000, told: 1005, reason: "Client-side close frame status not set",
		},
		"browser leaves":      {send: []ws.Frame{wsClose(1001, "")}, code: 1001, told: 1001},
		"application's close": {send: []ws.Frame{wsClose(4000, "bye")}, code: 4000, told: 4000, reason: "bye"},
		"connection lost":     {drop: true, told: 1006},
		"DELETE":              {delete: true, code: 1000, told: 1000, reason: "Connection Closed Normally"},
		"binary":              {send: []ws.Frame{ws.NewBinaryFrame([]byte("x"))}, code: 1003, told: 1003},
		"frame too big":       {send: []ws.Frame{wsText(strings.Repeat("x", 32*kilobyte+1))}, code: 1009, told: 1009},
		"message too big": {send: []ws.Frame{
			wsPart(ws.OpText, false, strings.Repeat("x", 32*kilobyte)), wsPart(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)),
			wsPart(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)), wsPart(ws.OpContinuation, false, strings.Repeat("x", 32*kilobyte)),
			wsPart(ws.OpContinuation, true, "x"),
		}, code: 1009, told: 1009},
		"not UTF-8":      {send: []ws.Frame{wsText("\xff")}, code: 1007, told: 1007},
		"cut character":  {send: []ws.Frame{wsText("caf\xc3")}, code: 1007, told: 1007},
		"protocol error": {send: []ws.Frame{wsPart(ws.OpContinuation, true, "x")}, code: 1002, told: 1002},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connect, begins := routeRecords()
			disconnect, ends := routeRecords()
			_, serverURL := startGateway(t, gateway.Config{
				Routes: map[string]gateway.Function{"$connect": connect, "$disconnect": disconnect},
			})
			conn := wsDialRaw(t, serverURL)
			id := nextEvent(t, begins).RequestContext.ConnectionID
			wsWrite(t, conn, test.send...)

			if test.delete {
				if status, _ := callGateway(t, http.MethodDelete, serverURL+"/prod/@connections/"+id, ""); status != http.StatusNoContent {
					t.Errorf("DELETE answered %d", status)
				}
			}

			if test.drop {
				_ = conn.Close()
			} else {
				code, reason := wsReadClose(t, conn, false)
				if code != test.code {
					t.Errorf("close code %d, want %d", code, test.code)
				}
				if test.delete && reason != test.reason {
					t.Errorf("close reason %q, want %q", reason, test.reason)
				}
			}

			end := nextEvent(t, ends).RequestContext
			if end.DisconnectReason == nil {
				t.Fatal("no disconnectReason")
			}

			if end.DisconnectStatusCode != test.told || *end.DisconnectReason != test.reason {
				t.Errorf("$disconnect was told %d %q, want %d %q",
					end.DisconnectStatusCode, *end.DisconnectReason, test.told, test.reason)
			}
			if end.ConnectionID != id {
				t.Errorf("$disconnect of %q, want %q", end.ConnectionID, id)
			}
			if status, _ := callGateway(t, http.MethodPost, serverURL+"/prod/@connections/"+id, "x"); status != http.StatusGone {
				t.Errorf("a post after the end answered %d, want 410", status)
			}
		})
	}
}

// A browser has 5 s to take the close frame and to answer it. $disconnect does not wait for that.
func TestCloseTimeout(t *testing.T) {
	t.Parallel()

	tests := map[string]func(conn net.Conn){
		"reads nothing":   func(net.Conn) {},
		"answers nothing": func(conn net.Conn) { _, _ = ws.ReadFrame(conn) },
	}
	for name, browser := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				function, events := routeRecords()
				g, listener := pipeGateway(t, gateway.Config{
					Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function},
				})
				conn := listener.connect(t)
				id := nextEvent(t, events).RequestContext.ConnectionID
				go browser(conn)
				start := time.Now()

				if status := listener.callback(t, http.MethodDelete, id, ""); status != http.StatusNoContent {
					t.Errorf("DELETE answered %d, want 204", status)
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
