package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// Gateway posts to connections, and closes them.
type Gateway interface {
	broadcast.Sender
	// Close closes a connection; that it is gone already is no error. Its other errors are those of Send.
	Close(ctx context.Context, connectionID string) error
}

// Closing frames whose reason is not the session's end.
var (
	unknownConnection = message.Closing{Code: message.CloseUnknownConnection, Reason: "This connection is not known", Reconnect: true}
	rateLimited       = message.Closing{Code: message.CloseRateLimited, Reason: "Too many requests", Reconnect: false}
)

// ending returns the closing frame of a session that is over: newer connections took its place, its token is over, or else
// it has lasted as long as one may.
func ending(c connection.Connection, now time.Time) message.Closing {
	switch {
	case c.Evicted():
		return message.Closing{Code: message.CloseConnectionLimit, Reason: "The user has too many connections", Reconnect: false}
	case !now.Before(c.TokenExpiresAt):
		return message.Closing{Code: message.CloseTokenExpired, Reason: "The token has expired", Reconnect: false}
	default:
		return message.Closing{Code: message.CloseSessionLimit, Reason: "The session has lasted for as long as one may", Reconnect: true}
	}
}

// closeWith posts why, then closes the connection, whether or not the post succeeded. That the connection is gone is no
// error.
func closeWith(ctx context.Context, g Gateway, id string, why message.Closing, now time.Time) error {
	frame, err := message.New(why, "", now).Encode()
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	unsaid := bounded(ctx, func(ctx context.Context) error { return g.Send(ctx, id, frame) })
	if errors.Is(unsaid, broadcast.ErrGone) {
		return nil
	}
	unclosed := bounded(ctx, func(ctx context.Context) error { return g.Close(ctx, id) })
	if err := errors.Join(unsaid, unclosed); err != nil {
		return fmt.Errorf("close: %w", err)
	}

	return nil
}

// over ends a session before the reaper does, unless the reaper was first, or a refresh.
func (h *Default) over(ctx context.Context, log *slog.Logger, row connection.Connection) error {
	deleted, err := h.Connections.DeleteIfUnchanged(ctx, row)
	if err != nil { // the session is over in any case
		log.ErrorContext(ctx, "delete ended session", "err", err)
	} else if !deleted {
		return nil
	}
	why := ending(row, clock(h.Now)())
	log.InfoContext(ctx, "session ended", "code", why.Code)

	return closeWith(ctx, h.Gateway, row.ID, why, clock(h.Now)())
}

// unknown answers a message of a connection without a row, once in a minute: what follows is dropped.
func (h *Default) unknown(ctx context.Context, log *slog.Logger, a *answers) error {
	log.InfoContext(ctx, "unknown connection")
	if n, err := h.Connections.Refuse(ctx, a.row.ID, a.now()); err == nil && n > 1 || errors.Is(err, connection.ErrBusy) {
		return errDropped
	} else if err != nil {
		log.ErrorContext(ctx, "count refusal", "err", err)
	}

	return closeWith(ctx, h.Gateway, a.row.ID, unknownConnection, a.now())
}

// closeEvicted closes the user's connections whose place newer ones took: $connect has no time for that, and may have
// failed to end their sessions. Of several messages at once one forgets a connection and closes it. What fails here is left
// to the reaper.
func (h *Default) closeEvicted(ctx context.Context, log *slog.Logger, user string, ids []string) {
	now := clock(h.Now)()
	taken, err := h.Connections.Forget(ctx, user, ids, nil, now)
	if err != nil {
		log.ErrorContext(ctx, "forget evicted connections", "err", err)
	}
	slots := make(chan struct{}, postsInFlight)
	var closes sync.WaitGroup
	for _, id := range taken {
		slots <- struct{}{}
		closes.Go(func() {
			defer func() { <-slots }()
			if err := h.closeOne(ctx, log, user, id, now); err != nil && !errors.Is(err, connection.ErrNotFound) {
				log.ErrorContext(ctx, "close evicted connection", "evicted", id, "err", err)
			}
		})
	}
	closes.Wait()
}

// closeOne closes one evicted connection.
func (h *Default) closeOne(ctx context.Context, log *slog.Logger, user, id string, now time.Time) error {
	row, err := h.Connections.Get(ctx, id)
	if err != nil {
		return err
	}
	if row.EvictedAt.IsZero() {
		if err := h.Connections.Evict(ctx, id, user, now); err != nil {
			return err
		}
		row.EvictedAt = now
	}

	return h.over(ctx, log.With("evicted", id), row)
}
