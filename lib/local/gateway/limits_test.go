package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// measureLifetime connects, calls each (if not nil) every 61 seconds until the gateway closes the connection with 1001, and
// returns how long the connection lasted. The interval does not divide two hours, so that no call comes at the time of the close.
func measureLifetime(t *testing.T, listener *pipeListener, events <-chan []byte, each func(conn net.Conn, id string)) time.Duration {
	t.Helper()
	start := time.Now()
	conn := listener.connect(t)
	id := nextEvent(t, events).RequestContext.ConnectionID
	closed := make(chan struct{})
	var activity sync.WaitGroup
	if each != nil {
		activity.Go(func() {
			for {
				select {
				case <-time.After(61 * time.Second):
					each(conn, id)
				case <-closed:
					return
				}
			}
		})
	}

	for {
		frame, err := ws.ReadFrame(conn)
		if err != nil {
			t.Fatalf("read frame: %v", err)
		}
		if frame.Header.OpCode != ws.OpClose {
			continue
		}

		lasted := time.Since(start)
		close(closed)
		activity.Wait()

		if code, reason := ws.ParseCloseFrameData(frame.Payload); code != ws.StatusGoingAway || reason != "Going away" {
			t.Errorf("closed with %d %q, want 1001 Going away", code, reason)
		}

		_ = ws.WriteFrame(conn, ws.MaskFrame(closeFrame(ws.StatusGoingAway, "")))

		event := nextEvent(t, events).RequestContext
		if event.DisconnectStatusCode != 1001 || *event.DisconnectReason != "Going away" {
			t.Errorf("$disconnect received %d %q", event.DisconnectStatusCode, *event.DisconnectReason)
		}
		return lasted
	}
}

func TestConnectionsCloseWhenIdleOrAtTheirMaximumDuration(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		cfg  gateway.Config
		each func(t *testing.T, listener *pipeListener) func(conn net.Conn, id string)
		want time.Duration
	}{
		"idle":                     {want: 10 * time.Minute},
		"idle, configured timeout": {cfg: gateway.Config{IdleTimeout: time.Minute}, want: time.Minute},
		"kept open by messages": {want: 2 * time.Hour, each: func(t *testing.T, _ *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(conn net.Conn, _ string) { writeFrames(t, conn, textFrame("hello")) }
		}},
		"kept open by pings": {want: 2 * time.Hour, each: func(t *testing.T, _ *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(conn net.Conn, _ string) { writeFrames(t, conn, ws.NewPingFrame(nil)) }
		}},
		"kept open by posts": {want: 2 * time.Hour, each: func(t *testing.T, listener *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(_ net.Conn, id string) {
				if status := listener.callManagement(t, http.MethodPost, id, "hello"); status != http.StatusOK {
					t.Errorf("post returned %d", status)
				}
			}
		}},
		"configured duration": {
			cfg: gateway.Config{IdleTimeout: time.Hour, ConnectionDuration: 30 * time.Second}, want: 30 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				function, events := functionRecording()
				test.cfg.Routes = map[string]gateway.Function{
					"$connect": function, "$disconnect": function, "$default": functionReturning(acceptedResponse),
				}
				_, listener := pipeGateway(t, test.cfg)
				var each func(net.Conn, string)
				if test.each != nil {
					each = test.each(t, listener)
				}
				if lasted := measureLifetime(t, listener, events, each); lasted != test.want {
					t.Errorf("the connection lasted %v, want %v", lasted, test.want)
				}
			})
		})
	}
}

// The gateway waits at most 29 s for a function. The function is not stopped, and the connection stays open.
func TestFunctionsTimeOutAfter29Seconds(t *testing.T) {
	t.Parallel()

	slow := functionFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
		return []byte(acceptedResponse), ctx.Err()
	})

	t.Run("message", func(t *testing.T) {
		t.Parallel()

		synctest.Test(t, func(t *testing.T) {
			_, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$default": slow}})
			conn, start := listener.connect(t), time.Now()
			for range 2 {
				writeFrames(t, conn, textFrame("hello"))
				frame, err := ws.ReadFrame(conn)
				if err != nil {
					t.Fatalf("read frame: %v", err)
				}
				if got := decodeJSON[map[string]string](t, frame.Payload)["message"]; got != "Endpoint request timed out" {
					t.Errorf("frame %s", frame.Payload)
				}
			}

			if lasted := time.Since(start); lasted != 2*29*time.Second {
				t.Errorf("two timeouts took %v, want 58s", lasted)
			}

			closeFromBrowser(t, conn)
		})
	})

	t.Run("connect", func(t *testing.T) {
		t.Parallel()

		synctest.Test(t, func(t *testing.T) {
			_, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$connect": slow}})
			start := time.Now()
			_, _, _, err := ws.Dialer{NetDial: listener.Dial}.Dial(t.Context(), "ws://gateway.test/prod")
			var status ws.StatusError
			if !errors.As(err, &status) || status != http.StatusGatewayTimeout {
				t.Errorf("dial: %v, want status 504", err)
			}
			if lasted := time.Since(start); lasted != 29*time.Second {
				t.Errorf("the handshake took %v, want 29s", lasted)
			}
		})
	})
}

// If the browser reads nothing, a post returns 504 after 10 s, and the connection is closed.
func TestPostToABlockedBrowserTimesOut(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		function, events := functionRecording()
		_, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function},
		})
		listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		start := time.Now()

		if status := listener.callManagement(t, http.MethodPost, id, "hello"); status != http.StatusGatewayTimeout {
			t.Errorf("the post returned %d, want 504", status)
		}
		if lasted := time.Since(start); lasted != 10*time.Second {
			t.Errorf("the post took %v, want 10s", lasted)
		}
		if status := listener.callManagement(t, http.MethodPost, id, "hello"); status != http.StatusGone {
			t.Errorf("the next post returned %d, want 410", status)
		}
		if event := nextEvent(t, events).RequestContext; event.DisconnectStatusCode != 1006 {
			t.Errorf("$disconnect received %d, want 1006", event.DisconnectStatusCode)
		}
	})
}

// Frames of 32 KiB and messages of 128 KiB are accepted.
func TestLargestFrameAndLargestMessageAreAccepted(t *testing.T) {
	t.Parallel()
	function, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$default": function}})
	conn := dialRaw(t, serverURL)
	full := strings.Repeat("x", 32<<10)
	writeFrames(t, conn, textFrame(full))
	if event := nextEvent(t, events); event.Body != full {
		t.Errorf("a frame of %d bytes arrived as %d", len(full), len(event.Body))
	}

	writeFrames(t, conn, newFrame(ws.OpText, false, full), newFrame(ws.OpContinuation, false, full), newFrame(ws.OpContinuation, false, full),
		newFrame(ws.OpContinuation, true, full))
	if event := nextEvent(t, events); event.Body != strings.Repeat(full, 4) {
		t.Errorf("a message of %d bytes arrived as %d", 4*len(full), len(event.Body))
	}
}

// Posts to a browser that does not read time out, and its connection is closed. Posts to other browsers are not delayed.
func TestSlowBrowserDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	connect, events := functionRecording()
	disconnect, disconnects := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{
		Routes:       map[string]gateway.Function{"$connect": connect, "$disconnect": disconnect},
		WriteTimeout: time.Second,
	})
	dialRaw(t, serverURL) // It never reads.
	slow := nextEvent(t, events).RequestContext.ConnectionID
	other := dial(t, serverURL, nil)
	quick := nextEvent(t, events).RequestContext.ConnectionID
	big := strings.Repeat("x", 128<<10)
	last := make(chan int, 1)

	go func() {
		status := http.StatusOK
		for status == http.StatusOK {
			status, _ = callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+slow, big)
		}
		last <- status
	}()

	for status := 0; status == 0; {
		if got, _ := callManagement(t, http.MethodPost, serverURL+"/prod/@connections/"+quick, "hi"); got != http.StatusOK {
			t.Fatalf("a post to another browser returned %d", got)
		}
		if got := readText(t, other); got != "hi" {
			t.Fatalf("the other browser read %q", got)
		}

		select {
		case status = <-last:
			if status != http.StatusGatewayTimeout {
				t.Errorf("a post to the slow browser returned %d in the end, want 504", status)
			}
		default:
		}
	}

	if event := nextEvent(t, disconnects).RequestContext; event.ConnectionID != slow || event.DisconnectStatusCode != 1006 {
		t.Errorf("$disconnect received %+v, want 1006 of %s", event, slow)
	}
}
