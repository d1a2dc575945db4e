package apigw_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
)

// maxOpening is how many TLS sockets may be opened at once.
const maxOpening = 32

// tlsServer is a server over TLS that counts sockets. Each handshake waits until it receives from mayEnd.
type tlsServer struct {
	*httptest.Server

	mayEnd                   chan struct{} // handshakes do not wait if it is closed
	opened, opening, maximum atomic.Int64
}

func startTLSServer(t *testing.T, protocol string, handler http.HandlerFunc) *tlsServer {
	t.Helper()
	s := &tlsServer{Server: httptest.NewUnstartedServer(handler), mayEnd: make(chan struct{})}
	s.EnableHTTP2 = protocol == protocolHTTP2
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the client gave up
	s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.opened.Add(1)
		opening := s.opening.Add(1)
		for {
			maximum := s.maximum.Load()
			if opening <= maximum || s.maximum.CompareAndSwap(maximum, opening) {
				break
			}
		}
		<-s.mayEnd
		s.opening.Add(-1)

		return nil, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)

	return s
}

// sender returns a sender that trusts the server.
func (s *tlsServer) sender(t *testing.T) *apigw.Sender {
	t.Helper()
	sender, err := apigw.New(trusting(s.Certificate()), s.URL+"/prod")
	if err != nil {
		t.Fatal(err)
	}

	return sender
}

// send sends posts, each in a goroutine, and returns a function that waits for their ends.
func send(t *testing.T, s *apigw.Sender, posts int) (wait func()) {
	t.Helper()
	var running sync.WaitGroup
	for i := range posts {
		running.Go(func() {
			if err := s.Send(t.Context(), fmt.Sprint("c", i), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}

	return running.Wait
}

// waitFor waits until a condition is true.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for !condition() {
		if t.Context().Err() != nil {
			t.Fatal("the test has ended")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFewSocketsAreOpenedAtOnce(t *testing.T) {
	for _, protocol := range []string{protocolTLS, protocolHTTP2} {
		t.Run(protocol, func(t *testing.T) {
			server := startTLSServer(t, protocol, func(http.ResponseWriter, *http.Request) {})
			wait := send(t, server.sender(t), 4*broadcast.InFlight)
			waitFor(t, func() bool { return server.opening.Load() >= maxOpening })
			for range maxOpening { // one handshake after the other ends, and another one may begin
				server.mayEnd <- struct{}{}
			}
			close(server.mayEnd)
			wait()
			if n := server.maximum.Load(); n != maxOpening {
				t.Errorf("%d handshakes at once, want %d", n, maxOpening)
			}
		})
	}
}

// TestPostsInFlightGrowWithTheSockets: as many posts as a broadcast has in flight are so at the end, although few sockets are opened
// at once.
func TestPostsInFlightGrowWithTheSockets(t *testing.T) {
	var inFlight atomic.Int64
	mayEnd := make(chan struct{})
	server := startTLSServer(t, protocolTLS, func(http.ResponseWriter, *http.Request) {
		inFlight.Add(1)
		<-mayEnd
	})
	close(server.mayEnd)
	wait := send(t, server.sender(t), broadcast.InFlight)
	// Every post hangs until all are in flight: posts that hang do not delay others.
	waitFor(t, func() bool { return inFlight.Load() == broadcast.InFlight })
	close(mayEnd)
	wait()
	if n := server.opened.Load(); n != broadcast.InFlight {
		t.Errorf("%d sockets for %d posts at once", n, broadcast.InFlight)
	}
}

// TestHTTP2NeedsOneSocket: after a first post, the posts of a broadcast share its socket.
func TestHTTP2NeedsOneSocket(t *testing.T) {
	var protocol atomic.Value
	server := startTLSServer(t, protocolHTTP2, func(_ http.ResponseWriter, r *http.Request) { protocol.Store(r.Proto) })
	close(server.mayEnd)
	s := server.sender(t)
	send(t, s, 1)()
	for range 10 {
		send(t, s, 100)()
	}
	if n := server.opened.Load(); n != 1 || protocol.Load() != "HTTP/2.0" {
		t.Errorf("%d sockets over %v, want 1 over HTTP/2.0", n, protocol.Load())
	}
}

// TestWaitingPostsEndWithTheirContext: the place of a post that gives up is free again.
func TestWaitingPostsEndWithTheirContext(t *testing.T) {
	server := startTLSServer(t, protocolTLS, func(http.ResponseWriter, *http.Request) {})
	s := server.sender(t)
	for range 3 { // each time the same number of places is free
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 * maxOpening {
			running.Go(func() {
				if err := s.Send(ctx, "c", nil); !errors.Is(err, broadcast.ErrUnavailable) || !errors.Is(err, context.Canceled) {
					t.Errorf("Send: %v, want ErrUnavailable and the error of the context", err)
				}
			})
		}
		before := server.opened.Load()
		waitFor(t, func() bool { return server.opening.Load() > 0 && server.opened.Load() >= before })
		cancel()
		running.Wait()
	}
	close(server.mayEnd)
	send(t, s, 2*maxOpening)()
}

// TestSocketsThatCloseAreOpenedAgain: a function that was frozen finds all its sockets closed. Again few are opened at once.
func TestSocketsThatCloseAreOpenedAgain(t *testing.T) {
	server := startTLSServer(t, protocolTLS, func(http.ResponseWriter, *http.Request) {})
	close(server.mayEnd)
	s := server.sender(t)
	for range 3 {
		var running sync.WaitGroup
		for range broadcast.InFlight {
			running.Go(func() { _ = s.Send(t.Context(), "c", []byte("x")) }) // fails on a socket whose end the client has not seen yet
		}
		running.Wait()
		server.CloseClientConnections()
	}
	waitFor(t, func() bool { return s.Send(t.Context(), "c", []byte("x")) == nil })
	send(t, s, broadcast.InFlight)()
	if n := server.maximum.Load(); n > maxOpening {
		t.Errorf("%d handshakes at once, want at most %d", n, maxOpening)
	}
}

// TestPostsAreDeliveredAfterTheServerClosedTheirSocket: the client may see the end of a socket only when it uses it again.
func TestPostsAreDeliveredAfterTheServerClosedTheirSocket(t *testing.T) {
	for _, protocol := range []string{protocolTLS, protocolHTTP2} {
		t.Run(protocol, func(t *testing.T) {
			server := startTLSServer(t, protocol, func(http.ResponseWriter, *http.Request) {})
			close(server.mayEnd)
			s := server.sender(t)
			for range 10 {
				send(t, s, 1)()
				server.CloseClientConnections()
			}
		})
	}
}

// TestLaterSocketsResumeTheSessionOfTheFirst: a full handshake takes twice the processor time of a resumed one.
func TestLaterSocketsResumeTheSessionOfTheFirst(t *testing.T) {
	var resumed, full atomic.Int64
	hold := make(chan struct{})
	var inFlight atomic.Int64
	server := startTLSServer(t, protocolTLS, func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		} else {
			full.Add(1)
		}
		if inFlight.Add(1) > 1 {
			<-hold
		}
	})
	close(server.mayEnd)
	s := server.sender(t)
	send(t, s, 1)()
	wait := send(t, s, maxOpening)
	waitFor(t, func() bool { return inFlight.Load() == 1+maxOpening })
	close(hold)
	wait()
	// The second post uses the socket of the first.
	if full.Load() != 2 || resumed.Load() != maxOpening-1 {
		t.Errorf("%d posts over resumed sessions, %d over others; want %d and 2", resumed.Load(), full.Load(), maxOpening-1)
	}
}

// TestUntrustedServersGetNoPost: the sender checks certificates.
func TestUntrustedServersGetNoPost(t *testing.T) {
	server := startTLSServer(t, protocolTLS, func(http.ResponseWriter, *http.Request) { t.Error("a post arrived") })

	close(server.mayEnd)
	config := awsConfig.Copy()
	s, err := apigw.New(config, server.URL+"/prod")
	if err != nil {
		t.Fatal(err)
	}
	var unknown *tls.CertificateVerificationError
	if err := s.Send(t.Context(), "c", nil); !errors.Is(err, broadcast.ErrUnavailable) || !errors.As(err, &unknown) {
		t.Errorf("Send: %v, want the error of the certificate", err)
	}
}
