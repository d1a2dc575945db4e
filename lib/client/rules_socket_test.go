package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/herald-progress/herald/lib/message"
)

func (w *ruleWorld) newToken(context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.token == "" {
		return "", errors.New("signed out")
	}
	return w.token, nil
}

func (w *ruleWorld) dial(_ context.Context, _, token string) (Socket, error) {
	if !w.answered {
		w.did("connects", token)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != 0 {
		return nil, &Refused{Status: w.refuse}
	}
	w.socket = &ruleSocket{world: w, frames: make(chan []byte, 100), closed: make(chan struct{})}
	return w.socket, nil
}

// ruleSocket is a connection to the gateway of a case.
type ruleSocket struct {
	world  *ruleWorld
	frames chan []byte
	closed chan struct{}
	once   sync.Once
}

func (c *ruleSocket) end() bool {
	open := false
	c.once.Do(func() {
		open = true
		close(c.closed)
	})
	return open
}

// post sends a frame to the client, if it is connected.
func (c *ruleSocket) post(frame []byte) {
	select {
	case c.frames <- frame:
	case <-c.closed:
	}
}

func (c *ruleSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	for {
		select {
		case frame := <-c.frames:
			if e, err := message.Parse(frame); err == nil {
				return e, frame, nil
			}
		case <-c.closed:
			return message.Envelope{}, nil, io.EOF
		case <-ctx.Done():
			return message.Envelope{}, nil, ctx.Err()
		}
	}
}

func (c *ruleSocket) Send(_ context.Context, text string) error {
	var sent map[string]any
	if err := json.Unmarshal([]byte(text), &sent); err != nil {
		c.world.t.Errorf("the client sends %s", text)
	}
	if !c.world.answered {
		c.world.did("sends", any(sent))
		return nil
	}
	answers := map[any]string{"sync": `{"type":"synced","data":{"jobs":0,"notes":0}}`, "ping": `{"type":"pong","data":{}}`}
	if answer, ok := answers[sent["action"]]; ok {
		c.post([]byte(answer))
	}

	return nil
}

func (c *ruleSocket) Close() error {
	if c.end() {
		c.world.did("closes", nil)
	}
	return nil
}

func (c *ruleSocket) Drop() error { return c.Close() }
