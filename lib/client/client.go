// Package client is a client of Herald: it stays connected, asks for what it has missed, and knows what its user should
// see. What it does is a table of rules, testdata/client, to which clients in other languages are held, too.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// When a [Client] acts by itself.
const (
	// SecondSync is when a client syncs again after it has connected: a message may have been sent meanwhile by somebody who
	// could not see the connection yet.
	SecondSync = 5 * time.Second
	// Silence is how long a running job may be silent before a client syncs. It doubles up to MaxSilence while the job stays
	// silent: a job that has died without an end would cause syncs as long as the client runs.
	Silence    = 30 * time.Second
	MaxSilence = 2 * time.Minute
	// QuietSync is how long after its last sync a client syncs again. Nothing else shows that frames were lost while no job
	// ran, or that the server no longer knows the connection.
	QuietSync = 30 * time.Minute
	// PingInterval is the time between two pings: API Gateway closes a connection after 10 silent minutes.
	PingInterval = 4 * time.Minute
	// AnswerTimeout bounds the answer to a ping, and a handshake.
	AnswerTimeout = 10 * time.Second
	// SyncTimeout is how long after a sync was sent its answer may end. No other frame extends it.
	SyncTimeout = 10 * time.Second
	// RefreshLead is how long before a session's end its token is replaced.
	RefreshLead = time.Minute
	// EndGrace is how long after a session's end a client syncs: no state or note reaches the session any more, and the
	// closing frame may have been lost.
	EndGrace = 5 * time.Second
	// MinBackoff and MaxBackoff bound the pause before the next connection, which doubles from one to the other while no
	// connection works. The client waits for a random share of it.
	MinBackoff = 500 * time.Millisecond
	MaxBackoff = 30 * time.Second
)

// ErrTokenExpired says that a session has ended with its token, and [Config].Token has no other.
var ErrTokenExpired = errors.New("client: the token has expired")

// Config says whose client connects where. URL and Token are required.
type Config struct {
	// URL is the WebSocket URL, without a token.
	URL string
	// Token returns a token that is valid now. It is called before each connection, and a minute before the session's end.
	// After an error it is called again later.
	Token func(ctx context.Context) (string, error)
	// OnFrame is called with each frame that is news (see [View]), parsed and as it came, in order, one call at a time. The
	// client waits for it: a call of several seconds holds up the answers to the server. Nil is not called.
	OnFrame func(e message.Envelope, raw []byte)
	// OnStatus is called with each new status, in order, one call at a time. Nil is not called.
	OnStatus func(Status)
	// Dial opens a connection; nil means [Dial].
	Dial func(ctx context.Context, url, token string) (Socket, error)
	// Log takes a line for each connection that ended, with the reason, and never tokens or frames. Nil is silent.
	Log *slog.Logger
}

// Socket is one connection, as [Dial] returns it. Next is called by one goroutine, the other methods by another.
type Socket interface {
	// Next returns the next frame, parsed and as it came.
	Next(ctx context.Context) (message.Envelope, []byte, error)
	// Send sends one message, JSON with an action.
	Send(ctx context.Context, text string) error
	// Close closes the connection and waits some seconds for the server's answer, Drop closes it at once.
	Close() error
	Drop() error
}

// State says whether a client is connected.
type State string

// The states of a client.
const (
	// Connecting means that there is no connection: the client opens one, or pauses before the next try.
	Connecting State = "connecting"
	// Connected means that there is a connection.
	Connected State = "connected"
	// Stopped means that [Client.Run] has returned: the client does not connect by itself any more.
	Stopped State = "stopped"
)

// Status is the state of a client.
type Status struct {
	State State
	// Err is what [Client.Run] returned, where the client has stopped.
	Err error
}

// Client stays connected, and knows what its user should see. All methods but Run may be called concurrently.
type Client struct {
	config Config
	view   View
	// token is the one that is in force; expiredToken is the last one whose session ended with it.
	token, expiredToken string
	// syncCalled has a value when somebody has called Sync.
	syncCalled chan struct{}
	// random returns a number from 0 to 1, to spread clients.
	random func() float64

	mu      sync.Mutex
	status  Status
	waiters []*waiter
}

// New returns a client that is not connected yet. [Client.Run] connects it.
func New(c Config) *Client {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, url, token string) (Socket, error) { return Dial(ctx, url, token) }
	}
	return &Client{config: c, syncCalled: make(chan struct{}, 1), random: rand.Float64, status: Status{State: Connecting}}
}

// View returns what the client knows. It goes on to change.
func (c *Client) View() *View { return &c.view }

// Status returns whether the client is connected, and why it has stopped.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Client) setStatus(s Status) {
	c.mu.Lock()
	c.status = s
	c.mu.Unlock()
	if c.config.OnStatus != nil {
		c.config.OnStatus(s)
	}
}

// Run keeps the client connected, and returns nil when ctx has ended. Its error says why another try is of no use:
// a [*Refused] handshake of status 401 or 403, [ErrTokenExpired], or a [*Closed]. After that Run may be called again, with
// another token for instance.
func (c *Client) Run(ctx context.Context) error {
	c.setStatus(Status{State: Connecting})
	err := c.run(ctx)
	c.setStatus(Status{State: Stopped, Err: err})
	return err
}

func (c *Client) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		worked, err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever ended with it
		}
		if final(err) {
			return err
		}
		if worked {
			failures = 0
		}
		pause := c.backoff(failures)
		c.config.Log.InfoContext(ctx, "not connected", "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// connect opens a connection, serves it until it ends, and reports whether a frame came.
func (c *Client) connect(ctx context.Context) (worked bool, err error) {
	token, err := c.config.Token(ctx)
	if err != nil {
		return false, fmt.Errorf("token: %w", err)
	}
	if c.expiredToken != "" && token == c.expiredToken {
		return false, ErrTokenExpired
	}
	c.token = token
	dialing, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	socket, err := c.config.Dial(dialing, c.config.URL, token)
	if err != nil {
		return false, err
	}
	c.setStatus(Status{State: Connected})
	s := &session{client: c, view: &c.view, socket: socket, alarms: alarms{}, silence: map[string]silence{}}
	err = s.run(ctx)
	if ctx.Err() == nil && !final(err) {
		c.setStatus(Status{State: Connecting})
	}

	return s.worked, err
}

// Closed says that the server has closed a session that is not to be opened again, and why: the user has too many
// connections, for instance ([message.CloseConnectionLimit]).
type Closed struct{ message.Closing }

// Error names the server's code and reason.
func (e *Closed) Error() string { return fmt.Sprintf("closed: %s (%s)", e.Reason, e.Code) }

// final reports whether err would come again.
func final(err error) bool {
	var refused *Refused
	var closed *Closed
	return errors.Is(err, ErrTokenExpired) || errors.As(err, &closed) ||
		errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden)
}

// backoff returns the pause after some failures in a row: a random share of a bound that doubles.
func (c *Client) backoff(failures int) time.Duration {
	return time.Duration(c.random() * float64(doubled(MinBackoff, failures)))
}

// doubled returns a pause that doubles n times, up to MaxBackoff.
func doubled(first time.Duration, n int) time.Duration {
	const maxShift = 10
	return min(first<<min(n, maxShift), MaxBackoff)
}
