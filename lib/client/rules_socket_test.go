package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/herald-progress/herald/lib/message"
)

// This file has what the client of a case calls: newToken, dial, and a socket.

// newToken is Config.Token of the client in a case. It returns an error if the case has set an empty token.
func (f *ruleFixture) newToken(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token == "" {
		return "", errors.New("signed out")
	}
	return f.token, nil
}

// dial is Config.Dial of the client in a case.
func (f *ruleFixture) dial(_ context.Context, _, token string) (Socket, error) {
	if !f.answered {
		f.record("connects", token)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != 0 {
		return nil, &Refused{Status: f.refuse}
	}
	f.socket = &ruleSocket{fixture: f, frames: make(chan []byte, 100), closed: make(chan struct{})}
	return f.socket, nil
}

// ruleSocket is a connection to the gateway of a case.
type ruleSocket struct {
	fixture *ruleFixture
	frames  chan []byte
	closed  chan struct{}
	once    sync.Once
}

// end ends the connection. It returns false if the connection has already ended.
func (s *ruleSocket) end() bool {
	open := false
	s.once.Do(func() {
		open = true
		close(s.closed)
	})
	return open
}

// post sends a frame to the client, unless the connection has ended.
func (s *ruleSocket) post(frame []byte) {
	select {
	case s.frames <- frame:
	case <-s.closed:
	}
}

func (s *ruleSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	select {
	case text := <-s.frames:
		e, err := message.Parse(text)
		if err != nil {
			return message.Envelope{}, text, nil //nolint:nilerr // as Conn.Next returns text that is not a frame
		}
		return e, text, nil
	case <-s.closed:
		return message.Envelope{}, nil, io.EOF
	case <-ctx.Done():
		return message.Envelope{}, nil, ctx.Err()
	}
}

func (s *ruleSocket) Send(_ context.Context, text string) error {
	var sent map[string]any
	if err := json.Unmarshal([]byte(text), &sent); err != nil {
		s.fixture.t.Errorf("the client sends %s", text)
	}
	if !s.fixture.answered {
		s.fixture.record("sends", any(sent))
		return nil
	}
	answers := map[any]string{"sync": `{"type":"synced","data":{"jobs":0,"notes":0}}`, "ping": `{"type":"pong","data":{}}`}
	if answer, ok := answers[sent["action"]]; ok {
		s.post([]byte(answer))
	}

	return nil
}

func (s *ruleSocket) Close() error {
	if s.end() {
		s.fixture.record("closes", nil)
	}
	return nil
}

func (s *ruleSocket) Drop() error { return s.Close() }
