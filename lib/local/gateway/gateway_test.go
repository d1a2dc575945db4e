package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// testTimeout bounds each wait in a test. Only broken code reaches it.
const testTimeout = 20 * time.Second

// acceptedResponse is a function's response with status 200. Only the response of $connect has an effect. The gateway drops the body.
const acceptedResponse = `{"statusCode":200,"body":"dropped"}`

// functionFunc is a gateway.Function.
type functionFunc func(ctx context.Context, event []byte) ([]byte, error)

func (f functionFunc) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// functionReturning returns a function that always returns the same response.
func functionReturning(response string) gateway.Function {
	return functionFunc(func(context.Context, []byte) ([]byte, error) { return []byte(response), nil })
}

func functionFailing(err error) gateway.Function {
	return functionFunc(func(context.Context, []byte) ([]byte, error) { return nil, err })
}

// functionRecording returns a function that responds with 200, and a channel of the events that it receives.
func functionRecording() (gateway.Function, <-chan []byte) {
	events := make(chan []byte, 100)
	return functionFunc(func(_ context.Context, event []byte) ([]byte, error) {
		events <- event
		return []byte(acceptedResponse), nil
	}), events
}

// eventFields holds the fields of an event that tests read.
type eventFields struct {
	Body           string `json:"body"`
	RequestContext struct {
		RouteKey             string  `json:"routeKey"`
		ConnectionID         string  `json:"connectionId"`
		RequestID            string  `json:"requestId"`
		ExtendedRequestID    string  `json:"extendedRequestId"`
		MessageID            string  `json:"messageId"`
		DisconnectStatusCode int     `json:"disconnectStatusCode"`
		DisconnectReason     *string `json:"disconnectReason"`
	} `json:"requestContext"`
}

func nextEvent(t *testing.T, events <-chan []byte) eventFields {
	t.Helper()
	return decodeJSON[eventFields](t, nextEventJSON(t, events))
}

func nextEventJSON(t *testing.T, events <-chan []byte) []byte {
	t.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(testTimeout):
		t.Fatal("no event arrived")
		return nil
	}
}

func decodeJSON[T any](t *testing.T, encoded []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(encoded, &value); err != nil {
		t.Fatalf("decode %q: %v", encoded, err)
	}
	return value
}

// startGateway serves a gateway on 127.0.0.1. It returns the gateway and its http URL.
func startGateway(t *testing.T, cfg gateway.Config) (*gateway.Gateway, string) {
	t.Helper()
	g := gateway.New(cfg)
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), testTimeout)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		server.Close()
	})
	return g, server.URL
}

func TestCloseClosesConnectionsAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	disconnect, events := functionRecording()
	g := gateway.New(gateway.Config{Routes: map[string]gateway.Function{"$disconnect": disconnect}})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	conn := dial(t, server.URL, nil)
	closed := make(chan error, 1)
	go func() { closed <- g.Close(t.Context()) }()
	_, _, err := conn.Read(t.Context())
	if diff := cmp.Diff(websocket.StatusGoingAway, websocket.CloseStatus(err)); diff != "" {
		t.Errorf("close code (-want +got):\n%s", diff)
	}

	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if len(events) != 1 {
		t.Errorf("$disconnect ran %d times before Close returned, want once", len(events))
	}

	_, response, err := websocket.Dial(t.Context(), server.URL+"/prod", nil)
	if err == nil || response == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("dialing a closed gateway: %v, %v, want 503", response, err)
	}
}

// Close returns at its context's deadline and cancels the contexts of functions that still run.
func TestCloseCancelsFunctionsAtItsDeadline(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan time.Time, 1)
		g, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{
			"$default": functionFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				cancelled <- time.Now()
				return nil, ctx.Err()
			}),
		}})
		writeFrames(t, listener.connect(t), textFrame("hello"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()

		if err := g.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want its deadline", err)
		}
		if lasted := (<-cancelled).Sub(start); lasted != time.Second {
			t.Errorf("the function was cancelled after %v, want 1s", lasted)
		}
	})
}

// A connection whose $connect runs when Close is called is opened, then closed at once.
func TestConnectionAcceptedDuringCloseIsClosedAtOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		disconnect, disconnects := functionRecording()
		closing := make(chan struct{})
		g, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{
			"$connect": functionFunc(func(context.Context, []byte) ([]byte, error) {
				<-closing
				return []byte(acceptedResponse), nil
			}),
			"$disconnect": disconnect,
		}})
		closed := make(chan error, 1)

		go func() {
			synctest.Wait()
			go func() { closed <- g.Close(t.Context()) }()
			synctest.Wait()
			close(closing)
		}()

		start := time.Now()
		conn := listener.connect(t)
		if code, _ := readClose(t, conn, false); code != ws.StatusGoingAway {
			t.Errorf("closed with %d, want 1001", code)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if lasted := time.Since(start); lasted != 0 {
			t.Errorf("the connection lasted %v, want no time", lasted)
		}

		if event := nextEvent(t, disconnects).RequestContext; event.DisconnectStatusCode != 1001 {
			t.Errorf("$disconnect received %d, want 1001", event.DisconnectStatusCode)
		}
	})
}

// At level debug the log contains connections and routes, but no tokens and no messages.
func TestLogHoldsNoTokensAndNoMessages(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"

	var log bytes.Buffer
	g := gateway.New(gateway.Config{
		Routes: map[string]gateway.Function{
			"$disconnect": functionFailing(errors.New(secret)),
			"$default":    functionFunc(func(context.Context, []byte) ([]byte, error) { panic(secret) }),
		},
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	conn := dialURL(t, server.URL+"/prod?token="+secret, nil)
	writeText(t, conn, secret)
	readText(t, conn)
	_ = conn.Close(websocket.StatusNormalClosure, secret)

	if err := g.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}

	lines := log.String()
	for _, want := range []string{"connection opened", "connection closed", "route=$default", "route=$disconnect", "errorString"} {
		if !strings.Contains(lines, want) {
			t.Errorf("the log lacks %q", want)
		}
	}

	if strings.Contains(lines, secret) {
		t.Errorf("the log contains the secret:\n%s", lines)
	}
}
