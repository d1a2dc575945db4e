package gateway

import (
	"encoding/binary"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// closeTimeout bounds the closing handshake: sending the close frame, then waiting for the browser's.
const closeTimeout = 5 * time.Second

// ending is why a connection ended: what the close frame says, and what $disconnect is told.
type ending struct {
	code   ws.StatusCode
	reason string
}

// How connections end, as API Gateway reports it.
var (
	endNoStatus  = ending{ws.StatusNoStatusRcvd, "Client-side close frame status not set"}
	endDropped   = ending{ws.StatusAbnormalClosure, ""}
	endDeleted   = ending{ws.StatusNormalClosure, "Connection Closed Normally"}
	endGoingAway = ending{ws.StatusGoingAway, "Going away"}
)

// frame returns the close frame to send for the end, and whether one can be sent at all. A close without status is
// answered with 1000 (RFC 6455, section 7.4.1: 1005 and 1006 never travel).
func (e ending) frame() (ws.Frame, bool) {
	if e.code == ws.StatusAbnormalClosure {
		return ws.Frame{}, false
	}
	if e.code == ws.StatusNoStatusRcvd {
		e = ending{code: ws.StatusNormalClosure}
	}
	return ws.NewCloseFrame(ws.NewCloseFrameBody(e.code, e.reason)), true
}

// parseClose returns what a browser's close frame means (RFC 6455, sections 5.5.1 and 7.4): its code and reason, or the
// protocol error that it is.
func parseClose(payload []byte) ending {
	const codeSize = 2
	switch {
	case len(payload) == 0:
		return endNoStatus
	case len(payload) < codeSize:
		return ending{code: ws.StatusProtocolError}
	}

	code, reason := ws.StatusCode(binary.BigEndian.Uint16(payload)), payload[codeSize:]
	switch {
	case !validCloseCode(code):
		return ending{code: ws.StatusProtocolError}
	case !utf8.Valid(reason):
		return ending{code: ws.StatusInvalidFramePayloadData}
	default:
		return ending{code: code, reason: string(reason)}
	}
}

// validCloseCode reports whether a close frame may carry the code: those that IANA's registry defines for endpoints,
// and the ranges for libraries and private use.
func validCloseCode(code ws.StatusCode) bool {
	const registeredMax = 1014
	unsent := code == ws.StatusNoMeaningYet || code == ws.StatusNoStatusRcvd || code == ws.StatusAbnormalClosure
	registered := code.In(ws.StatusCodeRange{Min: ws.StatusNormalClosure, Max: registeredMax}) && !unsent
	return registered || code.In(ws.StatusRangeApplication) || code.In(ws.StatusRangePrivate)
}

// end decides why the connection ends, once: posts find it gone from now on, and $disconnect is run. It reports whether
// this call decided it.
func (s *socket) end(end ending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isEnded {
		return false
	}

	s.isEnded = true
	close(s.ended)
	if s.timer != nil {
		s.timer.Stop()
	}

	s.gateway.remove(s)
	s.gateway.cfg.Log.DebugContext(s.gateway.base, "connection closed",
		slog.String("connectionId", s.id), slog.Int("code", int(end.code)))
	s.gateway.work.Go(func() { s.disconnect(end) })
	return true
}

// shut closes the connection from this side.
func (s *socket) shut(end ending) {
	if s.end(end) {
		s.finish(end)
	}
}

// finish sends the close frame of an end that this side has decided, and gives the browser a moment to answer.
func (s *socket) finish(end ending) {
	s.sendClose(end)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(closeTimeout)) // It fails only on a closed connection.
	}
}

// sendClose sends the close frame of an end, or drops the connection when the browser does not take it.
func (s *socket) sendClose(end ending) {
	frame, ok := end.frame()
	if !ok {
		return
	}

	deadline := time.NewTimer(closeTimeout)
	defer deadline.Stop()
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
		if err := s.writeFrame(frame, time.Now().Add(closeTimeout)); err != nil {
			s.drop()
		}
	case <-deadline.C:
		s.drop()
	}
}

// linger waits for the browser to close its side, so that unread bytes do not take the close frame from it, then
// releases the connection.
func (s *socket) linger() {
	defer s.drop()
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(closeTimeout)); err != nil {
		return
	}

	_, _ = io.Copy(io.Discard, s.conn) // It ends by the browser's end or by the deadline.
}

// drop closes the connection without a word.
func (s *socket) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // what is lost with it is lost
	}
}
