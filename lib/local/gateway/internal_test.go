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

type acceptingFunction struct{}

func (acceptingFunction) Invoke(context.Context, []byte) ([]byte, error) {
	return []byte(`{"statusCode":200}`), nil
}

// Whatever a browser says is routed, and reaches its function as it was said.
func FuzzMessage(f *testing.F) {
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
			t.Skip("no such message passes the reader")
		}

		key := g.routeKey([]byte(message))
		var body map[string]any
		if json.Unmarshal([]byte(message), &body) != nil {
			body = nil
		}

		want := routeDefault
		if named := body["action"]; named == "sync" || named == "ping" {
			want = fmt.Sprint(named)
		}
		if key != want {
			t.Errorf("route %q, want %q", key, want)
		}

		var event proxyEvent
		if err := json.Unmarshal(encode(s.messageEvent(key, message)), &event); err != nil {
			t.Fatalf("the event is no JSON: %v", err)
		}

		if event.Body == nil || *event.Body != message || event.RequestContext.RouteKey != key {
			t.Errorf("the event says %+v", event)
		}
	})
}

// Whatever bytes come, reading them ends, keeps to the limits, and does not depend on how they were cut.
func FuzzFrames(f *testing.F) {
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
		whole := readFrames(t, bytes.NewReader(wire))
		if diff := cmp.Diff(whole, readFrames(t, iotest.OneByteReader(bytes.NewReader(wire)))); diff != "" {
			t.Errorf("read in one piece, and byte by byte:\n%s", diff)
		}
	})
}

// readFrames returns a line for everything that was read.
func readFrames(t *testing.T, source io.Reader) []string {
	t.Helper()
	const frameLimit, messageLimit = 64, 100
	frames := newFrameReader(source, frameLimit, messageLimit)
	var lines []string
	for {
		opCode, payload, err := frames.next()
		if err != nil {
			var refused frameError
			if errors.As(err, &refused) {
				return append(lines, refused.Error())
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
			end := parseClose(payload)
			if frame, ok := end.frame(); ok && len(frame.Payload) > ws.MaxControlFramePayloadSize {
				t.Errorf("the answer to a close has %d bytes", len(frame.Payload))
			}
			return append(lines, fmt.Sprint(end))
		}
	}
}
