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

// wsLifetime connects, does something every 61 seconds, and returns how long the connection lasted and its close frame.
func wsLifetime(t *testing.T, listener *pipeListener, events <-chan []byte, each func(conn net.Conn, id string)) time.Duration {
	t.Helper()
	start := time.Now()
	conn := listener.connect(t)
	id := nextEvent(t, events).RequestContext.ConnectionID
	over := make(chan struct{})
	var busy sync.WaitGroup
	if each != nil {
		busy.Go(func() {
			for {
				select {
				case <-time.After(61 * time.Second):
					each(conn, id)
				case <-over:
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
		close(over)
		busy.Wait()

		if code, reason := ws.ParseCloseFrameData(frame.Payload); code != ws.StatusGoingAway || reason != "Going away" {
			t.Errorf("closed with %d %q, want 1001 Going away", code, reason)
		}

		_ = ws.WriteFrame(conn, ws.MaskFrame(wsClose(ws.StatusGoingAway, "")))

		end := nextEvent(t, events).RequestContext
		if end.DisconnectStatusCode != 1001 || *end.DisconnectReason != "Going away" {
			t.Errorf("$disconnect was told %d %q", end.DisconnectStatusCode, *end.DisconnectReason)
		}
		return lasted
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		cfg  gateway.Config
		each func(t *testing.T, listener *pipeListener) func(conn net.Conn, id string)
		want time.Duration
	}{
		"idle":            {want: 10 * time.Minute},
		"idle, own limit": {cfg: gateway.Config{IdleTimeout: time.Minute}, want: time.Minute},
		"kept by messages": {want: 2 * time.Hour, each: func(t *testing.T, _ *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(conn net.Conn, _ string) { wsWrite(t, conn, wsText("hello")) }
		}},
		"kept by pings": {want: 2 * time.Hour, each: func(t *testing.T, _ *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(conn net.Conn, _ string) { wsWrite(t, conn, ws.NewPingFrame(nil)) }
		}},
		"kept by posts": {want: 2 * time.Hour, each: func(t *testing.T, listener *pipeListener) func(net.Conn, string) {
			t.Helper()
			return func(_ net.Conn, id string) {
				if status := listener.callback(t, http.MethodPost, id, "hello"); status != http.StatusOK {
					t.Errorf("post answered %d", status)
				}
			}
		}},
		"own duration": {
			cfg: gateway.Config{IdleTimeout: time.Hour, Duration: 30 * time.Second}, want: 30 * time.Second,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				function, events := routeRecords()
				test.cfg.Routes = map[string]gateway.Function{
					"$connect": function, "$disconnect": function, "$default": routeAnswers(routeAccepted),
				}
				_, listener := pipeGateway(t, test.cfg)
				var each func(net.Conn, string)
				if test.each != nil {
					each = test.each(t, listener)
				}
				if lasted := wsLifetime(t, listener, events, each); lasted != test.want {
					t.Errorf("lasted %v, want %v", lasted, test.want)
				}
			})
		})
	}
}

// A function that does not answer within 29 s is waited for no longer; it runs on, and the connection stays open.
func TestIntegrationTimeout(t *testing.T) {
	t.Parallel()

	slow := routeFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
		return []byte(routeAccepted), ctx.Err()
	})

	t.Run("message", func(t *testing.T) {
		t.Parallel()

		synctest.Test(t, func(t *testing.T) {
			_, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$default": slow}})
			conn, start := listener.connect(t), time.Now()
			for range 2 {
				wsWrite(t, conn, wsText("hello"))
				frame, err := ws.ReadFrame(conn)
				if err != nil {
					t.Fatalf("read frame: %v", err)
				}
				if got := fromJSON[map[string]string](t, frame.Payload)["message"]; got != "Endpoint request timed out" {
					t.Errorf("frame %s", frame.Payload)
				}
			}

			if lasted := time.Since(start); lasted != 2*29*time.Second {
				t.Errorf("two messages were answered after %v, want 58s", lasted)
			}

			wsLeave(t, conn)
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
				t.Errorf("answered after %v, want 29s", lasted)
			}
		})
	})
}

// A browser that does not take a frame holds up the post to it for 10 s, and is dropped.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		function, events := routeRecords()
		_, listener := pipeGateway(t, gateway.Config{
			Routes: map[string]gateway.Function{"$connect": function, "$disconnect": function},
		})
		listener.connect(t)
		id := nextEvent(t, events).RequestContext.ConnectionID
		start := time.Now()

		if status := listener.callback(t, http.MethodPost, id, "hello"); status != http.StatusGatewayTimeout {
			t.Errorf("the post answered %d, want 504", status)
		}
		if lasted := time.Since(start); lasted != 10*time.Second {
			t.Errorf("the post took %v, want 10s", lasted)
		}
		if status := listener.callback(t, http.MethodPost, id, "hello"); status != http.StatusGone {
			t.Errorf("the next post answered %d, want 410", status)
		}
		if end := nextEvent(t, events).RequestContext; end.DisconnectStatusCode != 1006 {
			t.Errorf("$disconnect was told %d, want 1006", end.DisconnectStatusCode)
		}
	})
}

// The largest frame and the largest message pass.
func TestLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	function, events := routeRecords()
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{"$default": function}})
	conn := wsDialRaw(t, serverURL)
	full := strings.Repeat("x", 32<<10)
	wsWrite(t, conn, wsText(full))

	if event := nextEvent(t, events); event.Body != full {
		t.Errorf("a frame of %d bytes arrived as %d", len(full), len(event.Body))
	}

	wsWrite(t, conn, wsPart(ws.OpText, false, full), wsPart(ws.OpContinuation, false, full), wsPart(ws.OpContinuation, false, full),
		wsPart(ws.OpContinuation, true, full))

	if event := nextEvent(t, events); event.Body != strings.Repeat(full, 4) {
		t.Errorf("a message of %d bytes arrived as %d", 4*len(full), len(event.Body))
	}
}

// A browser that stops reading delays its own posts, then is dropped; others go on.
func TestSlowBrowser(t *testing.T) {
	t.Parallel()
	connect, events := routeRecords()
	disconnect, ends := routeRecords()
	_, serverURL := startGateway(t, gateway.Config{
		Routes:       map[string]gateway.Function{"$connect": connect, "$disconnect": disconnect},
		WriteTimeout: time.Second,
	})
	wsDialRaw(t, serverURL) // It never reads.
	slow := nextEvent(t, events).RequestContext.ConnectionID
	other := wsDial(t, serverURL, nil)
	quick := nextEvent(t, events).RequestContext.ConnectionID
	big := strings.Repeat("x", 128<<10)
	last := make(chan int, 1)

	go func() {
		status := http.StatusOK
		for status == http.StatusOK {
			status, _ = callGateway(t, http.MethodPost, serverURL+"/prod/@connections/"+slow, big)
		}
		last <- status
	}()

	for status := 0; status == 0; {
		if got, _ := callGateway(t, http.MethodPost, serverURL+"/prod/@connections/"+quick, "hi"); got != http.StatusOK {
			t.Fatalf("a post to another browser answered %d", got)
		}
		if got := wsHear(t, other); got != "hi" {
			t.Fatalf("the other browser heard %q", got)
		}

		select {
		case status = <-last:
			if status != http.StatusGatewayTimeout {
				t.Errorf("a post to the slow browser answered %d in the end, want 504", status)
			}
		default:
		}
	}

	if end := nextEvent(t, ends).RequestContext; end.ConnectionID != slow || end.DisconnectStatusCode != 1006 {
		t.Errorf("$disconnect was told %+v, want 1006 of %s", end, slow)
	}
}
