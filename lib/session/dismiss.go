package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// dismissAction deletes a note.
type dismissAction struct{ note string }

func decodeDismiss(raw []byte) (action, error) {
	var m struct {
		Action string `json:"action"`
		ID     string `json:"id"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	note, err := ulid.ParseStrict(m.ID)
	if err != nil {
		return nil, invalid("id", ruleNote)
	}

	return dismissAction{note: note.String()}, nil
}

// do deletes the note. If there was one, it posts a dismissed frame to every tab of the user, the sender's included. It costs
// one post for each tab.
func (a dismissAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	c, err := h.chargeMinimum(ctx, log, resp, 1)
	if err != nil {
		return err
	}
	tabs := make([]connection.Connection, 0, h.Limits.connections())
	for tab, err := range h.Connections.ByUser(ctx, resp.connection.UserID) {
		if err != nil {
			return internalError("read connections", err)
		}
		tabs = append(tabs, tab)
	}
	if !slices.ContainsFunc(tabs, func(c connection.Connection) bool { return c.ID == resp.connection.ID }) {
		tabs = append(tabs, resp.connection) // the index of the user's connections does not show it yet
	}
	if err := c.payUpTo(ctx, len(tabs)); err != nil {
		return err
	}
	if c.budgetExhausted {
		return errBudgetSpent
	}
	dismissed, err := h.Feed.Dismiss(ctx, feed.User(resp.connection.UserID), a.note)
	if err != nil {
		return internalError("dismiss note", err)
	}
	if !dismissed {
		log.InfoContext(ctx, "nothing to dismiss")
		return nil
	}
	report, err := h.Broadcaster.ToConnections(ctx, tabs, message.Dismissed{ID: a.note})
	if errors.Is(err, broadcast.ErrStore) {
		return internalError("post dismissal", err)
	}
	if err != nil {
		return fmt.Errorf("post dismissal: %w", err)
	}
	log.InfoContext(ctx, "dismissed", "connections", report.Connections, "delivered", report.Delivered)
	return nil
}
