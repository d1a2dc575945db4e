package apigw

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

const (
	// maxOpening is how many sockets are opened at once.
	maxOpening = 32
	// slowOpening is how long a socket that is being opened counts among those. After that another one may be opened in its place:
	// sockets that a server does not answer must not cost a broadcast its budget.
	slowOpening = time.Second
	// http2Posts is how many posts one HTTP/2 socket carries at once: as many as net/http sends before the server announces its
	// own number.
	http2Posts = 100
)

// sockets bounds how many TLS sockets a transport opens at once. A handshake takes as much processor time as ten posts or more. If
// a function with a seventh of a processor posted to 1,000 connections from the first moment on as many sockets as it may, it
// would only shake hands for the first seconds.
//
// So a post starts if an open socket has room for it, which is one post over HTTP/1.1 and http2Posts over HTTP/2, or if fewer than
// maxOpening sockets are being opened. Otherwise it waits. The sockets grow in number while posts wait. A post that hangs delays
// no other post, because it keeps only its own socket busy.
type sockets struct {
	mu       sync.Mutex
	room     int // the number of posts that the open sockets carry at once
	opening  int // the number of sockets that are being opened since less than slowOpening, or will be
	inFlight int // the number of posts
	waiting  []*place
}

// place is the place of one post among the posts in flight, and of a socket among those that are being opened.
type place struct {
	started chan struct{} // closed when the post or the opening may start
	isPost  bool          // otherwise the transport opens a socket for a post that already started
	opens   bool          // one of sockets.opening counts for it
	dialing bool          // the transport has begun to open the socket
}

// placeKey is the key of a post's place in its context.
type placeKey struct{}

// acquire waits until a post may start, and returns the context with which it must be sent. The caller must call release when the
// post has ended. An error is that of ctx.
func (s *sockets) acquire(ctx context.Context) (_ context.Context, release func(), _ error) {
	s.mu.Lock()
	if s.inFlight < s.room { // most posts; no post waits then
		s.inFlight++
		s.mu.Unlock()

		return ctx, s.release, nil
	}
	p := &place{started: make(chan struct{}), isPost: true}
	s.waiting = append(s.waiting, p)
	s.startWaiting()
	s.mu.Unlock()
	if err := s.wait(ctx, p); err != nil {
		return nil, nil, err
	}
	if !p.opens {
		return ctx, s.release, nil
	}

	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { s.leaveOpening(p) }})

	return context.WithValue(ctx, placeKey{}, p), func() { s.releasePlace(p) }, nil
}

// wait waits until p has started. If ctx ends first, p leaves the queue.
func (s *sockets) wait(ctx context.Context, p *place) error {
	select {
	case <-p.started:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, p)
	if i < 0 { // it has started at the same time
		return nil
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.startWaiting() // the next one may need less

	return ctx.Err()
}

// release ends a post.
func (s *sockets) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.startWaiting()
}

// releasePlace ends a post for which a socket should have been opened.
func (s *sockets) releasePlace(p *place) {
	s.leaveOpening(p)
	s.release()
}

// leaveOpening is called when a post has a socket, or has ended. If the transport had another socket for it and opens none, p no
// longer counts as one that is being opened, so that a post that hangs keeps no others from opening theirs.
func (s *sockets) leaveOpening(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.opens && !p.dialing {
		p.opens = false
		s.opening--
		s.startWaiting()
	}
}

// startWaiting starts what waits, in its order, as far as the bounds allow. A post that has an open socket does not wait for those
// before it that have none.
func (s *sockets) startWaiting() {
	s.waiting = slices.DeleteFunc(s.waiting, func(p *place) bool {
		if hasSocket := p.isPost && s.inFlight < s.room; !hasSocket {
			if s.opening >= maxOpening {
				return false
			}
			s.opening++
			p.opens = true
		}
		if p.isPost {
			s.inFlight++
		}
		close(p.started)

		return true
	})
}

// beginDial is called when the transport wants to open a socket. It waits, if acquire has not counted the socket, and returns its
// place. The caller must call endDial when the socket is open, or failed to open. An error is that of ctx.
func (s *sockets) beginDial(ctx context.Context) (*place, error) {
	p, ofPost := ctx.Value(placeKey{}).(*place)
	s.mu.Lock()
	if ofPost && p.opens && !p.dialing {
		p.dialing = true
		s.mu.Unlock()

		return p, nil
	}
	p = &place{started: make(chan struct{}), dialing: true}
	s.waiting = slices.Insert(s.waiting, 0, p) // before posts that have not started
	s.startWaiting()
	s.mu.Unlock()

	return p, s.wait(ctx, p)
}

// endDial ends the opening of a socket, or no longer counts it. Only the first call has an effect.
func (s *sockets) endDial(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.opens {
		p.opens = false
		s.opening--
		s.startWaiting()
	}
}

// grow adds room for posts; a negative number removes it.
func (s *sockets) grow(posts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room += posts
	s.startWaiting()
}

// dialTLS returns the DialTLSContext function of a transport, which counts open sockets.
func (s *sockets) dialTLS(t *http.Transport) func(ctx context.Context, network, address string) (net.Conn, error) {
	dial, timeout, config := t.DialContext, t.TLSHandshakeTimeout, t.TLSClientConfig

	return func(ctx context.Context, network, address string) (net.Conn, error) {
		p, err := s.beginDial(ctx)
		if err != nil {
			return nil, err
		}
		defer s.endDial(p)
		defer time.AfterFunc(slowOpening, func() { s.endDial(p) }).Stop()
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &socket{Conn: raw, sockets: s}
		config := config.Clone()
		if config.ServerName == "" {
			config.ServerName = host
		}
		secured := tls.Client(c, config)
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = c.Close()

			return nil, fmt.Errorf("TLS: %w", err)
		}
		posts := 1
		if secured.ConnectionState().NegotiatedProtocol == "h2" {
			posts = http2Posts
		}
		c.opened(posts)

		return secured, nil
	}
}

// socket is the TCP socket under a TLS socket.
type socket struct {
	net.Conn

	sockets *sockets
	mu      sync.Mutex
	posts   int // the room that it added
	closed  bool
}

// opened adds room for posts, unless the socket is already closed.
func (c *socket) opened(posts int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.posts = posts
		c.sockets.grow(posts)
	}
}

// Close closes the socket, and removes its room.
func (c *socket) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.sockets.grow(-c.posts)
	}

	return c.Conn.Close() //nolint:wrapcheck // net/http wraps it
}
