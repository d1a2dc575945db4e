package apigw

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/herald-progress/herald/lib/broadcast"
)

const emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// script is a server over HTTP/1.1 whose sockets give the same answers, one for each request, and then close.
type script struct {
	answers          []string
	opened, requests atomic.Int64
}

// open opens a socket in memory.
func (s *script) open() net.Conn {
	s.opened.Add(1)
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		reader := bufio.NewReader(server)
		for _, answer := range s.answers {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			s.requests.Add(1)
			if _, err := io.WriteString(server, answer); err != nil {
				return
			}
		}
	}()

	return client
}

// sender returns a sender whose sockets are those of the script.
func (s *script) sender(t *testing.T) (*Sender, *pool) {
	t.Helper()

	return poolSender(t, func() (socket, int, error) { return newHTTP1Socket(s.open()), 1, nil })
}

// poolSender returns a sender that opens its sockets with open.
func poolSender(t *testing.T, open func() (socket, int, error)) (*Sender, *pool) {
	t.Helper()
	s, err := New(aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}, "https://example.com/prod")
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{open: open}
	s.transport = p
	t.Cleanup(p.closeIdle)

	return s, p
}

// answers are answers of a server. kept is true if the socket carries the next request, too. status is 0 for what is no answer.
var answers = []struct {
	name, text string
	status     int
	kept       bool
}{
	{"empty", emptyAnswer, 200, true},
	{"without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204, true},
	{"with a body", "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", 410, true},
	{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, true},
	{"chunked, with a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n", 200, true},
	{"informational ones before it", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + emptyAnswer, 200, true},
	{"the last one", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, false},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, false},
	{"until the socket closes", "HTTP/1.1 200 OK\r\n\r\nbody", 200, false},
	{"more than the answer", emptyAnswer + "HTTP/1.1 200", 200, false},
	{"a second answer", emptyAnswer + emptyAnswer, 200, false},
	{"truncated body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", 200, false},
	{"invalid chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 200, false},
	{"a body that is too large", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + strings.Repeat("x", 99999), 200, false},
	{"a header that is too large", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswer) + "\r\n\r\n", 0, false},
	{"informational ones without end", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxAnswer/20), 0, false},
	{"truncated status", "HTTP/1.1 2", 0, false},
	{"truncated header", "HTTP/1.1 200 OK\r\nContent-", 0, false},
	{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n", 0, false},
	{"switches the protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 0, false},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0, false},
	{"a status that is none", "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", 0, false},
	{"nothing", "", 0, false},
}

// TestSocketsAreKeptAfterWholeAnswersOnly sends two posts, whose answers are the same.
func TestSocketsAreKeptAfterWholeAnswersOnly(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			server := &script{answers: []string{tt.text}}
			if tt.kept {
				server.answers = append(server.answers, tt.text)
			}
			s, p := server.sender(t)
			for range 2 {
				err := s.Send(t.Context(), "c", []byte("x"))
				if delivered := tt.status == 200 || tt.status == 204; (err == nil) != delivered {
					t.Errorf("Send: %v for status %d", err, tt.status)
				}
				if noAnswer := errors.Is(err, broadcast.ErrUnavailable); noAnswer != (tt.status == 0) {
					t.Errorf("Send: %v for status %d", err, tt.status)
				}
			}
			sockets, want := server.opened.Load(), int64(2)
			if tt.kept {
				want = 1
			}
			if sockets != want || server.requests.Load() != 2 || p.total != int(2-want) {
				t.Errorf("%d sockets for %d posts, %d are open; want %d sockets", sockets, server.requests.Load(), p.total, want)
			}
		})
	}
}

// TestAPostIsRepeatedOnceOnASocketThatWasKept: a server may close a socket between two requests.
func TestAPostIsRepeatedOnceOnASocketThatWasKept(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answers  []string
		requests int64 // that arrive for the second post
		sockets  int64 // for both posts
		want     error
	}{
		{"closed in between", []string{emptyAnswer}, 1, 2, nil},
		{"closed after the request", []string{emptyAnswer, ""}, 2, 2, nil},
		{"was idle for too long", []string{emptyAnswer, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"}, 2, 2, nil},
		{"closed within the answer", []string{emptyAnswer, "HTTP"}, 1, 1, broadcast.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &script{answers: tt.answers}
			s, _ := server.sender(t)
			if err := s.Send(t.Context(), "c", []byte("x")); err != nil {
				t.Fatal(err)
			}
			server.requests.Store(0)
			if err := s.Send(t.Context(), "c", []byte("x")); !errors.Is(err, tt.want) {
				t.Errorf("Send: %v, want %v", err, tt.want)
			}
			if server.requests.Load() != tt.requests || server.opened.Load() != tt.sockets {
				t.Errorf("%d requests on %d sockets, want %d on %d", server.requests.Load(), server.opened.Load(), tt.requests, tt.sockets)
			}
		})
	}
}

// TestAPostIsNotRepeatedTwice: after the first post, no socket answers.
func TestAPostIsNotRepeatedTwice(t *testing.T) {
	first, later := &script{answers: []string{emptyAnswer}}, &script{answers: []string{""}}
	s, _ := poolSender(t, func() (socket, int, error) {
		if first.opened.Load() == 0 {
			return newHTTP1Socket(first.open()), 1, nil
		}

		return newHTTP1Socket(later.open()), 1, nil
	})
	if err := s.Send(t.Context(), "c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), "c", []byte("x")); !errors.Is(err, broadcast.ErrUnavailable) || !errors.Is(err, errNoAnswer) {
		t.Errorf("Send: %v, want ErrUnavailable", err)
	}
	if later.requests.Load() != 1 || later.opened.Load() != 1 {
		t.Errorf("%d requests on %d new sockets, want 1", later.requests.Load(), later.opened.Load())
	}
}

// TestRepeatedPostsGetNewSockets: every socket that was kept is closed, as after a function was frozen.
func TestRepeatedPostsGetNewSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: []string{emptyAnswer}} // each socket closes after one answer
		s, p := server.sender(t)
		for range 3 {
			var running sync.WaitGroup
			for range 2 * maxSockets {
				running.Go(func() {
					if err := s.Send(t.Context(), "c", []byte("x")); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			if p.total > maxSockets || p.total != len(p.free) {
				t.Errorf("%d sockets, %d are free", p.total, len(p.free))
			}
		}
		if n := server.requests.Load(); n != 3*2*maxSockets {
			t.Errorf("%d requests arrived, want %d", n, 3*2*maxSockets)
		}
		p.closeIdle()
	})
}

// TestAPostEndsWithItsContext: the socket of a post that has ended without an answer is not used again.
func TestAPostEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends []net.Conn
		s, p := poolSender(t, func() (socket, int, error) {
			client, server := net.Pipe()
			ends = append(ends, server)
			go func() { _, _ = io.Copy(io.Discard, server) }() // takes requests, and never answers

			return newHTTP1Socket(client), 1, nil
		})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), broadcast.PostTimeout)
		defer cancel()
		err := s.Send(ctx, "c", []byte("x"))
		if !errors.Is(err, broadcast.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != broadcast.PostTimeout {
			t.Errorf("Send: %v after %v", err, time.Since(start))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := s.Send(ctx, "c", []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("Send: %v, want the end of its context", err)
		}
		if p.total != 0 || len(ends) != 2 {
			t.Errorf("%d sockets, %d are open; want 2 and 0", len(ends), p.total)
		}
	})
}

// TestSocketsAreFewAndCloseWhenIdle: Lambda limits the number of open files.
func TestSocketsAreFewAndCloseWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{answers: slices.Repeat([]string{emptyAnswer}, 100)}
		var open atomic.Int64
		s, p := poolSender(t, func() (socket, int, error) {
			open.Add(1)
			time.Sleep(10 * time.Millisecond)

			return countedSocket{newHTTP1Socket(server.open()), &open}, 1, nil
		})
		for range 2 {
			var running sync.WaitGroup
			for range 5 * maxSockets {
				running.Go(func() {
					if err := s.Send(t.Context(), "c", []byte("x")); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			if n := open.Load(); n > maxSockets || n != int64(p.total) {
				t.Errorf("%d sockets, the pool counts %d; want at most %d", n, p.total, maxSockets)
			}
		}
		time.Sleep(2 * idleTimeout)
		synctest.Wait()
		if n := open.Load(); n != 0 || p.total != 0 {
			t.Errorf("%d sockets after an idle time, the pool counts %d", n, p.total)
		}
		if err := s.Send(t.Context(), "c", nil); err != nil {
			t.Error(err)
		}
		p.closeIdle()
	})
}

// countedSocket counts itself out when it closes.
type countedSocket struct {
	socket

	open *atomic.Int64
}

func (c countedSocket) Close() error {
	c.open.Add(-1)

	return c.socket.Close()
}

// FuzzAnswersAreNetHTTPs compares an answer with what net/http's transport makes of it.
func FuzzAnswersAreNetHTTPs(f *testing.F) {
	for _, a := range answers {
		f.Add(a.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxAnswer/2 { // net/http has other limits
			return
		}
		server := &script{answers: []string{text}}
		transport := &http.Transport{
			DialContext:        func(context.Context, string, string) (net.Conn, error) { return server.open(), nil },
			DisableCompression: true,
		}
		defer transport.CloseIdleConnections()
		own := newHTTP1Socket(server.open())
		defer own.Close()
		status, body := roundTrip(t, own)
		wantStatus, wantBody := roundTrip(t, transport)
		// The transport returns these statuses. For a post they are errors.
		if wantStatus < http.StatusContinue || wantStatus == http.StatusSwitchingProtocols || wantStatus == http.StatusRequestTimeout {
			wantStatus, wantBody = 0, ""
		}
		if status != wantStatus || body != wantBody {
			t.Errorf("status %d, body %q; net/http has %d, %q", status, body, wantStatus, wantBody)
		}
	})
}

// roundTrip returns the status and the body of an answer. The status is 0 if there is no answer.
func roundTrip(t *testing.T, over http.RoundTripper) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://example.com/", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := over.RoundTrip(r)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response.StatusCode, ""
	}
	read, _ := io.ReadAll(response.Body)

	return response.StatusCode, string(read)
}
