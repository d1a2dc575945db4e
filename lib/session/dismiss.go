package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// dismiss deletes a note. If there was one, it posts a dismissed frame to every tab of the user, the sender's included. It
// costs one post for each tab.
func (h *Default) dismiss(ctx context.Context, log *slog.Logger, resp *responder, note string) error {
	c, err := h.charge(ctx, log, resp, 1)
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
		tabs = append(tabs, resp.connection) // the index does not show it yet
	}
	if err := c.raise(ctx, len(tabs)); err != nil {
		return err
	}
	if c.short {
		return errBudgetSpent
	}
	dismissed, err := h.Feed.Dismiss(ctx, feed.User(resp.connection.UserID), note)
	if err != nil {
		return internalError("dismiss note", err)
	}
	if !dismissed {
		log.InfoContext(ctx, "nothing to dismiss")
		return nil
	}
	report, err := h.Broadcaster.ToConnections(ctx, tabs, message.Dismissed{ID: note})
	if errors.Is(err, broadcast.ErrStore) {
		return internalError("post dismissal", err)
	}
	if err != nil {
		return fmt.Errorf("post dismissal: %w", err)
	}
	log.InfoContext(ctx, "dismissed", "connections", report.Connections, "delivered", report.Delivered)
	return nil
}
