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

// patience bounds what a test waits for: nothing takes so long unless it is broken.
const patience = 20 * time.Second

const routeAccepted = `{"statusCode":200,"body":"dropped"}`

// routeFunc is a route's function on raw JSON.
type routeFunc func(ctx context.Context, event []byte) ([]byte, error)

func (f routeFunc) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// routeAnswers returns a function that always gives the same answer.
func routeAnswers(answer string) gateway.Function {
	return routeFunc(func(context.Context, []byte) ([]byte, error) { return []byte(answer), nil })
}

func routeThrows(err error) gateway.Function {
	return routeFunc(func(context.Context, []byte) ([]byte, error) { return nil, err })
}

// routeRecords returns a function that accepts, and the events that it was given.
func routeRecords() (gateway.Function, <-chan []byte) {
	events := make(chan []byte, 100)
	return routeFunc(func(_ context.Context, event []byte) ([]byte, error) {
		events <- event
		return []byte(routeAccepted), nil
	}), events
}

// wsEvent is what tests read of an event.
type wsEvent struct {
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

func nextEvent(t *testing.T, events <-chan []byte) wsEvent {
	t.Helper()
	return fromJSON[wsEvent](t, nextEventJSON(t, events))
}

func nextEventJSON(t *testing.T, events <-chan []byte) []byte {
	t.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(patience):
		t.Fatal("no event came")
		return nil
	}
}

func fromJSON[T any](t *testing.T, encoded []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(encoded, &value); err != nil {
		t.Fatalf("decode %q: %v", encoded, err)
	}
	return value
}

// startGateway serves a gateway on 127.0.0.1, and returns it with its URL, which begins with http.
func startGateway(t *testing.T, cfg gateway.Config) (*gateway.Gateway, string) {
	t.Helper()
	g := gateway.New(cfg)
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := g.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		server.Close()
	})
	return g, server.URL
}

func TestCloses(t *testing.T) {
	t.Parallel()
	disconnect, events := routeRecords()
	g := gateway.New(gateway.Config{Routes: map[string]gateway.Function{"$disconnect": disconnect}})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	conn := wsDial(t, server.URL, nil)
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
		t.Errorf("a closed gateway answered %v, %v", response, err)
	}
}

// Close gives up at its context's deadline, and tells the functions that still run.
func TestCloseDeadline(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		cancelled := make(chan time.Time, 1)
		g, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{
			"$default": routeFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				cancelled <- time.Now()
				return nil, ctx.Err()
			}),
		}})
		wsWrite(t, listener.connect(t), wsText("hello"))
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

// A connection whose $connect is running when the gateway begins to close is opened, and closed at once.
func TestCloseDuringConnect(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		disconnect, ends := routeRecords()
		closing := make(chan struct{})
		g, listener := pipeGateway(t, gateway.Config{Routes: map[string]gateway.Function{
			"$connect": routeFunc(func(context.Context, []byte) ([]byte, error) {
				<-closing
				return []byte(routeAccepted), nil
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
		if code, _ := wsReadClose(t, conn, false); code != ws.StatusGoingAway {
			t.Errorf("closed with %d, want 1001", code)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if lasted := time.Since(start); lasted != 0 {
			t.Errorf("the connection lasted %v, want no time", lasted)
		}

		if end := nextEvent(t, ends).RequestContext; end.DisconnectStatusCode != 1001 {
			t.Errorf("$disconnect was told %d, want 1001", end.DisconnectStatusCode)
		}
	})
}

// What the gateway logs at its most talkative tells of connections and routes, not of tokens and messages.
func TestLogsNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"

	var log bytes.Buffer
	g := gateway.New(gateway.Config{
		Routes: map[string]gateway.Function{
			"$disconnect": routeThrows(errors.New(secret)),
			"$default":    routeFunc(func(context.Context, []byte) ([]byte, error) { panic(secret) }),
		},
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	conn := wsDialPath(t, server.URL+"/prod?token="+secret, nil)
	wsSay(t, conn, secret)
	wsHear(t, conn)
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
		t.Errorf("the log holds the secret:\n%s", lines)
	}
}
