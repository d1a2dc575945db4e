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
	// CodeRateLimited answers a message of a user whose posts of this minute are spent.
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
	connection.Users
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
	// Limits bounds what one user may cost.
	Limits Limits
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// spent are the users whose posts are spent: nothing is read for them.
	spent refusedUsers
}

// Handle answers by frames. After the session's end, and to a connection without a row, the answer is a closing frame. It
// returns an error where an answer cannot be posted, unless the connection is gone.
func (h *Default) Handle(ctx context.Context, r Request) (Response, error) {
	log := logger(h.Log).With("connectionId", r.RequestContext.ConnectionID)
	a := &answers{gateway: h.Gateway, now: clock(h.Now), row: connection.Connection{ID: r.RequestContext.ConnectionID}}
	err := h.handle(ctx, log, a, &r)
	if errors.Is(err, errInternal) {
		log.ErrorContext(ctx, "message not answered", "err", err)
		err = h.failed(ctx, log, a)
	}
	if errors.Is(err, errOver) {
		err = h.over(ctx, log, a.row)
	}
	if len(a.evicted) > 0 {
		h.closeEvicted(ctx, log, a.row.UserID, a.evicted)
	}
	switch {
	case errors.Is(err, errDropped):
		return ok("Dropped"), nil
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
		return h.unknown(ctx, log, a)
	}
	if err != nil {
		return internal("get connection", err)
	}
	a.row, a.bound = row, true
	if a.over() {
		return errOver
	}
	action, bad := decode(r)
	switch action := action.(type) {
	case syncAction:
		err = h.sync(ctx, log, a, action)
	case dismissAction:
		err = h.dismiss(ctx, log, a, action.note)
	default: // one post answers a refresh, and what was not understood
		if _, err = h.spend(ctx, log, a, 1); err != nil {
			break
		}
		if refresh, ok := action.(refreshAction); ok {
			err = h.refresh(ctx, log, a, refresh.token)
		} else {
			err = h.misunderstood(ctx, log, a, r, bad)
		}
	}
	if errors.Is(err, errLimited) {
		return limited(ctx, a, action)
	}

	return err
}

// misunderstood answers what is none of the actions, or has a bad field.
func (h *Default) misunderstood(ctx context.Context, log *slog.Logger, a *answers, r *Request, err error) error {
	var bad *message.Invalid
	if errors.As(err, &bad) {
		log.InfoContext(ctx, "bad message", "bytes", len(r.Body)) // not why: that names fields which a stranger chose

		return a.refuse(ctx, CodeInvalidMessage, bad.Error())
	}
	log.InfoContext(ctx, "unknown action", "bytes", len(r.Body))

	return a.refuse(ctx, CodeUnknownAction, err.Error())
}

// failed answers a message that a failure ended. That answer counts, too.
func (h *Default) failed(ctx context.Context, log *slog.Logger, a *answers) error {
	const text = "Internal server error"
	if a.counted {
		return a.refuse(ctx, CodeInternal, text)
	}
	if a.bound {
		if _, err := h.spend(ctx, log, a, 1); errors.Is(err, errLimited) || errors.Is(err, errDropped) {
			return errDropped
		}
	} else if n, err := h.Connections.Refuse(ctx, a.row.ID, a.now()); err == nil && n > answeredRefusals || errors.Is(err, connection.ErrBusy) {
		return errDropped
	}

	return a.refuse(ctx, CodeInternal, text)
}
