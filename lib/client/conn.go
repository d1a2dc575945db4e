package client

import (
	"context"
	"fmt"

	"github.com/coder/websocket"

	"github.com/herald-progress/herald/lib/message"
)

// Conn is one WebSocket connection to Herald; [Client] keeps one open. It is for one reader at a time.
type Conn struct{ conn *websocket.Conn }

// Refused is the error of a handshake that the server refused with an HTTP status.
type Refused struct{ Status int }

// Error names the status.
func (e *Refused) Error() string { return fmt.Sprintf("connect: refused with status %d", e.Status) }

// Dial connects to a WebSocket URL. It sends the token as a subprotocol, so that the token is in no URL. If the server
// refuses the handshake, the error is a [*Refused].
func Dial(ctx context.Context, url, token string) (*Conn, error) {
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{ //nolint:bodyclose // websocket.Dial closes the body
		Subprotocols: []string{message.Subprotocol, token},
	})
	if err != nil {
		if response != nil {
			return nil, &Refused{Status: response.StatusCode}
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	conn.SetReadLimit(message.MaxFrame)
	return &Conn{conn: conn}, nil
}

// Next returns the next frame, parsed and as received. If a text is not a frame of Herald, the envelope is empty.
func (c *Conn) Next(ctx context.Context) (message.Envelope, []byte, error) {
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		return message.Envelope{}, nil, fmt.Errorf("receive: %w", err)
	}
	e, err := message.Parse(text)
	if err != nil {
		return message.Envelope{}, text, nil //nolint:nilerr // the text is not a frame, as the empty envelope says
	}
	return e, text, nil
}

// Send sends one message, JSON with an action.
func (c *Conn) Send(ctx context.Context, text string) error {
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Close sends a close frame and waits some seconds for the server's.
func (c *Conn) Close() error {
	if err := c.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// Drop closes the connection without a close frame, as when the process is killed.
func (c *Conn) Drop() error {
	if err := c.conn.CloseNow(); err != nil {
		return fmt.Errorf("drop: %w", err)
	}
	return nil
}
