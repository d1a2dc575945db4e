package apigw

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// errAnswer is the error for an answer that is not one.
var errAnswer = errors.New("apigw: invalid answer")

// http1Socket sends requests over HTTP/1.1, one after the other, in the goroutine of the caller. net/http's transport has two
// goroutines for each socket instead: to wake them takes more processor time than the request itself. The messages are written and
// read by net/http.
type http1Socket struct {
	net.Conn // with TLS or without

	request bytes.Buffer
	unread  io.LimitedReader // what may still be read of an answer
	reader  *bufio.Reader    // reads from unread
	err     error            // why it can carry no more requests
}

func newHTTP1Socket(c net.Conn) *http1Socket {
	s := &http1Socket{Conn: c, unread: io.LimitedReader{R: c}}
	s.reader = bufio.NewReader(&s.unread)

	return s
}

// Err implements socket.
func (s *http1Socket) Err() error { return s.err }

// RoundTrip implements socket. The body of the answer ends after maxAnswer bytes.
func (s *http1Socket) RoundTrip(r *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(r.Context(), func() { _ = s.SetDeadline(time.Unix(0, 0)) })
	response, err := s.exchange(r)
	if !stop() {
		s.err = context.Cause(r.Context())
		if err != nil {
			err = s.err
		}
	}
	if err != nil {
		s.err = err
	}

	return response, err
}

// exchange sends a request and reads its answer.
func (s *http1Socket) exchange(r *http.Request) (*http.Response, error) {
	s.request.Reset()
	if err := r.Write(&s.request); err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	_, writeErr := s.Write(s.request.Bytes()) // a server may answer before it has read a request, and close the socket
	s.unread.N = maxAnswer
	if _, err := s.reader.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, errors.Join(writeErr, err))
	}
	response, err := s.readHeader(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusRequestTimeout { // the server sends it to a socket that had been idle, and closes it
		return nil, fmt.Errorf("%w: status %d", errNoAnswer, response.StatusCode)
	}
	var body []byte
	if response.ContentLength != 0 {
		body, err = io.ReadAll(response.Body) // its error does not change the status
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	// A socket with bytes that no request asked for would give them to the next request.
	if err != nil || writeErr != nil || response.Close || s.reader.Buffered() > 0 || s.unread.N == 0 {
		s.err = net.ErrClosed
	}

	return response, nil
}

// readHeader reads the header of an answer, and skips informational ones.
func (s *http1Socket) readHeader(r *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(s.reader, r)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		case response.StatusCode == http.StatusSwitchingProtocols, response.StatusCode < http.StatusContinue:
			return nil, fmt.Errorf("%w: status %d", errAnswer, response.StatusCode)
		case response.StatusCode >= http.StatusOK:
			return response, nil
		}
	}
}
