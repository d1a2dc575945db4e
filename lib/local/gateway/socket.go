package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// errGone is returned for a write to a connection that has ended.
var errGone = errors.New("gateway: connection gone")

// socket is one browser's connection. It costs one goroutine and a small buffer while nothing happens; frames
// are written by whoever sends them, one at a time, in the order of arrival.
type socket struct {
	gateway     *Gateway
	id          string
	domainName  string
	identity    identity
	connectedAt time.Time

	// lastActive is when bytes last went either way, in Unix nanoseconds.
	lastActive atomic.Int64
	// turn holds one token: who has taken it may write. It is given out first when the handshake is answered.
	turn chan struct{}
	// inFlight holds a token for each message that a function is handling.
	inFlight chan struct{}
	// ended is closed when the end is decided.
	ended chan struct{}

	mu      sync.Mutex
	conn    net.Conn
	timer   *time.Timer
	isEnded bool
}

func (g *Gateway) newSocket(domainName string, identity identity) *socket {
	s := &socket{
		gateway:     g,
		id:          newID(),
		domainName:  domainName,
		identity:    identity,
		connectedAt: time.Now(),
		turn:        make(chan struct{}, 1),
		inFlight:    make(chan struct{}, messagesInFlight),
		ended:       make(chan struct{}),
	}
	s.touch()
	return s
}

// start gives the socket its connection, whose handshake has been answered, and lets writers begin.
func (s *socket) start(conn net.Conn) {
	s.mu.Lock()
	s.conn = conn
	if !s.isEnded {
		s.timer = time.AfterFunc(time.Until(s.expiry()), s.expire)
	}
	s.mu.Unlock()
	s.turn <- struct{}{}
}

func (s *socket) touch() {
	s.lastActive.Store(time.Now().UnixNano())
}

// expiry returns when the connection is to be closed if nothing more happens on it.
func (s *socket) expiry() time.Time {
	idle := time.Unix(0, s.lastActive.Load()).Add(s.gateway.cfg.IdleTimeout)
	if last := s.connectedAt.Add(s.gateway.cfg.Duration); last.Before(idle) {
		return last
	}
	return idle
}

// expire closes the connection when its time has come, else sets the timer anew.
func (s *socket) expire() {
	if left := time.Until(s.expiry()); left > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.isEnded {
			s.timer.Reset(left)
		}
		return
	}

	s.shut(endGoingAway)
}

// serve reads frames until the connection ends, answers them, and closes it.
func (s *socket) serve(source io.Reader) {
	end := s.read(newFrameReader(source, s.gateway.cfg.FrameLimit, s.gateway.cfg.MessageLimit))
	if s.end(end) {
		s.sendClose(end)
	}
	s.linger()
}

// read returns why no more frames are to be read.
func (s *socket) read(frames *frameReader) ending {
	for {
		opCode, payload, err := frames.next()
		if err != nil {
			var refused frameError
			if errors.As(err, &refused) {
				return ending{code: ws.StatusCode(refused)}
			}
			return endDropped
		}

		switch opCode {
		case ws.OpClose:
			return parseClose(payload)
		case ws.OpPing:
			if err := s.write(s.gateway.base, ws.NewPongFrame(payload)); err != nil && !errors.Is(err, errGone) {
				return endDropped
			}
		case ws.OpText:
			s.dispatch(payload)
		case ws.OpPong, ws.OpBinary, ws.OpContinuation:
		}
	}
}

// dispatch has a message handled beside the reading. With too many in flight it waits, and so does the browser.
func (s *socket) dispatch(message []byte) {
	select {
	case <-s.ended:
		return
	default:
	}

	select {
	case <-s.ended:
	case s.inFlight <- struct{}{}:
		s.gateway.work.Go(func() {
			defer func() { <-s.inFlight }()
			s.handle(message)
		})
	}
}

// Read reads from the connection; whatever arrives counts as activity.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	if n > 0 {
		s.touch()
	}
	return n, err //nolint:wrapcheck // io.Reader: io.EOF must pass as it is
}

// send writes a text message. It fails with errGone when the connection has ended, and with a deadline's or
// ctx's error when the browser did not take it in time; a browser that stopped within a frame is dropped.
func (s *socket) send(ctx context.Context, text []byte) error {
	return s.write(ctx, ws.NewTextFrame(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
}

func (s *socket) write(ctx context.Context, frame ws.Frame) error {
	deadline := time.Now().Add(s.gateway.cfg.WriteTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	select {
	case <-s.turn:
	case <-s.ended:
		return errGone
	case <-ctx.Done():
		return fmt.Errorf("wait for earlier frames: %w", ctx.Err())
	}
	defer func() { s.turn <- struct{}{} }()

	select {
	case <-s.ended:
		return errGone
	default:
	}

	if err := s.writeFrame(frame, deadline); err != nil {
		s.end(endDropped)
		s.drop()
		return err
	}

	s.touch()
	return nil
}

// writeFrame puts a frame on the wire. The caller has the turn.
func (s *socket) writeFrame(frame ws.Frame, deadline time.Time) error {
	var header bytes.Buffer
	if err := ws.WriteHeader(&header, frame.Header); err != nil {
		return fmt.Errorf("write frame header: %w", err)
	}
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}

	buffers := net.Buffers{header.Bytes(), frame.Payload}
	if _, err := buffers.WriteTo(s.conn); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}
