package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// When a [Tab] acts by itself.
const (
	// SecondSync is when a tab syncs again after it has connected: what was sent meanwhile may have been sent by somebody
	// who could not know of the connection yet.
	SecondSync = 5 * time.Second
	// Silence is how long a running job may be silent before a tab asks. It doubles up to MaxSilence as the job goes on to
	// be: what has died without an end would be asked for as long as the tab is open.
	Silence    = 30 * time.Second
	MaxSilence = 2 * time.Minute
	// QuietSync is how long after its last sync a tab asks again, whatever it has heard: frames that were lost while no job
	// ran, or a connection that the server no longer knows, show in nothing else.
	QuietSync = 30 * time.Minute
	// PingInterval keeps a connection from API Gateway's close after 10 silent minutes.
	PingInterval = 4 * time.Minute
	// AnswerTimeout is how long the answer to a ping or a handshake may take.
	AnswerTimeout = 10 * time.Second
	// SyncTimeout is how long after a sync was sent its answer may end. No other frame extends it.
	SyncTimeout = 10 * time.Second
	// RefreshLead is how long before a session's end its token is replaced.
	RefreshLead = time.Minute
	// EndGrace is how long after a session's end a tab asks whether it is over: nothing else reaches it any more, and the
	// farewell may have been lost.
	EndGrace = 5 * time.Second
	// MinBackoff and MaxBackoff bound the pause before a connection is opened again, which doubles from one to the other
	// as tries fail. A random share of it passes.
	MinBackoff = 500 * time.Millisecond
	MaxBackoff = 30 * time.Second
)

// ErrTokenOver says that a session has ended with its token, and there is no other.
var ErrTokenOver = errors.New("local: the token is over")

// Socket is one connection, as [Dial] returns it. Next is called by one goroutine, the others by another.
type Socket interface {
	Next(ctx context.Context) (message.Envelope, []byte, error)
	Send(ctx context.Context, text string) error
	Close() error
	Drop() error
}

// TabConfig says whose tab is open where. URL and Token are required.
type TabConfig struct {
	// URL is the WebSocket URL, without a token.
	URL string
	// Token returns a token that is valid now. It is called before each connection, and when the session's end is near.
	Token func(ctx context.Context) (string, error)
	// OnFrame is called with each frame that is news (see [View.Take]), parsed and as it came, in order, one call at a
	// time. Nil is called never.
	OnFrame func(e message.Envelope, raw []byte)
	// Dial opens a connection; nil means [Dial].
	Dial func(ctx context.Context, url, token string) (Socket, error)
	// Log takes a line for each connection and why it ended, never tokens or frames. Nil is silent.
	Log *slog.Logger
}

// Tab is a browser's tab: it stays connected, and knows what its user should see. All methods but Run may be called from
// many goroutines at once.
type Tab struct {
	config TabConfig
	view   View
	// token is the one that is in force; expired is the last one whose session ended with it.
	token, expired string
	asked          chan struct{}
	// random returns a number from 0 to 1, to spread clients.
	random func() float64

	mu      sync.Mutex
	status  Status
	waiting []*wait
}

// State says whether a tab is connected.
type State string

// The states of a tab.
const (
	// Connecting says that there is no connection now: the tab opens one, or pauses before the next try.
	Connecting State = "connecting"
	// Connected says that there is a connection.
	Connected State = "connected"
	// Stopped says that Run has returned: the tab does not connect by itself any more.
	Stopped State = "stopped"
)

// Status is the state of a tab.
type Status struct {
	State State
	// Err is what [Tab.Run] returned, where it has stopped.
	Err error
}

// Status returns whether the tab is connected, and why it has stopped.
func (t *Tab) Status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.status
}

func (t *Tab) setStatus(s Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = s
}

// wait is a call of Sync that waits for the answer.
type wait struct {
	sent bool // whether what is under way now will be its answer
	done chan struct{}
}

// NewTab returns a tab that is not connected yet.
func NewTab(c TabConfig) *Tab {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, url, token string) (Socket, error) { return Dial(ctx, url, token) }
	}

	return &Tab{config: c, asked: make(chan struct{}, 1), random: rand.Float64, status: Status{State: Connecting}}
}

// View returns what the tab knows. It goes on to change.
func (t *Tab) View() *View { return &t.view }

// Run keeps the tab connected, and returns nil when ctx has ended. Its error says why there is no use in another try:
// a [*Refused] handshake of status 401 or 403, [ErrTokenOver], or a [*Closed]. After that it may be called again, with
// another token for instance.
func (t *Tab) Run(ctx context.Context) error {
	err := t.run(ctx)
	t.setStatus(Status{State: Stopped, Err: err})

	return err
}

func (t *Tab) run(ctx context.Context) error {
	t.setStatus(Status{State: Connecting})
	for failures := 0; ; failures++ {
		heard, err := t.visit(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever ended with it
		}
		if final(err) {
			return err
		}
		t.setStatus(Status{State: Connecting})
		if heard {
			failures = 0
		}
		pause := t.backoff(failures)
		t.config.Log.InfoContext(ctx, "not connected", "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
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

	return errors.Is(err, ErrTokenOver) || errors.As(err, &closed) ||
		errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden)
}

// backoff returns the pause after some failures in a row: a random share of a bound that doubles.
func (t *Tab) backoff(failures int) time.Duration {
	const maxShift = 10
	bound := min(MinBackoff<<min(failures, maxShift), MaxBackoff)

	return time.Duration(t.random() * float64(bound))
}

// Sync asks for what the tab has missed, and returns when all of it has come: what the server knew when Sync was called
// has reached OnFrame by then. It waits as long as it takes, over lost connections too; its error is that of ctx.
func (t *Tab) Sync(ctx context.Context) error {
	w := &wait{done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	t.ask()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		t.waiting = slices.DeleteFunc(t.waiting, func(other *wait) bool { return other == w })
		t.mu.Unlock()

		return fmt.Errorf("sync: %w", ctx.Err())
	}
}

// ask makes the connection look at who waits.
func (t *Tab) ask() {
	select {
	case t.asked <- struct{}{}:
	default:
	}
}

// answering notes that a sync begins, which answers all who wait.
func (t *Tab) answering() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.waiting {
		w.sent = true
	}
}

// answered lets those go on whom the sync that has ended has answered, and reports whether others still wait.
func (t *Tab) answered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = slices.DeleteFunc(t.waiting, func(w *wait) bool {
		if w.sent {
			close(w.done)
		}

		return w.sent
	})

	return len(t.waiting) > 0
}

// unanswered reports whether somebody waits for a sync that has not begun.
func (t *Tab) unanswered() bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return slices.ContainsFunc(t.waiting, func(w *wait) bool { return !w.sent })
}
