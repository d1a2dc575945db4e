// Package idle ends requests whose bodies have stopped coming.
package idle

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Bodies returns a handler that calls next. Reading the body of a request fails with os.ErrDeadlineExceeded when no byte has come for
// the timeout. A slow body that goes on coming has no limit.
func Bodies(timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}

		b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w), timeout: timeout}
		r = r.WithContext(r.Context())
		r.Body = b
		next.ServeHTTP(w, r)
		b.extend() // net/http reads a part of what is left.
	})
}

// body is the body of a request.
type body struct {
	io.ReadCloser

	conn    *http.ResponseController
	timeout time.Duration
	ended   bool // The whole body has been read, or cannot be.
}

// Read reads from the body until the timeout.
func (b *body) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	if errors.Is(err, io.EOF) {
		_ = b.conn.SetReadDeadline(time.Time{}) // net/http reads on, to see when the client disconnects.
	}
	return n, err
}

// extend gives the next byte the whole timeout. A connection without deadlines, such as that of a test, has none.
func (b *body) extend() {
	if !b.ended {
		_ = b.conn.SetReadDeadline(time.Now().Add(b.timeout))
	}
}
