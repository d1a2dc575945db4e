package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/metrics"
)

// The default limits of one user.
const (
	// DefaultMaxConnections is how many connections a user may have.
	DefaultMaxConnections = 50
	// DefaultMaxPosts is how many posts the requests of a user may cause in a minute.
	DefaultMaxPosts = 3000

	// maxConnectionsLimit is the largest valid MaxConnections. It is bounded because one row of the store lists all connections of a
	// user.
	maxConnectionsLimit = 500
	// minBudget is the smallest valid budget. The largest response to a sync must fit into it.
	minBudget = 1000
	// reservedPosts is how many posts are reserved for each possible connection, for refusals and closing frames.
	reservedPosts = 12
	// ConnectCost is the cost of a connect: about the number of its requests to the store. It also covers the posts of
	// maxAnsweredRefusals refusals and of one closing frame.
	ConnectCost = 3
)

// What one connection may send in a minute after its user's budget is spent.
const (
	// maxAnsweredRefusals is how many refused messages get an answer. Further ones are dropped.
	maxAnsweredRefusals = 2
	// refusalsBeforeClose is how many messages are refused before the connection is closed.
	refusalsBeforeClose = 10
)

// Limits bounds the connections of a user, and what the user may cost in a minute. A zero field means its default.
//
// A user has a budget in each minute: MaxPosts, minus a reserve of 12 posts for each of MaxConnections. A response costs its posts,
// and a connect costs 3. The reserve pays for the posts after the budget is spent: answers to refused messages and closing frames.
type Limits struct {
	// MaxConnections is how many connections a user may have.
	MaxConnections int
	// MaxPosts is how many posts the requests of a user may cause in a minute.
	MaxPosts int
}

// Validate returns an error that names the field and the rule if a limit is out of its range.
func (l Limits) Validate() error {
	l = l.withDefaults()
	if l.MaxConnections < 1 || l.MaxConnections > maxConnectionsLimit {
		return fmt.Errorf("session: MaxConnections must be from 1 to %d", maxConnectionsLimit)
	}
	if l.Budget() < minBudget {
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

// connections returns how many connections a user may have.
func (l Limits) connections() int { return l.withDefaults().MaxConnections }

// Budget returns what a user may spend in a minute.
func (l Limits) Budget() int { return l.withDefaults().MaxPosts - reservedPosts*l.connections() }

// Reasons not to carry out a message.
var (
	// errBudgetSpent means that the user's budget of the current minute is spent. The caller answers the message with that.
	errBudgetSpent = errors.New("session: the user's posts are spent")
	// errDropped means that the message gets no answer.
	errDropped = errors.New("session: message dropped")
)

// spendOrRefuse charges a cost to the user, and returns how much of it is granted: at least 1, and possibly less than cost. If
// the budget is spent, it counts the message as refused, and returns the error of countRefusal. It returns errDropped if the store
// throttles.
func (h *Default) spendOrRefuse(ctx context.Context, log *slog.Logger, resp *responder, cost int) (int, error) {
	if h.spent.has(resp.connection.UserID, resp.now()) {
		return 0, h.countRefusal(ctx, log, resp)
	}
	granted, err := h.spendFromBudget(ctx, resp, cost)
	switch {
	case errors.Is(err, connection.ErrThrottled):
		log.WarnContext(ctx, "message dropped", "userId", resp.connection.UserID, "err", err)
		return 0, errDropped
	case err != nil:
		resp.charged = true // a cost that cannot be counted must not prevent the answer
		return 0, err
	case granted == 0:
		return 0, h.countRefusal(ctx, log, resp)
	}
	resp.charged = true
	return granted, nil
}

// spendFromBudget charges a cost to the user, and returns how much of it is granted: 0 if the budget is spent.
func (h *Default) spendFromBudget(ctx context.Context, resp *responder, cost int) (int, error) {
	spent, err := h.Connections.Spend(ctx, resp.connection.UserID, resp.connection.ID, cost, h.Limits.Budget(), resp.now())
	if err != nil {
		return 0, internalError("count cost", err)
	}
	resp.evicted = spent.Evicted
	if spent.Granted == 0 {
		h.spent.add(resp.connection.UserID, resp.now())
	}
	return spent.Granted, nil
}

// messageCost is the cost of a message that becomes known step by step. Each step is paid before it is carried out.
type messageCost struct {
	handler *Default
	resp    *responder
	// paid is how much has been granted.
	paid int
	// budgetExhausted means that less was granted than asked for.
	budgetExhausted bool
}

// chargeMinimum charges the minimum cost of a message to the user. It returns the errors of spendOrRefuse.
func (h *Default) chargeMinimum(ctx context.Context, log *slog.Logger, resp *responder, minCost int) (*messageCost, error) {
	paid, err := h.spendOrRefuse(ctx, log, resp, minCost)
	return &messageCost{handler: h, resp: resp, paid: paid, budgetExhausted: paid < minCost}, err
}

// payUpTo charges what is missing until paid is cost. If less is granted, it sets budgetExhausted, and later calls charge
// nothing more.
func (c *messageCost) payUpTo(ctx context.Context, cost int) error {
	if cost <= c.paid || c.budgetExhausted {
		return nil
	}
	granted, err := c.handler.spendFromBudget(ctx, c.resp, cost-c.paid)
	if err != nil && !errors.Is(err, connection.ErrThrottled) { // a throttled request grants nothing
		return err
	}
	c.paid += granted
	c.budgetExhausted = c.paid < cost
	return nil
}

// countRefusal counts a message that is refused because the budget is spent. After refusalsBeforeClose such messages in a minute it
// closes the connection. It returns errBudgetSpent if the caller must answer the message, or errDropped if the message gets no
// answer.
func (h *Default) countRefusal(ctx context.Context, log *slog.Logger, resp *responder) error {
	n, err := h.Connections.CountRefusal(ctx, resp.connection.ID, resp.now())
	if err != nil {
		log.ErrorContext(ctx, "message dropped", "userId", resp.connection.UserID, "err", err)
		return errDropped
	}
	metrics.OrNone(h.Metrics).Count(metrics.RateLimited, 1)
	log.InfoContext(ctx, "too many posts", "userId", resp.connection.UserID, "refused", n)
	if n <= maxAnsweredRefusals {
		return errBudgetSpent
	}
	// The counts 11, 21, 31 … close the connection: only one of many concurrent messages does, and a later one tries again if
	// that failed.
	closesConnection := n > refusalsBeforeClose && n%refusalsBeforeClose == 1
	if !closesConnection {
		return errDropped
	}
	log.WarnContext(ctx, "closed for too many requests", "userId", resp.connection.UserID, "refused", n)
	closeErr := sendAndClose(ctx, h.Gateway, resp.connection.ID, rateLimited, resp.now())
	// Delete the connection last: a message of an unknown connection is answered with a request to reconnect.
	if err := h.Connections.Delete(ctx, resp.connection.ID); err != nil { // $disconnect deletes it, too
		log.ErrorContext(ctx, "delete connection", "err", err)
	}
	if closeErr != nil {
		return closeErr
	}

	return errDropped
}

// retryAfter returns the seconds until the next minute, in which the user has a new budget. It adds one second because clocks
// differ.
func retryAfter(at time.Time) int { return int(time.Minute/time.Second) - at.Second() + 1 }
