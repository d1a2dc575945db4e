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

// wsDial connects a real client to the stage "prod".
func wsDial(t *testing.T, serverURL string, options *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	return wsDialPath(t, serverURL+"/prod", options)
}

func wsDialPath(t *testing.T, fullURL string, options *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), fullURL, options)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// wsDialRaw connects without a client library, for frames that none would send.
func wsDialRaw(t *testing.T, serverURL string) net.Conn {
	t.Helper()
	conn, buffered, _, err := ws.Dial(t.Context(), strings.Replace(serverURL, "http", "ws", 1)+"/prod")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if buffered != nil {
		t.Fatal("the gateway sent frames with its handshake")
	}

	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	return conn
}

func wsSay(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func wsHear(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, text, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(text)
}

// wsWrite sends frames, masked as a browser's are.
func wsWrite(t *testing.T, conn net.Conn, frames ...ws.Frame) {
	t.Helper()
	for _, frame := range frames {
		if err := ws.WriteFrame(conn, ws.MaskFrame(frame)); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("write: %v", err) // The gateway may have closed already, which what is read next will tell.
		}
	}
}

// wsReadClose returns the code and reason of the next frame, which must be a close, answers it, and makes sure that nothing
// else follows. A text message before it is passed over if racing.
func wsReadClose(t *testing.T, conn net.Conn, racing bool) (ws.StatusCode, string) {
	t.Helper()
	frame, err := ws.ReadFrame(conn)
	if err == nil && racing && frame.Header.OpCode == ws.OpText {
		frame, err = ws.ReadFrame(conn)
	}
	if err != nil {
		t.Fatalf("read frame: %v", err)
	}
	if frame.Header.OpCode != ws.OpClose {
		t.Fatalf("read frame %v %.100q, want a close", frame.Header, frame.Payload)
	}

	wsWrite(t, conn, ws.NewCloseFrame(nil))
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("after the close: %d bytes, error %v, want the end", len(rest), err)
	}
	return ws.ParseCloseFrameData(frame.Payload)
}

// wsLeave closes the connection from the browser's side.
func wsLeave(t *testing.T, conn net.Conn) {
	t.Helper()
	wsWrite(t, conn, wsClose(ws.StatusNormalClosure, ""))
	if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpClose {
		t.Errorf("read frame %v, %v, want a close", frame.Header, err)
	}
}

func wsText(payload string) ws.Frame { return ws.NewTextFrame([]byte(payload)) }

func wsPart(code ws.OpCode, final bool, payload string) ws.Frame {
	return ws.NewFrame(code, final, []byte(payload))
}

func wsClose(code ws.StatusCode, reason string) ws.Frame {
	return ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason))
}
