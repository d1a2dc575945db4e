package apigw

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
)

const (
	// maxSockets is how many sockets a pool has, with those that it opens: one for each post of a broadcast. Lambda allows 1,024.
	maxSockets = broadcast.InFlight
	// maxOpening is how many sockets are opened at once. A handshake takes as much processor time as ten posts or more. If a
	// function with a seventh of a processor posted to 1,000 connections from the first moment on as many sockets as it may, it
	// would only shake hands for the first seconds.
	maxOpening = 32
	// slowOpening is how long a socket that is being opened counts among those. After that another one may be opened in its place:
	// sockets that a server does not answer must not cost a broadcast its budget.
	slowOpening = time.Second
	// idleTimeout is how long a socket stays open without requests.
	idleTimeout = 90 * time.Second
)

// errNoAnswer means that a socket ended before anything of an answer arrived.
var errNoAnswer = errors.New("apigw: the socket ended without an answer")

// socket is an open socket to the server.
type socket interface {
	// RoundTrip sends a request and returns its answer, whose body has been read. If errNoAnswer matches the error, nothing of an
	// answer has been read.
	RoundTrip(r *http.Request) (*http.Response, error)
	// Err returns an error if the socket can carry no more requests.
	Err() error
	Close() error
}

// pool keeps the open sockets to one server. A request gets the free socket that was used last. If there is none, it waits for one,
// and the pool opens more sockets while requests wait. A request that hangs delays no other, because it keeps only its own socket
// busy.
//
// If a socket that had been free ends without an answer, its server has most likely closed it while it was free. The pool then sends
// the request once more, on a new socket. The server may have handled the request before it closed the
// socket, but a broadcast sends such a post again, too.
type pool struct {
	open func() (_ socket, requests int, _ error) // requests is how many requests the socket carries at once

	mu       sync.Mutex
	free     []*member // the sockets that may carry another request; the last one is the one that was used last
	total    int       // how many sockets are open, or being opened
	opening  int       // how many sockets are being opened since less than slowOpening
	requests int       // how many requests the last opened socket carries at once
	waiting  []*waiter
	reaper   *time.Timer // calls reap
}

// member is a socket of a pool.
type member struct {
	socket

	requests int       // how many requests it carries at once
	inFlight int       // how many requests it carries
	freeAt   time.Time // when it was last free; zero until then
	broken   bool      // it gets no more requests, and is closed when it carries none
}

// waiter is a request that waits for a socket.
type waiter struct {
	fresh bool        // it needs a socket that has not been free before
	ready chan result // gets one value
}

// result is the socket that a request got, or the error of its opening.
type result struct {
	member *member
	kept   bool // the socket had been free before
	err    error
}

// RoundTrip sends a request over one of the sockets. The body of the answer has been read. RoundTrip implements [http.RoundTripper].
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	response, kept, err := p.try(r, false)
	if !kept || !errors.Is(err, errNoAnswer) || r.Context().Err() != nil {
		return response, err
	}
	again := *r
	if r.GetBody != nil {
		body, bodyErr := r.GetBody()
		if bodyErr != nil {
			return nil, err
		}
		again.Body = body
	} else if r.Body != nil && r.Body != http.NoBody {
		return nil, err
	}
	response, _, err = p.try(&again, true)

	return response, err
}

// try sends a request over one socket. If fresh is set, the socket is a new one. It returns whether the socket had been free before.
func (p *pool) try(r *http.Request, fresh bool) (_ *http.Response, kept bool, _ error) {
	got := p.acquire(r.Context(), fresh)
	if got.err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}

		return nil, false, got.err
	}
	response, err := got.member.RoundTrip(r)
	p.release(got.member, err != nil && r.Context().Err() == nil)

	return response, got.kept, err
}

// acquire returns a socket for one request, which must be released. Its error is that of ctx, or of the socket's opening.
func (p *pool) acquire(ctx context.Context, fresh bool) result {
	if err := ctx.Err(); err != nil {
		return result{err: err}
	}
	p.mu.Lock()
	if !fresh {
		if m := p.nextFree(); m != nil {
			defer p.mu.Unlock()

			return p.take(m)
		}
	}
	w := &waiter{fresh: fresh, ready: make(chan result, 1)}
	p.waiting = append(p.waiting, w)
	p.openMore()
	p.mu.Unlock()
	select {
	case got := <-w.ready:
		return got
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, w)
	if i < 0 { // it has got a socket at the same time
		return <-w.ready
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)

	return result{err: ctx.Err()}
}

// nextFree returns the free socket that was used last, or nil. It removes sockets that have ended, or were idle for too long.
func (p *pool) nextFree() *member {
	for len(p.free) > 0 {
		m := p.free[len(p.free)-1]
		if m.Err() == nil && !m.expired() {
			return m
		}
		p.breakOff(m)
	}

	return nil
}

// take gives a free socket one more request.
func (p *pool) take(m *member) result {
	m.inFlight++
	if m.inFlight == m.requests {
		p.removeFree(m)
	}

	return result{member: m, kept: !m.freeAt.IsZero()}
}

// release ends a request. failed means that the socket may carry no more.
func (p *pool) release(m *member, failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wasFree := m.inFlight < m.requests && !m.broken
	m.inFlight--
	if failed || m.Err() != nil || m.broken {
		p.breakOff(m)
		p.openMore()

		return
	}
	m.freeAt = time.Now()
	if !wasFree {
		p.free = append(p.free, m)
	}
	p.serve(m)
	p.openMore()
}

// serve gives a free socket the requests that wait for it.
func (p *pool) serve(m *member) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		if m.inFlight == m.requests || w.fresh && !m.freeAt.IsZero() {
			return false
		}
		w.ready <- p.take(m)

		return true
	})
	if p.reaper == nil {
		p.reaper = time.AfterFunc(idleTimeout, p.reap)
	}
}

// breakOff gives a socket no more requests, and closes it if it carries none.
func (p *pool) breakOff(m *member) {
	if !m.broken {
		m.broken = true
		p.removeFree(m)
	}
	if m.inFlight == 0 {
		p.total--
		go func() { _ = m.Close() }() // it may wait until it has written TLS's last record
	}
}

func (p *pool) removeFree(m *member) {
	for i := len(p.free) - 1; i >= 0; i-- { // mostly the last one
		if p.free[i] == m {
			p.free = slices.Delete(p.free, i, i+1)

			return
		}
	}
}

// openMore opens sockets for the requests that wait, as far as the bounds allow.
func (p *pool) openMore() {
	perSocket := max(p.requests, 1)
	for needed := (len(p.waiting) + perSocket - 1) / perSocket; p.opening < min(needed, maxOpening); {
		if p.total == maxSockets && len(p.free) > 0 && p.free[0].inFlight == 0 {
			p.breakOff(p.free[0]) // the requests that wait need a new socket
		}
		if p.total == maxSockets {
			return
		}
		p.opening++
		p.total++
		go p.openOne()
	}
}

// openOne opens a socket. If that fails, the first request that waits gets the error.
func (p *pool) openOne() {
	counted := true
	endCount := func() {
		if counted {
			counted = false
			p.opening--
		}
	}
	slow := time.AfterFunc(slowOpening, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		endCount()
		p.openMore()
	})
	defer slow.Stop()
	s, requests, err := p.open()
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := counted // otherwise another socket was opened for the requests that wait
	endCount()
	if err == nil {
		m := &member{socket: s, requests: requests}
		p.requests = requests
		p.free = append(p.free, m)
		p.serve(m)
		m.freeAt = time.Now()
	} else {
		p.total--
		if failed && len(p.waiting) > 0 {
			p.waiting[0].ready <- result{err: err}
			p.waiting = slices.Delete(p.waiting, 0, 1)
		}
	}
	p.openMore()
}

// expired reports whether the socket has carried no request for so long that its server may have closed it. It compares the time of
// day, because the monotonic clock may stop while a function is frozen.
func (m *member) expired() bool {
	return m.inFlight == 0 && time.Now().Round(0).Sub(m.freeAt.Round(0)) > idleTimeout
}

// reap closes the sockets that were idle for too long.
func (p *pool) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Clone(p.free) {
		if m.Err() != nil || m.expired() {
			p.breakOff(m)
		}
	}
	p.reaper = nil
	if len(p.free) > 0 {
		p.reaper = time.AfterFunc(idleTimeout/2, p.reap)
	}
}
