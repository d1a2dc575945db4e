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

// Gateway posts to connections and closes them.
type Gateway interface {
	broadcast.Sender
	// Close closes a connection. Closing a connection that is gone is not an error. Other errors are those of Send.
	Close(ctx context.Context, connectionID string) error
}

// Closing frames of connections whose session has not ended.
var (
	unknownConnection = message.Closing{Code: message.CloseUnknownConnection, Reason: "This connection is not known", Reconnect: true}
	rateLimited       = message.Closing{Code: message.CloseRateLimited, Reason: "Too many requests", Reconnect: false}
)

// sessionClosing returns the closing frame for an ended session: it was evicted, its token expired, or it reached the maximum
// duration.
func sessionClosing(c connection.Connection, now time.Time) message.Closing {
	switch {
	case c.Evicted():
		return message.Closing{Code: message.CloseConnectionLimit, Reason: "The user has too many connections", Reconnect: false}
	case !now.Before(c.TokenExpiresAt):
		return message.Closing{Code: message.CloseTokenExpired, Reason: "The token has expired", Reconnect: false}
	default:
		return message.Closing{Code: message.CloseSessionLimit, Reason: "The session has lasted for as long as one may", Reconnect: true}
	}
}

// sendAndClose posts a closing frame and closes the connection, even if the post failed. A connection that is gone is not an
// error.
func sendAndClose(ctx context.Context, g Gateway, id string, closing message.Closing, now time.Time) error {
	frame, err := message.New(closing, "", now).Encode()
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	postErr := retryThrottled(ctx, func(ctx context.Context) error { return g.Send(ctx, id, frame) })
	if errors.Is(postErr, broadcast.ErrGone) {
		return nil
	}
	closeErr := retryThrottled(ctx, func(ctx context.Context) error { return g.Close(ctx, id) })
	if err := errors.Join(postErr, closeErr); err != nil {
		return fmt.Errorf("close: %w", err)
	}

	return nil
}

// endSession ends a session unless the reaper or another message ended it first, or a refresh prolonged it.
func (h *Default) endSession(ctx context.Context, log *slog.Logger, c connection.Connection) error {
	deleted, err := h.Connections.DeleteIfUnchanged(ctx, c)
	if err != nil { // the session has ended in any case
		log.ErrorContext(ctx, "delete ended session", "err", err)
	} else if !deleted {
		return nil
	}
	closing := sessionClosing(c, clock(h.Now)())
	log.InfoContext(ctx, "session ended", "code", closing.Code)
	return sendAndClose(ctx, h.Gateway, c.ID, closing, clock(h.Now)())
}

// closeUnknown closes a connection that is not stored. It answers one message a minute and drops the others.
func (h *Default) closeUnknown(ctx context.Context, log *slog.Logger, resp *responder) error {
	log.InfoContext(ctx, "unknown connection")
	n, err := h.Connections.CountRefusal(ctx, resp.connection.ID, resp.now())
	alreadyAnswered := err == nil && n > 1 // n counts the messages of this minute, with this one
	if alreadyAnswered || errors.Is(err, connection.ErrThrottled) {
		return errDropped
	}
	if err != nil { // close the connection although the message is not counted
		log.ErrorContext(ctx, "count refusal", "err", err)
	}
	return sendAndClose(ctx, h.Gateway, resp.connection.ID, unknownConnection, resp.now())
}

// closeEvicted closes connections of the user that $connect has evicted. $connect has no time to close them, so the user's next
// message does. If several messages do so at once, RemoveFromUser returns each connection to only one of them. If closing fails, the
// reaper closes the connection.
func (h *Default) closeEvicted(ctx context.Context, log *slog.Logger, user string, ids []string) {
	now := clock(h.Now)()
	closed, evicted := ids, []string(nil)
	removed, err := h.Connections.RemoveFromUser(ctx, user, closed, evicted, now)
	if err != nil { // close those that were removed
		log.ErrorContext(ctx, "remove evicted connections", "err", err)
	}
	slots := make(chan struct{}, maxConcurrentPosts)
	var closes sync.WaitGroup
	for _, id := range removed {
		slots <- struct{}{}
		closes.Go(func() {
			defer func() { <-slots }()
			if err := h.closeEvictedConnection(ctx, log, user, id, now); err != nil && !errors.Is(err, connection.ErrNotFound) {
				log.ErrorContext(ctx, "close evicted connection", "evicted", id, "err", err)
			}
		})
	}
	closes.Wait()
}

// closeEvictedConnection closes one evicted connection. It first marks the connection as evicted if $connect failed to.
func (h *Default) closeEvictedConnection(ctx context.Context, log *slog.Logger, user, id string, now time.Time) error {
	c, err := h.Connections.Get(ctx, id)
	if err != nil {
		return err
	}
	if c.EvictedAt.IsZero() {
		if err := h.Connections.Evict(ctx, id, user, now); err != nil {
			return err
		}
		c.EvictedAt = now
	}

	return h.endSession(ctx, log.With("evicted", id), c)
}
