// Package gateway is one stage of an API Gateway WebSocket API on this machine.
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

// The limits of API Gateway WebSocket APIs, as its page of quotas states them.
const (
	defaultFrameLimit         = 32 << 10
	defaultMessageLimit       = 128 << 10
	defaultURLLimit           = 4096
	defaultIdleTimeout        = 10 * time.Minute
	defaultDuration           = 2 * time.Hour
	defaultIntegrationTimeout = 29 * time.Second
)

const (
	// defaultWriteTimeout bounds one frame to a browser that reads slowly or not at all.
	defaultWriteTimeout = 10 * time.Second
	// messagesInFlight bounds the messages of one connection that functions handle at once.
	messagesInFlight = 32
)

// Function is what a route invokes: a Lambda handler on JSON payloads, called from many goroutines at once. The gateway
// waits for it no longer than Config.IntegrationTimeout. A lambda.Handler of aws-lambda-go satisfies it.
type Function interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Config describes one stage of a WebSocket API whose route selection expression is $request.body.action.
type Config struct {
	// APIID is the id of the API as events carry it. Empty means "local".
	APIID string
	// Stage is the first segment of every path. Empty means "prod".
	Stage string
	// DomainName is the domain as events carry it. Empty means the Host header of the handshake.
	DomainName string
	// Routes maps a route key to its function: $connect, $disconnect, $default, or the value of a message's "action".
	// Without $connect everyone may connect; a message that no route takes is answered "Forbidden".
	Routes map[string]Function
	// Mocks maps a route key to the template of a MOCK integration: what it returns for the time of the request is sent
	// to the browser, without invoking any function. It is called from many goroutines at once.
	Mocks map[string]func(at time.Time) string
	// FrameLimit is the largest payload of one frame, in bytes. A larger one closes with 1009. Zero means 32 KiB.
	FrameLimit int
	// MessageLimit is the largest message in either direction, in bytes. A larger one closes with 1009 when it comes
	// from the browser, and is answered 413 when posted. Zero means 128 KiB.
	MessageLimit int
	// URLLimit is the longest path with query of a handshake, in bytes. A longer one is answered 414. Zero means 4096.
	URLLimit int
	// IdleTimeout is how long a connection may be silent in both directions before it is closed with 1001.
	// Zero means 10 minutes.
	IdleTimeout time.Duration
	// Duration is how long a connection may last before it is closed with 1001. Zero means 2 hours.
	Duration time.Duration
	// IntegrationTimeout is how long the gateway waits for a function. The function itself runs on, as on AWS.
	// Zero means 29 seconds.
	IntegrationTimeout time.Duration
	// WriteTimeout is how long one frame may take to reach a browser that reads slowly, waiting for earlier frames
	// included, before its post is answered 504. Zero means 10 seconds.
	WriteTimeout time.Duration
	// Faults is how posts go wrong at first; see Gateway.SetFaults.
	Faults Faults
	// Log takes connection events and failures of functions, never tokens or messages. Nil is silent.
	Log *slog.Logger
}

// Gateway is one stage of an API Gateway WebSocket API, served in this process: browsers connect to /{stage}, servers
// post to /{stage}/@connections/{id}. It is safe for concurrent use.
type Gateway struct {
	cfg Config
	// base is the context of all functions, which outlive the requests that they answer, as Lambdas do.
	base   context.Context //nolint:containedctx // the life of the gateway, as in http.Server.BaseContext
	cancel context.CancelFunc
	faults injector

	// work counts handshakes, sockets, messages and calls of functions that have not ended.
	work sync.WaitGroup

	mu      sync.Mutex
	sockets map[string]*socket
	closing bool
}

// New returns a gateway ready to serve. It holds no resources until a browser connects.
func New(cfg Config) *Gateway {
	cfg.APIID = cmp.Or(cfg.APIID, "local")
	cfg.Stage = cmp.Or(cfg.Stage, "prod")
	cfg.FrameLimit = cmp.Or(cfg.FrameLimit, defaultFrameLimit)
	cfg.MessageLimit = cmp.Or(cfg.MessageLimit, defaultMessageLimit)
	cfg.URLLimit = cmp.Or(cfg.URLLimit, defaultURLLimit)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, defaultIdleTimeout)
	cfg.Duration = cmp.Or(cfg.Duration, defaultDuration)
	cfg.IntegrationTimeout = cmp.Or(cfg.IntegrationTimeout, defaultIntegrationTimeout)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, defaultWriteTimeout)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}

	base, cancel := context.WithCancel(context.Background())
	g := &Gateway{cfg: cfg, base: base, cancel: cancel, sockets: map[string]*socket{}}
	g.SetFaults(cfg.Faults)
	return g
}

// ServeHTTP answers handshakes on /{stage} and callbacks on /{stage}/@connections/{id}; any other path is answered 403,
// as API Gateway answers paths that it does not know. Signatures of callbacks are accepted unread.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := pathSegments(r.URL); {
	case len(path) == 1 && path[0] == g.cfg.Stage && r.Method == http.MethodGet:
		g.connect(w, r)
	case len(path) == 3 && path[0] == g.cfg.Stage && path[1] == "@connections":
		g.callback(w, r, path[2])
	default:
		writeError(w, http.StatusForbidden, "ForbiddenException", "Forbidden")
	}
}

// pathSegments returns the decoded segments of a path, so that an escaped slash stays within its segment. A slash at the
// end adds none.
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

// Close refuses new connections, closes all others with 1001, runs their $disconnect routes, and returns when all that
// has ended. If ctx ends first, it drops what is left, cancels the functions' contexts, and returns ctx's error.
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
		go s.shut(endGoingAway)
	}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.work.Wait()
	}()

	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		for _, s := range sockets {
			s.drop()
		}
		return fmt.Errorf("close gateway: %w", ctx.Err())
	}
}

// enter counts a handshake in. It reports false when the gateway is closing.
func (g *Gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	g.work.Add(1)
	return true
}

// add makes the socket reachable for posts. It reports false when the gateway began to close in the meantime.
func (g *Gateway) add(s *socket) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sockets[s.id] = s
	return !g.closing
}

func (g *Gateway) remove(s *socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sockets, s.id)
}

func (g *Gateway) lookup(id string) *socket {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sockets[id]
}
