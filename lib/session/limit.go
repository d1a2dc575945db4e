package session

import (
	"context"
	"log/slog"
)

const (
	// MaxRequests is how many costly actions, which are sync and refresh, a connection may ask for in a minute.
	MaxRequests = 60
	// TooManyRequests is how many of them it may try in a minute before it is closed.
	TooManyRequests = 120
)

// limited counts one request of a costly action, and lets it be done if it is not one too many. do is told how many
// requests of the action there have been on the connection.
func (h *Default) limited(ctx context.Context, log *slog.Logger, a *answers, action string, do func(n int) error) error {
	usage, err := h.Connections.Count(ctx, a.row.ID, action, a.now())
	switch {
	case err != nil:
		return internal("count request", err)
	case usage.Minute > TooManyRequests:
		log.WarnContext(ctx, "closed for too many requests", "userId", a.row.UserID, "inMinute", usage.Minute)
		unsaid := farewell(ctx, h.Gateway, a.row.ID, rateLimited, a.now())
		// The row goes last: a message that found none meanwhile would be told to reconnect.
		if err := h.Connections.Delete(ctx, a.row.ID); err != nil { // $disconnect tries again
			log.ErrorContext(ctx, "delete connection", "err", err)
		}

		return unsaid
	case usage.Minute > MaxRequests:
		log.InfoContext(ctx, "too many requests", "inMinute", usage.Minute)

		return a.refuse(ctx, CodeRateLimited, "Too many requests in this minute")
	default:
		return do(usage.Action)
	}
}
