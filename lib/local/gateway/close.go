package gateway

import (
	"encoding/binary"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// closeTimeout bounds each half of the closing handshake: sending a close frame and waiting for the browser's.
const closeTimeout = 5 * time.Second

// closeStatus is the close code and reason of a connection. $disconnect receives both.
type closeStatus struct {
	code   ws.StatusCode
	reason string
}

// The close statuses that API Gateway reports when the browser sends none.
var (
	closeNoStatus  = closeStatus{ws.StatusNoStatusRcvd, "Client-side close frame status not set"}
	closeAbnormal  = closeStatus{ws.StatusAbnormalClosure, ""}
	closeDeleted   = closeStatus{ws.StatusNormalClosure, "Connection Closed Normally"}
	closeGoingAway = closeStatus{ws.StatusGoingAway, "Going away"}
)

// closeFrame returns the close frame to send, or false if none can be sent. Codes 1005 and 1006 are never sent (RFC 6455,
// section 7.4.1). For 1005 the frame has the code 1000. For 1006 no frame can be sent, because the connection is lost.
func (s closeStatus) closeFrame() (ws.Frame, bool) {
	if s.code == ws.StatusAbnormalClosure {
		return ws.Frame{}, false
	}
	if s.code == ws.StatusNoStatusRcvd {
		s = closeStatus{code: ws.StatusNormalClosure}
	}
	return ws.NewCloseFrame(ws.NewCloseFrameBody(s.code, s.reason)), true
}

// parseCloseFrame returns the code and reason of a close frame's payload (RFC 6455, sections 5.5.1 and 7.4). For an invalid
// payload it returns the code to answer with.
func parseCloseFrame(payload []byte) closeStatus {
	const codeSize = 2
	switch {
	case len(payload) == 0:
		return closeNoStatus
	case len(payload) < codeSize:
		return closeStatus{code: ws.StatusProtocolError}
	}

	code, reason := ws.StatusCode(binary.BigEndian.Uint16(payload)), payload[codeSize:]
	switch {
	case !validCloseCode(code):
		return closeStatus{code: ws.StatusProtocolError}
	case !utf8.Valid(reason):
		return closeStatus{code: ws.StatusInvalidFramePayloadData}
	default:
		return closeStatus{code: code, reason: string(reason)}
	}
}

// validCloseCode reports whether a close frame may contain the code: one that IANA's registry defines for close frames, or one
// of the ranges for libraries and private use.
func validCloseCode(code ws.StatusCode) bool {
	const registeredMax = 1014 // The greatest code in the registry, except 1015, which is never sent.
	reserved := code == ws.StatusNoMeaningYet || code == ws.StatusNoStatusRcvd || code == ws.StatusAbnormalClosure
	registered := code.In(ws.StatusCodeRange{Min: ws.StatusNormalClosure, Max: registeredMax}) && !reserved
	return registered || code.In(ws.StatusRangeApplication) || code.In(ws.StatusRangePrivate)
}

// markClosed marks the connection as closed: posts to it return 410 from now on, and $disconnect is invoked with the status.
// It returns false if the connection was marked before.
func (s *socket) markClosed(status closeStatus) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return false
	}

	s.isClosed = true
	close(s.closed)
	if s.expiryTimer != nil {
		s.expiryTimer.Stop()
	}

	s.gateway.removeSocket(s)
	s.gateway.cfg.Log.DebugContext(s.gateway.ctx, "connection closed",
		slog.String("connectionId", s.id), slog.Int("code", int(status.code)))
	s.gateway.running.Go(func() { s.invokeDisconnect(status) })
	return true
}

// close closes the connection with the status, unless it is closed already.
func (s *socket) close(status closeStatus) {
	if s.markClosed(status) {
		s.startClosingHandshake(status)
	}
}

// startClosingHandshake sends a close frame and gives the browser closeTimeout to answer with its own.
func (s *socket) startClosingHandshake(status closeStatus) {
	s.sendCloseFrame(status)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(closeTimeout)) // It fails only on a closed connection.
	}
}

// sendCloseFrame sends a close frame. If the browser does not read the frame within closeTimeout, sendCloseFrame closes the network
// connection.
func (s *socket) sendCloseFrame(status closeStatus) {
	frame, ok := status.closeFrame()
	if !ok {
		return
	}

	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-s.writeToken:
		defer func() { s.writeToken <- struct{}{} }()
		if err := s.writeToConn(frame, time.Now().Add(closeTimeout)); err != nil {
			s.closeNow()
		}
	case <-timeout.C:
		s.closeNow()
	}
}

// drainAndClose discards what the browser still sends until it closes its side, then closes the network connection. Closing with
// unread bytes would reset the connection, and the browser might not receive the close frame.
func (s *socket) drainAndClose() {
	defer s.closeNow()
	conn, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || conn.CloseWrite() != nil {
		return
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(closeTimeout)); err != nil {
		return
	}

	_, _ = io.Copy(io.Discard, s.conn) // It ends when the browser closes its side, or at the deadline.
}

// closeNow closes the network connection without a closing handshake.
func (s *socket) closeNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // The connection is marked as closed: nobody needs the error.
	}
}
