package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// acceptingFunction is a Function that answers every event with 200.
type acceptingFunction struct{}

func (acceptingFunction) Invoke(context.Context, []byte) ([]byte, error) {
	return []byte(`{"statusCode":200}`), nil
}

// Every message is routed by its action and reaches its function unchanged.
func FuzzRouteSelection(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `hello`, `{"action":"sync"}`, `{"action":"$connect"}`, `{"action":1e2}`, `{"action":{}}`,
		`{"action":"sync","action":"ping"}`, `{"ACTION":"sync"}`, "{\"action\":\"\u2028<&\"}", `[{"action":"sync"}]`,
	} {
		f.Add(seed)
	}

	g := New(Config{
		Routes: map[string]Function{
			"$connect": acceptingFunction{}, "$disconnect": acceptingFunction{}, "$default": acceptingFunction{}, "sync": acceptingFunction{},
		},
		Mocks: map[string]func(time.Time) string{"ping": func(time.Time) string { return "pong" }},
	})
	s := g.newSocket("gateway.test", identity{SourceIP: "127.0.0.1"})

	f.Fuzz(func(t *testing.T, message string) {
		if !utf8.ValidString(message) {
			t.Skip("frameReader refuses invalid UTF-8")
		}

		key := g.selectRoute([]byte(message))
		var body map[string]any
		if json.Unmarshal([]byte(message), &body) != nil {
			body = nil
		}

		want := routeDefault
		if action := body["action"]; action == "sync" || action == "ping" {
			want = fmt.Sprint(action)
		}
		if key != want {
			t.Errorf("route %q, want %q", key, want)
		}

		var event proxyEvent
		encoded, err := json.Marshal(s.newMessageEvent(key, message))
		if err != nil {
			t.Fatalf("encode event: %v", err)
		}
		if err := json.Unmarshal(encoded, &event); err != nil {
			t.Fatalf("decode event: %v", err)
		}

		if event.Body == nil || *event.Body != message || event.RequestContext.RouteKey != key {
			t.Errorf("event %+v", event)
		}
	})
}

// For any input the reader ends, enforces the limits, and returns the same frames however the input is split.
func FuzzFrameReader(f *testing.F) {
	for _, frames := range [][]ws.Frame{
		{ws.NewTextFrame([]byte("hello")), ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye"))},
		{ws.NewFrame(ws.OpText, false, []byte("hé")[:2]), ws.NewPingFrame([]byte("x")), ws.NewFrame(ws.OpContinuation, true, []byte("hé")[2:])},
		{ws.NewBinaryFrame(nil)},
		{ws.NewTextFrame(bytes.Repeat([]byte("x"), 65))},
		{ws.NewCloseFrame([]byte{1})},
	} {
		var wire bytes.Buffer
		for _, frame := range frames {
			ws.MustWriteFrame(&wire, ws.MaskFrameWith(frame, [4]byte{1, 2, 3, 4}))
		}
		f.Add(wire.Bytes())
	}

	f.Fuzz(func(t *testing.T, wire []byte) {
		inOnePiece := readFrames(t, bytes.NewReader(wire))
		if diff := cmp.Diff(inOnePiece, readFrames(t, iotest.OneByteReader(bytes.NewReader(wire)))); diff != "" {
			t.Errorf("frames (-read in one piece +read byte by byte):\n%s", diff)
		}
	})
}

// readFrames reads to the end and returns a line for each message, control frame and frameError.
func readFrames(t *testing.T, source io.Reader) []string {
	t.Helper()
	const frameLimit, messageLimit = 64, 100
	frames := newFrameReader(source, frameLimit, messageLimit)
	var lines []string
	for {
		opCode, payload, err := frames.next()
		if err != nil {
			var frameErr frameError
			if errors.As(err, &frameErr) {
				return append(lines, frameErr.Error())
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("read: %v", err)
			}
			return lines
		}

		lines = append(lines, fmt.Sprintf("%d %q", opCode, payload))
		switch {
		case opCode == ws.OpText && (len(payload) > messageLimit || !utf8.Valid(payload)):
			t.Errorf("read a message of %d bytes: %q", len(payload), payload)
		case opCode.IsControl() && len(payload) > ws.MaxControlFramePayloadSize:
			t.Errorf("read a control frame of %d bytes", len(payload))
		case opCode == ws.OpClose:
			status := parseCloseFrame(payload)
			if frame, ok := status.closeFrame(); ok && len(frame.Payload) > ws.MaxControlFramePayloadSize {
				t.Errorf("the close frame in response has %d bytes", len(frame.Payload))
			}
			return append(lines, fmt.Sprint(status))
		}
	}
}
