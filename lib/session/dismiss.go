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

// dismiss deletes a note, and says so to every tab of the user, the asking one included, if there was one. It costs a post
// for each tab.
func (h *Default) dismiss(ctx context.Context, log *slog.Logger, a *answers, note string) error {
	if h.spent.has(a.row.UserID, a.now()) { // before anything is read
		return h.refuse(ctx, log, a)
	}
	tabs := make([]connection.Connection, 0, h.Limits.connections())
	for c, err := range h.Connections.ByUser(ctx, a.row.UserID) {
		if err != nil {
			return internal("read connections", err)
		}
		tabs = append(tabs, c)
	}
	if !slices.ContainsFunc(tabs, func(c connection.Connection) bool { return c.ID == a.row.ID }) {
		tabs = append(tabs, a.row) // the index does not show it yet
	}
	granted, err := h.spend(ctx, log, a, len(tabs))
	if err != nil {
		return err
	}
	if granted < len(tabs) {
		return errLimited
	}
	existed, err := h.Feed.Dismiss(ctx, feed.User(a.row.UserID), note)
	if err != nil {
		return internal("dismiss note", err)
	}
	if !existed {
		log.InfoContext(ctx, "nothing to dismiss")

		return nil
	}
	report, err := h.Broadcaster.ToConnections(ctx, tabs, message.Dismissed{ID: note})
	if errors.Is(err, broadcast.ErrStore) {
		return internal("post dismissal", err)
	}
	if err != nil {
		return fmt.Errorf("post dismissal: %w", err)
	}
	log.InfoContext(ctx, "dismissed", "connections", report.Connections, "delivered", report.Delivered)

	return nil
}
