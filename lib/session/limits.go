package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// What one user may cost, where [Limits] says nothing else.
const (
	// DefaultMaxConnections is how many connections a user may have.
	DefaultMaxConnections = 50
	// DefaultMaxPosts is how many posts the requests of a user may cause in a minute of the clock.
	DefaultMaxPosts = 3000

	// maxConnectionsLimit bounds the setting: the row of a user names all connections.
	maxConnectionsLimit = 500
	// minBudget is the least number of posts for answers: the largest answer to a sync must fit.
	minBudget = 1000
	// reservedPosts is how many posts are kept for each connection that a user may have: those of refusals and closes.
	reservedPosts = 12
	// connectCost is what a connect costs: about the requests to the store that it makes, and more than the posts of its
	// refusals and its close.
	connectCost = 3
)

// What one connection may still send in a minute after its user's posts are spent.
const (
	// answeredRefusals is how many refused messages are answered; further ones are dropped.
	answeredRefusals = 2
	// toleratedRefusals is how many messages are refused before the connection is closed.
	toleratedRefusals = 10
)

// Limits bounds what one user may cost. A zero field is the default.
//
// Everything counts against MaxPosts: an answer by its posts, a connect by 3. What is kept of them, 12 for each of
// MaxConnections, is for what comes when they are spent: the answers to refused messages and the closing frames.
type Limits struct {
	// MaxConnections is how many connections a user may have.
	MaxConnections int
	// MaxPosts is how many posts the requests of a user may cause in a minute of the clock.
	MaxPosts int
}

// Validate returns an error that names the field and the rule where a limit is out of its range.
func (l Limits) Validate() error {
	l = l.withDefaults()
	if l.MaxConnections < 1 || l.MaxConnections > maxConnectionsLimit {
		return fmt.Errorf("session: MaxConnections must be from 1 to %d", maxConnectionsLimit)
	}
	if l.budget() < minBudget {
		return fmt.Errorf("session: MaxPosts must be at least %d, and %d more for each of MaxConnections", minBudget, reservedPosts)
	}

	return nil
}

func (l Limits) withDefaults() Limits {
	if l.MaxConnections == 0 {
		l.MaxConnections = DefaultMaxConnections
	}
	if l.MaxPosts == 0 {
		l.MaxPosts = DefaultMaxPosts
	}

	return l
}

// connections is how many connections a user may have.
func (l Limits) connections() int { return l.withDefaults().MaxConnections }

// budget is what a user may spend in a minute.
func (l Limits) budget() int { return l.withDefaults().MaxPosts - reservedPosts*l.connections() }

// What becomes of a message that is not answered as it asks.
var (
	// errLimited says that the user's posts are spent. The message may be answered by that.
	errLimited = errors.New("session: the user's posts are spent")
	// errDropped says that the message is not answered.
	errDropped = errors.New("session: message dropped")
)

// spend counts a cost, and returns how much of it is granted, which is 1 or more. It returns errLimited where the caller
// is to answer that the user's posts are spent, and errDropped where there is no answer, as the connection is being closed,
// or to be closed if it goes on.
func (h *Default) spend(ctx context.Context, log *slog.Logger, a *answers, cost int) (int, error) {
	if h.spent.has(a.row.UserID, a.now()) {
		return 0, h.refuse(ctx, log, a)
	}
	spent, err := h.Connections.Spend(ctx, a.row.UserID, a.row.ID, cost, h.Limits.budget(), a.now())
	switch {
	case errors.Is(err, connection.ErrBusy):
		log.WarnContext(ctx, "message dropped", "userId", a.row.UserID, "err", err)

		return 0, errDropped
	case err != nil:
		a.counted = true // what cannot be counted is no reason to be silent
		return 0, internal("count cost", err)
	}
	a.evicted = spent.Evicted
	if spent.Granted > 0 {
		a.counted = true

		return spent.Granted, nil
	}
	h.spent.add(a.row.UserID, a.now())

	return 0, h.refuse(ctx, log, a)
}

// refuse counts a message that its user's limit refuses. Who goes on is closed.
func (h *Default) refuse(ctx context.Context, log *slog.Logger, a *answers) error {
	n, err := h.Connections.Refuse(ctx, a.row.ID, a.now())
	if err != nil {
		log.ErrorContext(ctx, "message dropped", "userId", a.row.UserID, "err", err)

		return errDropped
	}
	log.InfoContext(ctx, "too many posts", "userId", a.row.UserID, "refused", n)
	if n <= answeredRefusals {
		return errLimited
	}
	// One of many at once closes the connection. Where that fails, one of the next does.
	if n%toleratedRefusals != 1 || n < toleratedRefusals {
		return errDropped
	}
	log.WarnContext(ctx, "closed for too many requests", "userId", a.row.UserID, "refused", n)
	unsaid := closeWith(ctx, h.Gateway, a.row.ID, rateLimited, a.now())
	// The row goes last: a message that found none meanwhile would be told to reconnect.
	if err := h.Connections.Delete(ctx, a.row.ID); err != nil { // $disconnect tries again
		log.ErrorContext(ctx, "delete connection", "err", err)
	}
	if unsaid != nil {
		return unsaid
	}

	return errDropped
}

// limited answers that the user's posts are spent. A sync then goes on where it was to go on now.
func limited(ctx context.Context, a *answers, action any) error {
	if s, ok := action.(syncAction); ok {
		return a.say(ctx, message.Synced{More: true, Cursor: s.cursor.String(), RetryAfter: retryAfter(a.now())})
	}

	return a.refuse(ctx, CodeRateLimited, "Too many requests in this minute")
}

// retryAfter returns the seconds from a time to the next minute, in which there are posts again. Clocks differ: one more.
func retryAfter(at time.Time) int { return int(time.Minute/time.Second) - at.Second() + 1 }
