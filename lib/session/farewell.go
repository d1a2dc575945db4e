package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Farewells whose reason is not the session's end.
var (
	unknownConnection = message.Closing{Code: message.CloseUnknownConnection, Reason: "This connection is not known", Reconnect: true}
	rateLimited       = message.Closing{Code: message.CloseRateLimited, Reason: "Too many requests", Reconnect: false}
)

// ending returns the farewell to a session that is over: its token is, or else it has lasted as long as one may.
func ending(c connection.Connection, now time.Time) message.Closing {
	if !now.Before(c.TokenExpiresAt) {
		return message.Closing{Code: message.CloseTokenExpired, Reason: "The token has expired", Reconnect: false}
	}

	return message.Closing{Code: message.CloseSessionLimit, Reason: "The session has lasted for as long as one may", Reconnect: true}
}

// farewell says why, then closes the connection, whether or not that could be said. That it is gone is no error.
func farewell(ctx context.Context, g Gateway, id string, why message.Closing, now time.Time) error {
	frame, err := message.New(why, "", now).Encode()
	if err != nil {
		return fmt.Errorf("farewell: %w", err)
	}
	unsaid := bounded(ctx, func(ctx context.Context) error { return g.Send(ctx, id, frame) })
	if errors.Is(unsaid, broadcast.ErrGone) {
		return nil
	}
	unclosed := bounded(ctx, func(ctx context.Context) error { return g.Close(ctx, id) })
	if err := errors.Join(unsaid, unclosed); err != nil {
		return fmt.Errorf("farewell: %w", err)
	}

	return nil
}

// over ends a session before the reaper does, unless the reaper was first, or a refresh.
func (h *Default) over(ctx context.Context, log *slog.Logger, row connection.Connection) error {
	claimed, err := h.Connections.Claim(ctx, row)
	if err != nil { // the session is over in any case
		log.ErrorContext(ctx, "claim ended session", "err", err)
	} else if !claimed {
		return nil
	}
	why := ending(row, clock(h.Now)())
	log.InfoContext(ctx, "session ended", "code", why.Code)

	return farewell(ctx, h.Gateway, row.ID, why, clock(h.Now)())
}
