package session

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/herald-progress/herald/lib/connection"
)

// Disconnect handles $disconnect: it deletes the connection. API Gateway may send it twice or never.
type Disconnect struct {
	Store connection.Store
	// Log is silent when nil.
	Log *slog.Logger
}

// Handle responds with 200 "Disconnected", or 500 if the store failed.
func (h *Disconnect) Handle(ctx context.Context, r Request) (Response, error) {
	id := r.RequestContext.ConnectionID
	log := logger(h.Log).With("connectionId", id)
	if err := h.Store.Delete(ctx, id); err != nil {
		log.ErrorContext(ctx, "delete connection", "err", err)
		return errorResponse(http.StatusInternalServerError, "Internal server error"), nil
	}
	log.InfoContext(ctx, "disconnected", "reason", disconnectReason(&r))
	return okResponse("Disconnected"), nil
}

// disconnectReason returns the reason of the client's close frame, cut to its maximum length.
func disconnectReason(r *Request) string {
	const maxBytes = 125 // of the content of a close frame (RFC 6455 section 5.5)
	reason := r.RequestContext.DisconnectReason
	if reason == nil {
		return ""
	}
	return (*reason)[:min(len(*reason), maxBytes)]
}
