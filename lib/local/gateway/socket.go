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

// errGone is the error of a write to a closed connection.
var errGone = errors.New("gateway: connection gone")

// socket is one browser's connection. An idle socket needs one goroutine, which reads, and a small buffer. The goroutine that
// sends a frame writes it; frames are written one at a time, in the order of the calls.
type socket struct {
	gateway     *Gateway
	id          string
	domainName  string
	identity    identity
	connectedAt time.Time

	// lastActive is the time of the last bytes in either direction, in Unix nanoseconds.
	lastActive atomic.Int64
	// writeToken contains one token while nobody writes. A writer takes it and puts it back. start adds it.
	writeToken chan struct{}
	// inFlight contains one token for each message that is being handled.
	inFlight chan struct{}
	// closed is closed by markClosed.
	closed chan struct{}

	mu          sync.Mutex // Guards the fields below. After start has set conn, the reader and the writer use it without mu.
	conn        net.Conn
	expiryTimer *time.Timer
	isClosed    bool
}

func (g *Gateway) newSocket(domainName string, identity identity) *socket {
	s := &socket{
		gateway:     g,
		id:          newID(),
		domainName:  domainName,
		identity:    identity,
		connectedAt: time.Now(),
		writeToken:  make(chan struct{}, 1),
		inFlight:    make(chan struct{}, maxMessagesInFlight),
		closed:      make(chan struct{}),
	}
	s.markActive()
	return s
}

// start sets the socket's network connection, after the handshake, and lets writers begin.
func (s *socket) start(conn net.Conn) {
	s.mu.Lock()
	s.conn = conn
	if !s.isClosed {
		s.expiryTimer = time.AfterFunc(time.Until(s.expiresAt()), s.closeIfExpired)
	}
	s.mu.Unlock()

	s.writeToken <- struct{}{}
}

func (s *socket) markActive() {
	s.lastActive.Store(time.Now().UnixNano())
}

// expiresAt returns the time at which the connection is closed if it stays idle.
func (s *socket) expiresAt() time.Time {
	idle := time.Unix(0, s.lastActive.Load()).Add(s.gateway.cfg.IdleTimeout)
	if maximum := s.connectedAt.Add(s.gateway.cfg.ConnectionDuration); maximum.Before(idle) {
		return maximum
	}
	return idle
}

// closeIfExpired closes the connection if it has expired, otherwise it resets the timer.
func (s *socket) closeIfExpired() {
	if remaining := time.Until(s.expiresAt()); remaining > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.isClosed {
			s.expiryTimer.Reset(remaining)
		}
		return
	}

	s.close(closeGoingAway)
}

// serve handles frames until the connection is closed, and completes the closing handshake.
func (s *socket) serve(source io.Reader) {
	status := s.readLoop(newFrameReader(source, s.gateway.cfg.FrameLimit, s.gateway.cfg.MessageLimit))
	if s.markClosed(status) {
		s.sendCloseFrame(status)
	}
	s.drainAndClose()
}

// readLoop handles frames until the connection is to be closed. It returns the status to close with.
func (s *socket) readLoop(frames *frameReader) closeStatus {
	for {
		opCode, payload, err := frames.next()
		if err != nil {
			var frameErr frameError
			if errors.As(err, &frameErr) {
				return closeStatus{code: ws.StatusCode(frameErr)}
			}
			return closeAbnormal
		}

		switch opCode {
		case ws.OpClose:
			return parseCloseFrame(payload)
		case ws.OpPing:
			if err := s.writeFrame(s.gateway.ctx, ws.NewPongFrame(payload)); err != nil && !errors.Is(err, errGone) {
				return closeAbnormal
			}
		case ws.OpText:
			s.dispatch(payload)
		case ws.OpPong, ws.OpBinary, ws.OpContinuation:
		}
	}
}

// dispatch starts a goroutine that handles the message. If too many messages are in flight, it waits, so that the browser's
// sending is slowed down.
func (s *socket) dispatch(message []byte) {
	select { // If the socket is closed, the select below could still choose inFlight.
	case <-s.closed:
		return
	default:
	}

	select {
	case <-s.closed:
	case s.inFlight <- struct{}{}:
		s.gateway.running.Go(func() {
			defer func() { <-s.inFlight }()
			s.handleMessage(message)
		})
	}
}

// Read reads from the network connection and records the activity.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	if n > 0 {
		s.markActive()
	}
	return n, err //nolint:wrapcheck // An io.Reader must return io.EOF unwrapped.
}

// sendText sends a text message; invalid UTF-8 is replaced by U+FFFD. Errors are those of writeFrame.
func (s *socket) sendText(ctx context.Context, text []byte) error {
	return s.writeFrame(ctx, ws.NewTextFrame(bytes.ToValidUTF8(text, []byte("\uFFFD"))))
}

// writeFrame sends a frame within WriteTimeout, after the frames of earlier callers. It returns errGone if the connection is
// closed, and a timeout or ctx's error if the browser does not read in time. If the write fails, it closes the connection: part
// of the frame may have been sent.
func (s *socket) writeFrame(ctx context.Context, frame ws.Frame) error {
	deadline := time.Now().Add(s.gateway.cfg.WriteTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()

	select {
	case <-s.writeToken:
	case <-s.closed:
		return errGone
	case <-ctx.Done():
		return fmt.Errorf("wait for earlier frames: %w", ctx.Err())
	}
	defer func() { s.writeToken <- struct{}{} }()

	select { // If the socket was closed, the select above may still have chosen writeToken.
	case <-s.closed:
		return errGone
	default:
	}

	if err := s.writeToConn(frame, deadline); err != nil {
		s.markClosed(closeAbnormal)
		s.closeNow()
		return err
	}

	s.markActive()
	return nil
}

// writeToConn writes a frame to the network connection. The caller holds the write token.
func (s *socket) writeToConn(frame ws.Frame, deadline time.Time) error {
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
