package gateway_test

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// pong is a MOCK integration. Tests send a message to it to show that no frame came before its response.
func pong(at time.Time) string {
	return `{"type":"pong","at":` + strconv.FormatInt(at.UnixMilli(), 10) + `}`
}

func TestActionSelectsTheRoute(t *testing.T) {
	t.Parallel()
	function, events := functionRecording()
	_, serverURL := startGateway(t, gateway.Config{
		Routes: map[string]gateway.Function{
			"$connect": function, "$disconnect": function, "$default": function, "sync": function, "7": function, "true": function,
		},
	})
	conn := dial(t, serverURL, nil)
	nextEvent(t, events)

	for message, want := range map[string]string{
		`{"action":"sync","have":{}}`:         "sync",
		" {\n\"action\" : \"s\\u0079nc\" } ":  "sync",
		`{"action":7}`:                        "7",
		`{"action":true}`:                     "true",
		`{"action":"unknown"}`:                "$default",
		`{"Action":"sync"}`:                   "$default",
		`{"action":null}`:                     "$default",
		`{"action":["sync"]}`:                 "$default",
		`{"action":""}`:                       "$default",
		`{"action":"$connect"}`:               "$default",
		`{"action":"$disconnect"}`:            "$default",
		`{"data":{"action":"sync"}}`:          "$default",
		`{"action":"sync"`:                    "$default",
		`[{"action":"sync"}]`:                 "$default",
		`"sync"`:                              "$default",
		`sync`:                                "$default",
		``:                                    "$default",
		`{"action":"sync"} {"action":"sync"}`: "$default",
		"{\"action\":\"sync\",\"name\":\"żółw\"}": "sync",
	} {
		writeText(t, conn, message)
		event := nextEvent(t, events)
		if event.RequestContext.RouteKey != want || event.Body != message {
			t.Errorf("%q: route %q, body %q, want route %q", message, event.RequestContext.RouteKey, event.Body, want)
		}
		if event.RequestContext.MessageID == "" {
			t.Errorf("%q: no messageId", message)
		}
	}
}

func TestOnlyFailedRoutesSendAFrame(t *testing.T) {
	t.Parallel()

	_, serverURL := startGateway(t, gateway.Config{
		Routes: map[string]gateway.Function{
			"ok":      functionReturning(acceptedResponse),
			"refuses": functionReturning(`{"statusCode":500,"body":"dropped as well"}`),
			"throws":  functionFailing(io.ErrUnexpectedEOF),
			"panics":  functionFunc(func(context.Context, []byte) ([]byte, error) { panic(io.EOF) }),
			"odd":     functionReturning(`"no object"`),
		},
		Mocks: map[string]func(time.Time) string{"ping": pong},
	})

	tests := map[string]struct{ action, want string }{
		"a response is dropped":     {"ok", ""},
		"a refusal is dropped":      {"refuses", ""},
		"a function that throws":    {"throws", "Internal server error"},
		"a function that panics":    {"panics", "Internal server error"},
		"a response without status": {"odd", "Internal server error"},
		"no route":                  {"unknown", "Forbidden"},
		"a predefined route":        {"$connect", "Forbidden"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, serverURL, nil)
			writeText(t, conn, `{"action":"`+test.action+`"}`)

			if test.want != "" {
				frame := decodeJSON[map[string]string](t, []byte(readText(t, conn)))
				if frame["message"] != test.want {
					t.Errorf("frame %v, want message %q", frame, test.want)
				}
				if len(frame) != 3 || len(frame["connectionId"]) != 16 || len(frame["requestId"]) != 16 {
					t.Errorf("frame %v, want message, connectionId and requestId", frame)
				}
			}

			writeText(t, conn, `{"action":"ping"}`)
			if frame := decodeJSON[map[string]any](t, []byte(readText(t, conn))); frame["type"] != "pong" {
				t.Errorf("the next frame is %v, want a pong", frame)
			}
		})
	}
}

// A MOCK integration receives the time of the request and can be the $default route.
func TestMockReceivesTheTimeOfTheRequest(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		_, listener := pipeGateway(t, gateway.Config{Mocks: map[string]func(time.Time) string{"$default": pong}})
		conn := listener.connect(t)
		for range 2 {
			time.Sleep(time.Minute)
			writeFrames(t, conn, textFrame("hello"))
			receives(textFrame(pong(time.Now())))(t, conn)
		}
		closeFromBrowser(t, conn)
	})
}

// Messages of one connection are handled at the same time, up to a limit that does not delay other connections.
func TestMessagesOfAConnectionRunConcurrentlyUpToALimit(t *testing.T) {
	t.Parallel()
	const sent, limit = 40, 32
	running, release := make(chan struct{}, sent), make(chan struct{})
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{
		"$default": functionFunc(func(context.Context, []byte) ([]byte, error) {
			running <- struct{}{}
			<-release
			return []byte(acceptedResponse), nil
		}),
	}, Mocks: map[string]func(time.Time) string{"ping": pong}})

	conn := dial(t, serverURL, nil)
	for i := range sent {
		writeText(t, conn, fmt.Sprint(i))
	}

	for range limit {
		waitForSignal(t, running)
	}

	other := dial(t, serverURL, nil)
	writeText(t, other, `{"action":"ping"}`)
	if text := readText(t, other); !strings.Contains(text, "pong") {
		t.Errorf("another connection read %q, want a pong", text)
	}
	if len(running) != 0 {
		t.Errorf("%d messages in flight above the limit of %d", len(running), limit)
	}

	close(release)
	for range sent - limit {
		waitForSignal(t, running)
	}
}

func waitForSignal(t *testing.T, signals <-chan struct{}) {
	t.Helper()
	select {
	case <-signals:
	case <-time.After(testTimeout):
		t.Fatal("no signal came")
	}
}
