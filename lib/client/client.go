// Package client is a client of Herald. It stays connected, requests the frames that it has missed, and holds the jobs and
// notes that its user should see. The tables of rules in testdata/client specify it; clients in other languages are tested
// with the same tables.
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

// Intervals and timeouts of a [Client].
const (
	// SecondSync is the time from a connection's start to its second sync. A sender that could not read the new connection
	// yet may have stored a message after the first sync.
	SecondSync = 5 * time.Second
	// Silence is the time without a frame of a running job after which a client syncs. It doubles up to MaxSilence while no
	// frame of the job comes, to limit the syncs for a job that died without a terminal state.
	Silence    = 30 * time.Second
	MaxSilence = 2 * time.Minute
	// QuietSync is the time after its last sync when a client syncs in any case: frames may have been lost while no job
	// ran, or the server may have removed the connection.
	QuietSync = 30 * time.Minute
	// PingInterval is the time without a frame after which a client pings: API Gateway closes a connection after 10 idle
	// minutes.
	PingInterval = 9*time.Minute + 30*time.Second
	// AnswerTimeout is the timeout of a pong and of a handshake.
	AnswerTimeout = 10 * time.Second
	// SyncTimeout is the time from a sync to the end of its answer. No other frame extends it.
	SyncTimeout = 10 * time.Second
	// RefreshLead is the time before a session's end at which the client replaces the token.
	RefreshLead = time.Minute
	// EndGrace is the time after a session's end at which the client syncs: the session gets no more states and notes, and
	// the closing frame may have been lost.
	EndGrace = 5 * time.Second
	// MinBackoff and MaxBackoff bound the pause before the next connection. The bound doubles from MinBackoff to MaxBackoff
	// with each connection that fails before its first frame. The client waits for a random fraction of it.
	MinBackoff = 500 * time.Millisecond
	MaxBackoff = 20 * time.Second
)

// ErrTokenExpired says that a session ended because its token expired, and [Config].Token returned the same token again.
var ErrTokenExpired = errors.New("client: the token has expired")

// Config configures a client. URL and Token are required.
type Config struct {
	// URL is the WebSocket URL, without a token.
	URL string
	// Token returns a valid token. It is called before each connection, and a minute before the session's end. After an
	// error it is called again later.
	Token func(ctx context.Context) (string, error)
	// OnFrame, if not nil, is called with each frame that changes what the user should see (see [View]), parsed and as
	// received, in order, one call at a time. The client waits for it, so it must return soon.
	OnFrame func(e message.Envelope, raw []byte)
	// OnStatus, if not nil, is called with each new status, in order, one call at a time.
	OnStatus func(Status)
	// Dial opens a connection; nil means [Dial].
	Dial func(ctx context.Context, url, token string) (Socket, error)
	// Log receives a line with the reason for each connection that ended, never tokens or frames. Nil discards it.
	Log *slog.Logger
}

// Socket is one connection, as [Dial] returns it. Next is called by one goroutine, the other methods by another.
type Socket interface {
	// Next returns the next frame, parsed and as received. If a text is not a frame, such as an error message of API Gateway, the
	// envelope is empty.
	Next(ctx context.Context) (message.Envelope, []byte, error)
	// Send sends one message, JSON with an action.
	Send(ctx context.Context, text string) error
	// Close closes the connection and waits some seconds for the server's close frame. Drop closes it at once.
	Close() error
	Drop() error
}

// State says whether a client is connected.
type State string

// The states of a client.
const (
	// Connecting means that the client opens a connection, or pauses before the next attempt.
	Connecting State = "connecting"
	// Connected means that there is a connection.
	Connected State = "connected"
	// Stopped means that [Client.Run] has returned.
	Stopped State = "stopped"
)

// Status is the state of a client.
type Status struct {
	State State
	// Synced says that the first sync over the current connection is complete: the view has everything that was missed.
	Synced bool
	// RetryAt is the time of the next attempt to connect, after one that failed or a connection that was lost.
	RetryAt time.Time
	// Err is the reason why there is no connection, if one was lost or could not be opened. If the client has stopped, it is
	// the error that [Client.Run] returned.
	Err error
}

// Client stays connected and holds the jobs and notes that its user should see. All methods except Run may be called
// concurrently.
type Client struct {
	config Config
	view   View
	// token is the token of the session. expiredToken is the token of the last session that ended because its token expired.
	token, expiredToken string
	// syncCalled receives a value when Sync is called.
	syncCalled chan struct{}
	// random returns a random number from 0 to 1. With it, clients reconnect at different times.
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

// View returns the client's view, which the client keeps up to date.
func (c *Client) View() *View { return &c.view }

// Status returns whether the client is connected, and if not, why.
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

// Run keeps the client connected, and returns nil when ctx has ended. Its error is one that another attempt would not
// solve: a [*Refused] with status 401 or 403, [ErrTokenExpired], or a [*Closed]. After that Run may be called again, for
// instance with another token.
func (c *Client) Run(ctx context.Context) error {
	c.setStatus(Status{State: Connecting})
	err := c.run(ctx)
	c.setStatus(Status{State: Stopped, Err: err})
	return err
}

func (c *Client) run(ctx context.Context) error {
	for failures := 0; ; failures++ {
		receivedFrame, err := c.connect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is no failure, whatever error it caused
		}
		if isFinal(err) {
			return err
		}
		if receivedFrame { // the connection worked, so this is the first failure in a row
			failures = 0
		}
		pause := Backoff(failures, c.random())
		c.config.Log.InfoContext(ctx, "not connected", "err", err, "pause", pause)
		c.setStatus(Status{State: Connecting, RetryAt: time.Now().Add(pause), Err: err})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// connect opens a connection, serves it until it ends, and reports whether it received a frame.
func (c *Client) connect(ctx context.Context) (receivedFrame bool, err error) {
	token, err := c.config.Token(ctx)
	if err != nil {
		return false, fmt.Errorf("token: %w", err)
	}
	if c.expiredToken != "" && token == c.expiredToken {
		return false, ErrTokenExpired
	}
	c.token = token
	dialCtx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	socket, err := c.config.Dial(dialCtx, c.config.URL, token)
	if err != nil {
		return false, err
	}
	c.setStatus(Status{State: Connected})
	s := &session{client: c, view: &c.view, socket: socket, timers: timers{}, silence: map[string]silence{}}
	err = s.run(ctx)
	return s.receivedFrame, err
}

// Closed says that the server closed the session and that the client must not reconnect, for instance because the user has
// too many connections ([message.CloseConnectionLimit]).
type Closed struct{ message.Closing }

// Error names the server's code and reason.
func (e *Closed) Error() string { return fmt.Sprintf("closed: %s (%s)", e.Reason, e.Code) }

// isFinal reports whether another attempt to connect would end with the same error.
func isFinal(err error) bool {
	var refused *Refused
	var closed *Closed
	return errors.Is(err, ErrTokenExpired) || errors.As(err, &closed) ||
		errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden)
}

// Backoff returns the pause before the next connection, after a number of failures in a row before this one: a fraction, from 0 to 1, of
// a bound that doubles from [MinBackoff] to [MaxBackoff].
func Backoff(failures int, fraction float64) time.Duration {
	return time.Duration(fraction * float64(doublingPause(MinBackoff, failures)))
}

// SyncBackoff returns the pause before the next sync, after a number of failed syncs in a row before this one.
func SyncBackoff(failures int) time.Duration { return doublingPause(syncPause, failures) }

// doublingPause returns first doubled n times, at most MaxBackoff.
func doublingPause(first time.Duration, n int) time.Duration {
	const maxShift = 10 // more doublings do not change the result, which is MaxBackoff, and could overflow
	return min(first<<min(n, maxShift), MaxBackoff)
}
