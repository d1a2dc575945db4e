package apigw

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
)

// openTimeout bounds the opening of a socket, with its TLS handshake.
const openTimeout = 10 * time.Second

// http2Requests is how many requests an HTTP/2 socket gets at once: a broadcast needs one socket. Where the server allows fewer,
// net/http lets the others wait.
const http2Requests = broadcast.InFlight

// dialer opens sockets to a server, with the settings of a transport.
type dialer struct {
	transport       *http.Transport
	scheme, address string
}

// newPool returns a pool of sockets to u, with the settings of t.
func newPool(t *http.Transport, u *url.URL) *pool {
	d := &dialer{transport: t, scheme: u.Scheme, address: u.Host}
	if u.Port() == "" {
		d.address = net.JoinHostPort(u.Hostname(), u.Scheme)
	}
	t.DialTLSContext = d.dialTLS

	return &pool{open: d.open}
}

// open opens a socket. It returns how many requests the socket carries at once.
func (d *dialer) open() (_ socket, requests int, _ error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if d.scheme == plainScheme {
		c, err := d.transport.DialContext(ctx, "tcp", d.address)
		if err != nil {
			return nil, 0, fmt.Errorf("open socket: %w", err)
		}

		return newHTTP1Socket(c), 1, nil
	}
	c, err := d.transport.NewClientConn(ctx, d.scheme, d.address)
	if other, ok := errors.AsType[*http1Chosen](err); ok {
		return newHTTP1Socket(other.conn), 1, nil
	} else if err != nil {
		return nil, 0, fmt.Errorf("open socket: %w", err)
	}

	return http2Socket{c}, http2Requests, nil
}

// http1Chosen is the error of dialTLS for a server that has not chosen HTTP/2. net/http must not make its own HTTP/1.1 socket then.
type http1Chosen struct{ conn net.Conn }

// Error implements error.
func (*http1Chosen) Error() string { return "apigw: the server has chosen HTTP/1.1" }

// dialTLS opens a socket with HTTP/2 over TLS. Its error is [*http1Chosen] if the server does not offer HTTP/2.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	raw, err := d.transport.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("TCP: %w", err)
	}
	config := d.transport.TLSClientConfig.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()

		return nil, fmt.Errorf("TLS: %w", err)
	}
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, &http1Chosen{conn: c}
	}

	return c, nil
}

// http2Socket sends requests over HTTP/2, with net/http.
type http2Socket struct{ *http.ClientConn }

// RoundTrip implements socket.
func (s http2Socket) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.ClientConn.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	defer response.Body.Close()
	if response.ContentLength != 0 {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // its error does not change the status
		response.Body = io.NopCloser(bytes.NewReader(body))
	}

	return response, nil
}
