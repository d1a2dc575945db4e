package session

import (
	"context"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// refreshAction prolongs the session with a new token, which may be missing.
type refreshAction struct{ token string }

func decodeRefresh(raw []byte) (action, error) {
	var m struct {
		Action string `json:"action"`
		Token  string `json:"token,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	return refreshAction{token: m.Token}, nil
}

// do prolongs the session until the new token expires, and posts the new end. It costs one post.
func (a refreshAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	if _, err := h.spendOrRefuse(ctx, log, resp, 1); err != nil {
		return err
	}
	if a.token == "" {
		return resp.sendError(ctx, CodeUnauthorized, "Missing token")
	}
	claims, err := h.Verifier.Verify(ctx, a.token)
	switch {
	case errors.Is(err, auth.ErrExpired):
		log.InfoContext(ctx, "refresh refused", "reason", err)
		return resp.sendError(ctx, CodeUnauthorized, "Token expired")
	case errors.Is(err, auth.ErrInvalid):
		log.WarnContext(ctx, "refresh refused", "reason", err)
		return resp.sendError(ctx, CodeUnauthorized, "Invalid token")
	case err != nil:
		return internalError("verify token", err)
	case claims.Subject != resp.connection.UserID:
		log.WarnContext(ctx, "refresh refused", "reason", "another user's token", "userId", resp.connection.UserID)
		return resp.sendError(ctx, CodeUnauthorized, "Invalid token")
	case resp.sessionEnded(): // while the token was verified
		return errSessionEnded
	}
	c, err := h.Connections.Refresh(ctx, resp.connection.ID, resp.connection.UserID, claims.ExpiresAt)
	if errors.Is(err, connection.ErrNotFound) { // deleted after the message was received
		return h.closeUnknown(ctx, log, resp)
	}
	if err != nil {
		return internalError("refresh connection", err)
	}
	resp.connection = c
	log.InfoContext(ctx, "refreshed", "sessionEnd", c.SessionEnd())
	return resp.send(ctx, message.Refreshed{SessionEnd: message.Time{Time: c.SessionEnd()}})
}
