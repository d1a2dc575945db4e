package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/upload"
)

// Codes of the error frames.
const (
	// CodeUnknownAction answers a message whose action does not exist.
	CodeUnknownAction = "UNKNOWN_ACTION"
	// CodeInvalidMessage answers an action with an invalid field.
	CodeInvalidMessage = "INVALID_MESSAGE"
	// CodeUnauthorized answers a refresh whose token is rejected.
	CodeUnauthorized = "UNAUTHORIZED"
	// CodeRateLimited answers a message of a user whose budget of the current minute is spent.
	CodeRateLimited = "RATE_LIMITED"
	// CodeUploadsDisabled answers a message about an upload where uploads are switched off.
	CodeUploadsDisabled = "UPLOADS_DISABLED"
	// CodeUploadLimit answers an upload of a user who has as many open ones as a user may have.
	CodeUploadLimit = "UPLOAD_LIMIT"
	// CodeUploadNotFound answers a message about an upload that the user does not have, or no longer has.
	CodeUploadNotFound = "UPLOAD_NOT_FOUND"
	// CodeUploadIncomplete answers an upload_complete before the whole file is stored.
	CodeUploadIncomplete = "UPLOAD_INCOMPLETE"
	// CodeInternal answers a message that failed in a store or the key server. The browser may try again.
	CodeInternal = "INTERNAL_ERROR"
)

// Reasons to stop handling a message, other than a failed post.
var (
	// errInternal wraps errors that are logged and answered with CodeInternal.
	errInternal = errors.New("session: internal error")
	// errSessionEnded means that the session ended before the message was answered.
	errSessionEnded = errors.New("session: ended")
)

// Connections is the store of connections that $default needs.
type Connections interface {
	connection.Store
	connection.Sessions
	connection.Usage
}

// Feed is the part of the feed that $default needs.
type Feed interface {
	feed.Jobs
	feed.Notes
}

// Default handles $default: the messages of browsers.
type Default struct {
	Gateway     Gateway
	Connections Connections
	Feed        Feed
	// Broadcaster posts to the user's other tabs.
	Broadcaster *broadcast.Broadcaster
	Verifier    Verifier
	// Uploads hands out the URLs of uploads. Nil switches uploads off.
	Uploads *upload.Service
	// Downloads signs the URLs of the results of jobs. Nil switches downloads of objects off.
	Downloads Downloads
	// Limits bounds the connections of a user, and what the user may cost in a minute.
	Limits Limits
	// Log is silent when nil.
	Log *slog.Logger
	// Metrics counts syncs and refusals; nil counts nothing.
	Metrics metrics.Recorder
	// Trace returns the id of the trace that the message of a context belongs to, for the answer, or an empty string; see
	// [message.Envelope]. Nil means no trace.
	Trace func(context.Context) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// spent has the users whose budget of the current minute is spent, as far as this process knows. For them it makes no request to
	// spend more, and reads no jobs or notes.
	spent userSet
}

// Handle answers a message with frames. If the session has ended, or the connection is not stored, the answer is a closing
// frame. It returns an error if an answer cannot be posted, unless the connection is gone.
func (h *Default) Handle(ctx context.Context, r Request) (Response, error) {
	log := logger(h.Log).With("connectionId", r.RequestContext.ConnectionID)
	resp := &responder{gateway: h.Gateway, now: clock(h.Now), connection: connection.Connection{ID: r.RequestContext.ConnectionID}}
	if h.Trace != nil {
		resp.trace = h.Trace(ctx)
	}
	err := h.handle(ctx, log, resp, &r)
	if errors.Is(err, errInternal) {
		log.ErrorContext(ctx, "message not answered", "err", err)
		err = h.sendInternalError(ctx, log, resp)
	}
	if errors.Is(err, errSessionEnded) {
		err = h.endSession(ctx, log, resp.connection)
	}
	if len(resp.evicted) > 0 {
		h.closeEvicted(ctx, log, resp.connection.UserID, resp.evicted)
	}

	switch {
	case errors.Is(err, errDropped):
		return okResponse("Dropped"), nil
	case errors.Is(err, broadcast.ErrGone):
		log.InfoContext(ctx, "connection gone")
		return okResponse("Gone"), nil
	case err != nil:
		return Response{}, err
	default:
		return okResponse("Answered"), nil
	}
}

func (h *Default) handle(ctx context.Context, log *slog.Logger, resp *responder, r *Request) error {
	c, err := h.Connections.Get(ctx, resp.connection.ID)
	if errors.Is(err, connection.ErrNotFound) {
		return h.closeUnknown(ctx, log, resp)
	}
	if err != nil {
		return internalError("get connection", err)
	}
	resp.connection, resp.loaded = c, true
	if resp.sessionEnded() {
		return errSessionEnded
	}

	a, request := decode(r)
	resp.request = request
	err = a.do(ctx, h, log, resp)
	if errors.Is(err, errBudgetSpent) {
		return resp.sendError(ctx, CodeRateLimited, "Too many requests in this minute")
	}

	return err
}

// sendInternalError answers a message that failed. The error frame counts against the user's budget, too.
func (h *Default) sendInternalError(ctx context.Context, log *slog.Logger, resp *responder) error {
	const text = "Internal server error"
	if resp.charged { // the error frame takes the place of the answer that the user has paid for
		return resp.sendError(ctx, CodeInternal, text)
	}
	if resp.loaded { // the user is known: charge one post for the error frame
		if _, err := h.spendOrRefuse(ctx, log, resp, 1); errors.Is(err, errBudgetSpent) || errors.Is(err, errDropped) {
			return errDropped
		}
	} else { // the user is not known: limit the answers to the connection
		n, err := h.Connections.CountRefusal(ctx, resp.connection.ID, resp.now())
		tooMany := err == nil && n > maxAnsweredRefusals
		if tooMany || errors.Is(err, connection.ErrThrottled) {
			return errDropped
		}
	}

	return resp.sendError(ctx, CodeInternal, text)
}
