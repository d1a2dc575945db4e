// Package gateway serves one stage of an API Gateway WebSocket API on this machine.
package gateway

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The quotas of API Gateway WebSocket APIs
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
const (
	defaultFrameLimit         = 32 << 10
	defaultMessageLimit       = 128 << 10
	defaultURLLimit           = 4096
	defaultIdleTimeout        = 10 * time.Minute
	defaultConnectionDuration = 2 * time.Hour
	defaultIntegrationTimeout = 29 * time.Second
)

const (
	// defaultWriteTimeout bounds the sending of one frame to a browser that reads slowly or not at all.
	defaultWriteTimeout = 10 * time.Second
	// maxMessagesInFlight is the number of messages of one connection that functions handle at the same time.
	maxMessagesInFlight = 32
)

// Function is the Lambda function of a route: it receives an event and returns a response, both in JSON. It must be safe for
// concurrent use. A lambda.Handler of aws-lambda-go satisfies it.
type Function interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Config describes one stage of a WebSocket API whose route selection expression is $request.body.action.
type Config struct {
	// APIID is the API's id in events. Empty means "local".
	APIID string
	// Stage is the stage's name, which is the first segment of every path. Empty means "prod".
	Stage string
	// DomainName is the domain name in events. Empty means the Host header of the handshake.
	DomainName string
	// Routes maps route keys to functions. A route key is $connect, $disconnect, $default or the value of a message's "action".
	// Without $connect everyone may connect. A message without a route gets an error frame: "Forbidden".
	Routes map[string]Function
	// Mocks maps route keys to MOCK integrations. Each takes the time of the request and returns the text to send to the browser.
	// They must be safe for concurrent use.
	Mocks map[string]func(at time.Time) string
	// FrameLimit is the largest payload of one frame, in bytes. A larger frame closes the connection with 1009.
	// Zero means 32 KiB.
	FrameLimit int
	// MessageLimit is the largest message in either direction, in bytes. A larger message from the browser closes the
	// connection with 1009. Posting a larger message returns 413. Zero means 128 KiB.
	MessageLimit int
	// URLLimit is the largest length of a handshake's path and query together, in bytes. A longer one returns 414.
	// Zero means 4096.
	URLLimit int
	// IdleTimeout is the time without a frame in either direction after which a connection is closed with 1001.
	// Zero means 10 minutes.
	IdleTimeout time.Duration
	// ConnectionDuration is the time after which a connection is closed with 1001. Zero means 2 hours.
	ConnectionDuration time.Duration
	// IntegrationTimeout is how long the gateway waits for a function. The function is not stopped then, as on AWS.
	// Zero means 29 seconds.
	IntegrationTimeout time.Duration
	// WriteTimeout bounds the sending of one frame, including the wait for earlier frames. After it a post returns 504.
	// Zero means 10 seconds.
	WriteTimeout time.Duration
	// Faults are the faults to inject until Gateway.SetFaults replaces them. They must be valid.
	Faults Faults
	// Log receives opened and closed connections and failures of functions, but no tokens or messages. Nil is silent.
	Log *slog.Logger
}

// Gateway is one stage of an API Gateway WebSocket API. Browsers connect to /{stage}. Servers send requests to
// /{stage}/@connections/{id}. It is safe for concurrent use.
type Gateway struct {
	cfg Config
	// ctx is the context of functions, which may outlive the requests that invoke them. Close cancels it.
	ctx    context.Context // It belongs to the gateway, not to a call.
	cancel context.CancelFunc
	faults faultInjector

	// running counts the handshakes, sockets, messages and functions that have not ended.
	running sync.WaitGroup

	mu      sync.Mutex
	sockets map[string]*socket
	closing bool
}

// New returns a gateway that is ready to serve. It holds no resources until a browser connects.
func New(cfg Config) *Gateway {
	cfg.APIID = cmp.Or(cfg.APIID, "local")
	cfg.Stage = cmp.Or(cfg.Stage, "prod")
	cfg.FrameLimit = cmp.Or(cfg.FrameLimit, defaultFrameLimit)
	cfg.MessageLimit = cmp.Or(cfg.MessageLimit, defaultMessageLimit)
	cfg.URLLimit = cmp.Or(cfg.URLLimit, defaultURLLimit)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, defaultIdleTimeout)
	cfg.ConnectionDuration = cmp.Or(cfg.ConnectionDuration, defaultConnectionDuration)
	cfg.IntegrationTimeout = cmp.Or(cfg.IntegrationTimeout, defaultIntegrationTimeout)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, defaultWriteTimeout)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}

	ctx, cancel := context.WithCancel(context.Background())
	g := &Gateway{cfg: cfg, ctx: ctx, cancel: cancel, sockets: map[string]*socket{}}
	g.SetFaults(cfg.Faults)
	return g
}

// ServeHTTP serves handshakes on /{stage} and the management API on /{stage}/@connections/{id}. It does not check the
// signatures of requests to the management API. Any other path returns 403, as on AWS.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := pathSegments(r.URL); {
	case len(path) == 1 && path[0] == g.cfg.Stage && r.Method == http.MethodGet:
		g.serveConnect(w, r)
	case len(path) == 3 && path[0] == g.cfg.Stage && path[1] == "@connections":
		g.serveManagement(w, r, path[2])
	default:
		writeForbidden(w)
	}
}

// pathSegments splits a path at its slashes, then decodes each segment, so that a segment may contain an escaped slash.
// A slash at the end is ignored. It returns nil for an invalid escape.
func pathSegments(u *url.URL) []string {
	segments := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, escaped := range segments {
		segment, err := url.PathUnescape(escaped)
		if err != nil {
			return nil
		}
		segments[i] = segment
	}
	return segments
}

// Close refuses new connections, closes the open ones with 1001, invokes $disconnect for each, and waits until all
// functions have returned. If ctx ends first, it closes the remaining network connections and returns ctx's error.
// It cancels the contexts of functions that still run.
func (g *Gateway) Close(ctx context.Context) error {
	defer g.cancel()
	g.mu.Lock()
	g.closing = true
	sockets := make([]*socket, 0, len(g.sockets))
	for _, s := range g.sockets {
		sockets = append(sockets, s)
	}
	g.mu.Unlock()

	for _, s := range sockets {
		go s.close(closeGoingAway)
	}

	finished := make(chan struct{})
	go func() {
		defer close(finished)
		g.running.Wait()
	}()

	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		for _, s := range sockets {
			s.closeNow()
		}
		return fmt.Errorf("close gateway: %w", ctx.Err())
	}
}

// startHandshake counts a handshake as running. It returns false if the gateway is closing.
func (g *Gateway) startHandshake() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	g.running.Add(1)
	return true
}

// addSocket lets the management API find the socket. It returns false if the gateway is closing. Then the caller closes
// the socket.
func (g *Gateway) addSocket(s *socket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sockets[s.id] = s
	return !g.closing
}

func (g *Gateway) removeSocket(s *socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sockets, s.id)
}

func (g *Gateway) findSocket(id string) *socket {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sockets[id]
}
