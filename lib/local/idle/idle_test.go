package idle_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/local/idle"
)

const timeout = 30 * time.Second

// oneConn is a listener with one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	conn, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (oneConn) Close() error   { return nil }
func (oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// serve returns the client's end of a connection to the handler, and a reader of its responses.
func serve(t *testing.T, handler http.HandlerFunc) (net.Conn, *bufio.Reader) {
	t.Helper()
	client, server := net.Pipe()
	listener := make(oneConn, 1)
	listener <- server
	s := &http.Server{Handler: idle.Bodies(timeout, handler), ReadHeaderTimeout: timeout}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		close(listener)
		_ = s.Close()
		_ = client.Close()
		<-served
	})
	return client, bufio.NewReader(client)
}

// answer reads a response and returns its status and its body.
func answer(t *testing.T, r *bufio.Reader) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestABodyThatStopsComingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, responses := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
			w.WriteHeader(http.StatusBadRequest)
		})
		began := time.Now()
		fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
		status, _ := answer(t, responses)
		if status != http.StatusBadRequest || time.Since(began) != timeout {
			t.Errorf("status %d after %v", status, time.Since(began))
		}
		if _, err := responses.ReadByte(); err == nil {
			t.Error("the connection is still open")
		}
	})
}

func TestASlowBodyThatGoesOnIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, responses := serve(t, func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			fmt.Fprint(w, string(text), err)
		})
		fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
		for range 100 {
			time.Sleep(timeout - time.Second)
			fmt.Fprint(conn, "1")
		}
		if status, text := answer(t, responses); status != http.StatusOK || text != strings.Repeat("1", 100)+"<nil>" {
			t.Errorf("status %d, %s", status, text)
		}
	})
}

// TestAHandlerMayTakeItsTimeAfterTheBody also sends a second request over the same connection.
func TestAHandlerMayTakeItsTimeAfterTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, responses := serve(t, func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			time.Sleep(10 * timeout)
			fmt.Fprint(w, string(text), err, r.Context().Err())
		})
		for range 2 {
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
			if status, text := answer(t, responses); status != http.StatusOK || text != "abc<nil> <nil>" {
				t.Errorf("status %d, %q", status, text)
			}
			time.Sleep(10 * timeout)
		}
	})
}

// TestABodyThatNobodyReadsIsGivenUp refuses a request before its body has come.
func TestABodyThatNobodyReadsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, responses := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		began := time.Now()
		fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
		if status, _ := answer(t, responses); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
		if _, err := responses.ReadByte(); err == nil || time.Since(began) > 2*timeout {
			t.Errorf("after %v the connection is still open", time.Since(began))
		}
	})
}
