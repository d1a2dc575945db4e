package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// dismiss deletes a note, and tells every tab of the user, the asking one included.
func (h *Default) dismiss(ctx context.Context, log *slog.Logger, a *answers, note string) error {
	if _, err := h.Feed.Dismiss(ctx, feed.User(a.row.UserID), note); err != nil {
		return internal("dismiss note", err)
	}
	report, err := h.Broadcaster.ToUser(ctx, a.row.UserID, message.Dismissed{ID: note})
	if errors.Is(err, broadcast.ErrStore) {
		return internal("tell of dismissed note", err)
	}
	if err != nil {
		return fmt.Errorf("tell of dismissed note: %w", err)
	}
	log.InfoContext(ctx, "dismissed", "connections", report.Connections, "delivered", report.Delivered)

	return nil
}
