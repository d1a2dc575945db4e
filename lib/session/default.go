package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

// CodeUnknownAction is the code of the error frame that answers what no action names.
const CodeUnknownAction = "UNKNOWN_ACTION"

// Default handles $default: every message of a browser that no other route takes.
type Default struct {
	Sender broadcast.Sender
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle answers by an error frame; the connection stays open. It returns an error where the frame cannot be sent.
func (h *Default) Handle(ctx context.Context, r Request) (Response, error) {
	id := r.RequestContext.ConnectionID
	logger(h.Log).InfoContext(ctx, "unknown action", "connectionId", id, "bytes", len(r.Body))
	frame, err := message.New(unknownAction(r.Body), "", clock(h.Now)()).Encode()
	if err != nil {
		return Response{}, fmt.Errorf("answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, broadcast.PostTimeout)
	defer cancel()
	if err := h.Sender.Send(ctx, id, frame); err != nil && !errors.Is(err, broadcast.ErrGone) {
		return Response{}, fmt.Errorf("answer: %w", err)
	}

	return ok("Answered"), nil
}

func unknownAction(body string) message.Error {
	var m struct {
		Action *string `json:"action"`
	}
	text := "This action is not known"
	if err := json.Unmarshal([]byte(body), &m); err != nil || m.Action == nil {
		text = `A message must be a JSON object with a text "action"`
	}

	return message.Error{Code: CodeUnknownAction, Message: text}
}
