package session

import (
	"context"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// refresh lets the session last until the new token expires, and posts when that is.
func (h *Default) refresh(ctx context.Context, log *slog.Logger, a *answers, token string) error {
	if token == "" {
		return a.refuse(ctx, CodeUnauthorized, "Missing token")
	}
	claims, err := h.Verifier.Verify(ctx, token)
	switch {
	case errors.Is(err, auth.ErrExpired):
		log.InfoContext(ctx, "refresh refused", "reason", err)

		return a.refuse(ctx, CodeUnauthorized, "Token expired")
	case errors.Is(err, auth.ErrInvalid):
		log.WarnContext(ctx, "refresh refused", "reason", err)

		return a.refuse(ctx, CodeUnauthorized, "Invalid token")
	case err != nil:
		return internal("verify token", err)
	case claims.Subject != a.row.UserID:
		log.WarnContext(ctx, "refresh refused", "reason", "another user's token", "userId", a.row.UserID)

		return a.refuse(ctx, CodeUnauthorized, "Invalid token")
	case a.over(): // while the token was verified
		return errOver
	}
	row, err := h.Connections.Refresh(ctx, a.row.ID, a.row.UserID, claims.ExpiresAt)
	if errors.Is(err, connection.ErrNotFound) { // deleted since the message came
		return h.unknown(ctx, log, a)
	}
	if err != nil {
		return internal("refresh connection", err)
	}
	a.row = row
	log.InfoContext(ctx, "refreshed", "sessionEnd", row.End())

	return a.say(ctx, message.Refreshed{SessionEnd: message.Time{Time: row.End()}})
}
