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

// pong is the MOCK route of the tests. Its answer shows that nothing came before it.
func pong(at time.Time) string {
	return `{"type":"pong","at":` + strconv.FormatInt(at.UnixMilli(), 10) + `}`
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	function, events := routeRecords()
	_, serverURL := startGateway(t, gateway.Config{
		Routes: map[string]gateway.Function{
			"$connect": function, "$disconnect": function, "$default": function, "sync": function, "7": function, "true": function,
		},
	})
	conn := wsDial(t, serverURL, nil)
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
		wsSay(t, conn, message)
		event := nextEvent(t, events)
		if event.RequestContext.RouteKey != want || event.Body != message {
			t.Errorf("%q: route %q, body %q, want route %q", message, event.RequestContext.RouteKey, event.Body, want)
		}
		if event.RequestContext.MessageID == "" {
			t.Errorf("%q: no messageId", message)
		}
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()

	_, serverURL := startGateway(t, gateway.Config{
		Routes: map[string]gateway.Function{
			"ok":      routeAnswers(routeAccepted),
			"refuses": routeAnswers(`{"statusCode":500,"body":"dropped as well"}`),
			"throws":  routeThrows(io.ErrUnexpectedEOF),
			"panics":  routeFunc(func(context.Context, []byte) ([]byte, error) { panic(io.EOF) }),
			"odd":     routeAnswers(`"no object"`),
		},
		Mocks: map[string]func(time.Time) string{"ping": pong},
	})

	tests := map[string]struct{ action, want string }{
		"a body is dropped":         {"ok", ""},
		"so is one of a failure":    {"refuses", ""},
		"a function that throws":    {"throws", "Internal server error"},
		"a function that panics":    {"panics", "Internal server error"},
		"an answer without status":  {"odd", "Internal server error"},
		"no route":                  {"unknown", "Forbidden"},
		"a route of the connection": {"$connect", "Forbidden"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := wsDial(t, serverURL, nil)
			wsSay(t, conn, `{"action":"`+test.action+`"}`)

			if test.want != "" {
				frame := fromJSON[map[string]string](t, []byte(wsHear(t, conn)))
				if frame["message"] != test.want {
					t.Errorf("frame %v, want message %q", frame, test.want)
				}
				if len(frame) != 3 || len(frame["connectionId"]) != 16 || len(frame["requestId"]) != 16 {
					t.Errorf("frame %v, want message, connectionId and requestId", frame)
				}
			}

			wsSay(t, conn, `{"action":"ping"}`)
			if frame := fromJSON[map[string]any](t, []byte(wsHear(t, conn))); frame["type"] != "pong" {
				t.Errorf("the open connection answers %v, want a pong", frame)
			}
		})
	}
}

// A MOCK integration answers with the time of the request, and can be the default route.
func TestMock(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		_, listener := pipeGateway(t, gateway.Config{Mocks: map[string]func(time.Time) string{"$default": pong}})
		conn := listener.connect(t)
		for range 2 {
			time.Sleep(time.Minute)
			wsWrite(t, conn, wsText("hello"))
			receives(wsText(pong(time.Now())))(t, conn)
		}
		wsLeave(t, conn)
	})
}

// Messages of one connection are handled at the same time, up to a bound that holds back the browser alone.
func TestHandlesMessagesConcurrently(t *testing.T) {
	t.Parallel()
	const sent, bound = 40, 32
	running, release := make(chan struct{}, sent), make(chan struct{})
	_, serverURL := startGateway(t, gateway.Config{Routes: map[string]gateway.Function{
		"$default": routeFunc(func(context.Context, []byte) ([]byte, error) {
			running <- struct{}{}
			<-release
			return []byte(routeAccepted), nil
		}),
	}, Mocks: map[string]func(time.Time) string{"ping": pong}})

	conn := wsDial(t, serverURL, nil)
	for i := range sent {
		wsSay(t, conn, fmt.Sprint(i))
	}

	for range bound {
		nextSignal(t, running)
	}

	other := wsDial(t, serverURL, nil)
	wsSay(t, other, `{"action":"ping"}`)
	if text := wsHear(t, other); !strings.Contains(text, "pong") {
		t.Errorf("another connection heard %q, want a pong", text)
	}
	if len(running) != 0 {
		t.Errorf("%d messages more than %d in flight", len(running), bound)
	}

	close(release)
	for range sent - bound {
		nextSignal(t, running)
	}
}

func nextSignal(t *testing.T, signals <-chan struct{}) {
	t.Helper()
	select {
	case <-signals:
	case <-time.After(patience):
		t.Fatal("no signal came")
	}
}
