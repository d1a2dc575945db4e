package apigw

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/herald-progress/herald/lib/broadcast"
)

// pipeListener accepts the sockets that dial opens in memory, so that a test can run in virtual time.
type pipeListener struct {
	sockets chan net.Conn
	closed  chan struct{}
	close   func()
	dialed  atomic.Int64
	stalls  int64                   // so many sockets, the first ones, are never answered
	wrap    func(net.Conn) net.Conn // changes the sockets that dial returns, unless nil
}

func newPipeListener(stalls int64) *pipeListener {
	closed := make(chan struct{})

	return &pipeListener{sockets: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) }), stalls: stalls}
}

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	if l.dialed.Add(1) > l.stalls {
		l.sockets <- server
	}

	if l.wrap != nil {
		client = l.wrap(client)
	}

	return client, nil
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.sockets:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.close()

	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// pipeSender starts a server on l, and returns a sender that opens its sockets there.
func pipeSender(t *testing.T, l *pipeListener, handler http.HandlerFunc) *Sender {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = l
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	s, err := New(aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}, "https://example.com/prod")
	if err != nil {
		t.Fatal(err)
	}
	transport := newTransport(nil)
	transport.TLSClientConfig.InsecureSkipVerify = true
	transport.DialContext = l.dial
	p := newPool(transport, s.endpoint)
	s.transport = p
	t.Cleanup(func() {
		p.closeIdle()
		server.Close()
	})

	return s
}

// TestHandshakesThatStallDelayOtherPostsLittle: a server that does not answer the first sockets does not cost a broadcast its budget.
func TestHandshakesThatStallDelayOtherPostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := pipeSender(t, newPipeListener(maxOpening), func(http.ResponseWriter, *http.Request) {})
		ctx, cancel := context.WithTimeout(t.Context(), broadcast.Budget)
		defer cancel()
		var delivered atomic.Int64
		var running sync.WaitGroup
		for i := range broadcast.InFlight {
			running.Go(func() {
				if s.Send(ctx, fmt.Sprint("c", i), []byte("x")) == nil {
					delivered.Add(1)
				}
			})
		}
		running.Wait()
		if n := delivered.Load(); n < broadcast.InFlight-maxOpening {
			t.Errorf("%d of %d posts delivered, want all but %d", n, broadcast.InFlight, maxOpening)
		}
		time.Sleep(time.Minute) // all handshakes have ended
	})
}

// gate is a provider of credentials that lets posts wait between their start and their request.
type gate struct {
	aws.CredentialsProvider

	open chan struct{}
}

func (g *gate) Retrieve(ctx context.Context) (aws.Credentials, error) {
	<-g.open

	return g.CredentialsProvider.Retrieve(ctx)
}

// TestPostsThatHangOnOpenSocketsDelayNoOthers: a post for which a socket may be opened, but which gets an open one, leaves its place
// among those that open sockets.
func TestPostsThatHangOnOpenSocketsDelayNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mayEnd := map[string]chan struct{}{"first": make(chan struct{}), "hang": make(chan struct{})}
		s := pipeSender(t, newPipeListener(0), func(_ http.ResponseWriter, r *http.Request) {
			if wait := mayEnd[path.Base(r.URL.Path)]; wait != nil {
				<-wait
			}
		})
		var running sync.WaitGroup
		start := func(id string) {
			for range maxOpening {
				running.Go(func() {
					if err := s.Send(t.Context(), id, nil); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		start("first")
		g := &gate{CredentialsProvider: s.credentials, open: make(chan struct{})}
		s.credentials = g
		start("hang")
		close(mayEnd["first"]) // now the posts that wait at the gate find open sockets
		synctest.Wait()
		close(g.open)
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), broadcast.PostTimeout)
		defer cancel()
		if err := s.Send(ctx, "other", nil); err != nil {
			t.Errorf("Send beside posts that hang: %v", err)
		}
		close(mayEnd["hang"])
		running.Wait()
	})
}

// TestPostsDoNotWaitForSocketsThatStall: one socket carries every post, while no other one opens.
func TestPostsDoNotWaitForSocketsThatStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: slices.Repeat([]string{emptyAnswer}, 1000)}
		s, _ := poolSender(t, func() (socket, int, error) {
			if server.opened.Load() == 0 {
				return newHTTP1Socket(server.open()), 1, nil
			}
			time.Sleep(openTimeout)

			return nil, 0, net.ErrClosed
		})
		if err := s.Send(t.Context(), "c", nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), broadcast.PostTimeout)
		defer cancel()
		var running sync.WaitGroup
		for range 500 {
			running.Go(func() {
				if err := s.Send(ctx, "c", nil); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		time.Sleep(time.Minute) // the openings have ended
	})
}

// TestANewSocketMayReplaceAnIdleOne: a post that is repeated needs a new socket, although the pool has all that it may have.
func TestANewSocketMayReplaceAnIdleOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: []string{emptyAnswer}}
		s, p := server.sender(t)
		if err := s.Send(t.Context(), "c", nil); err != nil {
			t.Fatal(err)
		}
		p.total = maxSockets // the others are busy
		ctx, cancel := context.WithTimeout(t.Context(), broadcast.PostTimeout)
		defer cancel()
		got := p.acquire(ctx, true)
		if got.err != nil || got.kept || p.total != maxSockets || len(p.free) != 0 {
			t.Errorf("got %+v, %d sockets, %d of them free", got, p.total, len(p.free))
		}
		if got.err == nil {
			p.release(got.member, true)
		}
	})
}

// closeIdle closes the sockets that carry no request.
func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Clone(p.free) {
		if m.inFlight == 0 {
			p.breakOff(m)
		}
	}
}
