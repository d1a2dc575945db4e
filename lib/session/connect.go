package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/metrics"
)

// Connect handles $connect: it verifies the token and stores the connection.
type Connect struct {
	Verifier Verifier
	Store    Connections
	// Limits bounds the connections of a user, and what the user may cost in a minute.
	Limits Limits
	// Origins are the accepted Origin headers, such as https://app.example.com. If it is empty, every request is accepted, also
	// without an Origin.
	Origins []string
	// Log is silent when nil.
	Log *slog.Logger
	// Metrics counts refusals and failures; nil counts nothing.
	Metrics metrics.Recorder
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// throttledUsers has the users whose connects this process has refused in the current minute of the clock.
	throttledUsers userSet
}

// Handle responds with 200 "Connected", 401 with the reason, 403 for an Origin that is not accepted, 429 if the user's
// budget of the current minute is spent, or 500. It returns no error, because for an error API Gateway responds with 502.
func (h *Connect) Handle(ctx context.Context, r Request) (Response, error) {
	id := r.RequestContext.ConnectionID
	log := logger(h.Log).With("connectionId", id)
	if len(h.Origins) > 0 {
		origin := headerValues(&r, "Origin")
		if len(origin) != 1 || !slices.Contains(h.Origins, origin[0]) {
			log.WarnContext(ctx, "connection refused", "reason", "origin")
			return errorResponse(http.StatusForbidden, "Origin not allowed"), nil
		}
	}
	token, protocol := requestToken(&r)
	if token == "" {
		log.InfoContext(ctx, "connection refused", "reason", "no token")
		return errorResponse(http.StatusUnauthorized, "Missing token"), nil
	}
	claims, err := h.Verifier.Verify(ctx, token)
	switch {
	case errors.Is(err, auth.ErrExpired):
		log.InfoContext(ctx, "connection refused", "reason", err)
		return errorResponse(http.StatusUnauthorized, "Token expired"), nil
	case errors.Is(err, auth.ErrInvalid):
		log.WarnContext(ctx, "connection refused", "reason", err)
		return errorResponse(http.StatusUnauthorized, "Invalid token"), nil
	case err != nil:
		if !errors.Is(err, auth.ErrUnknownKey) { // else forged tokens would raise an alarm
			metrics.OrNone(h.Metrics).Count(metrics.ConnectsFailed, 1)
		}
		log.ErrorContext(ctx, "verify token", "err", err)
		return errorResponse(http.StatusInternalServerError, "Internal server error"), nil
	}
	err = h.store(ctx, log, connection.Connection{
		ID: id, UserID: claims.Subject, ConnectedAt: h.connectedAt(&r), TokenExpiresAt: claims.ExpiresAt,
	})
	if errors.Is(err, errTooManyConnects) {
		metrics.OrNone(h.Metrics).Count(metrics.RateLimited, 1)
		log.WarnContext(ctx, "connection refused", "reason", err, "userId", claims.Subject)
		return errorResponse(http.StatusTooManyRequests, "Too many connections in this minute"), nil
	}
	if err != nil {
		metrics.OrNone(h.Metrics).Count(metrics.ConnectsFailed, 1)
		log.ErrorContext(ctx, "store connection", "err", err)
		return errorResponse(http.StatusInternalServerError, "Internal server error"), nil
	}

	log.InfoContext(ctx, "connected", "userId", claims.Subject)
	response := okResponse("Connected")
	if protocol != "" {
		response.Headers = map[string]string{protocolHeader: protocol}
	}

	return response, nil
}

// connectedAt returns the time of the connect, at which API Gateway's maximum of two hours begins. If the event has no such time,
// it returns the time of the clock.
func (h *Connect) connectedAt(r *Request) time.Time {
	if r.RequestContext.ConnectedAt > 0 {
		return time.UnixMilli(r.RequestContext.ConnectedAt).UTC()
	}
	return clock(h.Now)().UTC()
}
