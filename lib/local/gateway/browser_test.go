package gateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
)

// dial connects to the stage "prod" with a WebSocket client library.
func dial(t *testing.T, serverURL string, options *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	return dialURL(t, serverURL+"/prod", options)
}

func dialURL(t *testing.T, fullURL string, options *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), fullURL, options)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// dialRaw connects without a client library, so that the test can send any frame.
func dialRaw(t *testing.T, serverURL string) net.Conn {
	t.Helper()
	conn, buffered, _, err := ws.Dial(t.Context(), strings.Replace(serverURL, "http", "ws", 1)+"/prod")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if buffered != nil {
		t.Fatal("the gateway sent frames with its handshake")
	}

	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	return conn
}

func writeText(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func readText(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	_, text, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(text)
}

// writeFrames sends frames, masked as a browser masks them.
func writeFrames(t *testing.T, conn net.Conn, frames ...ws.Frame) {
	t.Helper()
	for _, frame := range frames {
		if err := ws.WriteFrame(conn, ws.MaskFrame(frame)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("write: %v", err) // The gateway may have closed the connection. The next read shows it.
		}
	}
}

// readClose reads a close frame, answers it, checks that nothing follows, and returns its code and reason. If mayEcho is set, one
// text message may come first.
func readClose(t *testing.T, conn net.Conn, mayEcho bool) (ws.StatusCode, string) {
	t.Helper()
	frame, err := ws.ReadFrame(conn)
	if err == nil && mayEcho && frame.Header.OpCode == ws.OpText {
		frame, err = ws.ReadFrame(conn)
	}
	if err != nil {
		t.Fatalf("read frame: %v", err)
	}
	if frame.Header.OpCode != ws.OpClose {
		t.Fatalf("read frame %v %.100q, want a close", frame.Header, frame.Payload)
	}

	writeFrames(t, conn, ws.NewCloseFrame(nil))
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("after the close: %d bytes, error %v, want EOF", len(rest), err)
	}
	return ws.ParseCloseFrameData(frame.Payload)
}

// closeFromBrowser performs the closing handshake from the browser's side.
func closeFromBrowser(t *testing.T, conn net.Conn) {
	t.Helper()
	writeFrames(t, conn, closeFrame(ws.StatusNormalClosure, ""))
	if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpClose {
		t.Errorf("read frame %v, %v, want a close", frame.Header, err)
	}
}

func textFrame(payload string) ws.Frame { return ws.NewTextFrame([]byte(payload)) }

func newFrame(code ws.OpCode, final bool, payload string) ws.Frame {
	return ws.NewFrame(code, final, []byte(payload))
}

func closeFrame(code ws.StatusCode, reason string) ws.Frame {
	return ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))
}
