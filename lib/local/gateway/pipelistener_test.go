package gateway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/herald-progress/herald/lib/local/gateway"
)

// pipeListener is a listener of in-memory connections, which tests in a synctest bubble need for virtual time.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() *pipeListener {
	closed := make(chan struct{})
	return &pipeListener{conns: make(chan net.Conn), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.close()
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipeListener) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// pipeGateway serves a gateway over pipes, for tests in a synctest bubble. The bubble fails the test if the gateway leaks a
// goroutine.
func pipeGateway(t *testing.T, cfg gateway.Config) (*gateway.Gateway, *pipeListener) {
	t.Helper()
	listener, g := newPipeListener(), gateway.New(cfg)
	server := &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	t.Cleanup(func() {
		if err := g.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := server.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return g, listener
}

func (p *pipeListener) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, _, _, err := ws.Dialer{NetDial: p.Dial}.Dial(t.Context(), "ws://gateway.test/prod")
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pipeConn is a connection with its id.
type pipeConn struct {
	net.Conn

	listener *pipeListener
	id       string
}

// callManagement sends one request to @connections and returns the status of its response.
func (p *pipeListener) callManagement(t *testing.T, method, id, body string) int {
	t.Helper()
	status, _ := p.callManagementFull(t, method, id, body)
	return status
}

func (p *pipeListener) callManagementFull(t *testing.T, method, id, body string) (int, []byte) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: p.Dial, DisableKeepAlives: true}}

	request, err := http.NewRequestWithContext(t.Context(), method, "http://gateway.test/prod/@connections/"+id, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	response, err := client.Do(request)
	if err != nil {
		t.Errorf("%s: %v", method, err)
		return 0, nil
	}
	defer response.Body.Close()
	responseBody, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("%s: %v", method, err)
	}

	return response.StatusCode, responseBody
}
