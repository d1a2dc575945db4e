package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Codes of the error frames that answer a browser.
const (
	// CodeUnknownAction answers what no action names.
	CodeUnknownAction = "UNKNOWN_ACTION"
	// CodeInvalidMessage answers an action with a bad field.
	CodeInvalidMessage = "INVALID_MESSAGE"
	// CodeUnauthorized answers a refresh whose token is not accepted.
	CodeUnauthorized = "UNAUTHORIZED"
	// CodeRateLimited answers more than [MaxRequests] in a minute.
	CodeRateLimited = "RATE_LIMITED"
	// CodeInternal answers where a store or the key server failed: it may be tried again.
	CodeInternal = "INTERNAL_ERROR"
)

// What ends the work on a message besides an answer that cannot be posted.
var (
	// errInternal wraps what is logged, and answered by CodeInternal.
	errInternal = errors.New("session: internal error")
	// errOver says that the session ended while the message was being answered.
	errOver = errors.New("session: over")
)

// Connections is what $default asks of the store of connections.
type Connections interface {
	connection.Store
	connection.Sessions
	connection.Meter
}

// Feed is what $default asks of the feed.
type Feed interface {
	feed.Jobs
	feed.Notes
}

// Default handles $default: the messages of browsers.
type Default struct {
	Gateway     Gateway
	Connections Connections
	Feed        Feed
	// Broadcaster reaches the user's other tabs.
	Broadcaster *broadcast.Broadcaster
	Verifier    Verifier
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle answers by frames. After the session's end, and to a connection without a row, the answer is a farewell. It returns
// an error where an answer cannot be posted, unless the connection is gone.
func (h *Default) Handle(ctx context.Context, r Request) (Response, error) {
	log := logger(h.Log).With("connectionId", r.RequestContext.ConnectionID)
	a := &answers{gateway: h.Gateway, now: clock(h.Now), row: connection.Connection{ID: r.RequestContext.ConnectionID}}
	err := h.handle(ctx, log, a, &r)
	if errors.Is(err, errInternal) {
		log.ErrorContext(ctx, "message not answered", "err", err)
		err = a.refuse(ctx, CodeInternal, "Internal server error")
	}
	if errors.Is(err, errOver) {
		err = h.over(ctx, log, a.row)
	}
	switch {
	case errors.Is(err, broadcast.ErrGone):
		log.InfoContext(ctx, "connection gone")

		return ok("Gone"), nil
	case err != nil:
		return Response{}, err
	default:
		return ok("Answered"), nil
	}
}

func (h *Default) handle(ctx context.Context, log *slog.Logger, a *answers, r *Request) error {
	row, err := h.Connections.Get(ctx, a.row.ID)
	if errors.Is(err, connection.ErrNotFound) {
		log.InfoContext(ctx, "unknown connection")

		return farewell(ctx, h.Gateway, a.row.ID, unknownConnection, a.now())
	}
	if err != nil {
		return internal("get connection", err)
	}
	a.row, a.bound = row, true
	if a.over() {
		return errOver
	}
	action, err := decode(r)
	var bad *message.Invalid
	switch {
	case errors.As(err, &bad):
		log.InfoContext(ctx, "bad message", "bytes", len(r.Body)) // not why: that names fields which a stranger chose

		return a.refuse(ctx, CodeInvalidMessage, bad.Error())
	case err != nil:
		log.InfoContext(ctx, "unknown action", "bytes", len(r.Body))

		return a.refuse(ctx, CodeUnknownAction, err.Error())
	}
	switch action := action.(type) {
	case syncAction:
		return h.limited(ctx, log, a, actionSync, func(n int) error { return h.sync(ctx, log, a, action, n == 1) })
	case refreshAction:
		return h.limited(ctx, log, a, actionRefresh, func(int) error { return h.refresh(ctx, log, a, action.token) })
	case dismissAction:
		return h.dismiss(ctx, log, a, action.note)
	default:
		return nil // decode returns no other
	}
}
