package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/message"
)

// actions has the decoder of each action that a browser may ask for. A decoder gets the whole message, and returns a
// *message.Invalid if a field is invalid.
//
// A new action is one line here and a file of its own, with its decoder and its do.
var actions = map[string]func(raw []byte) (action, error){
	"sync":    decodeSync,
	"refresh": decodeRefresh,
	"dismiss": decodeDismiss,
}

// action is a decoded message of a browser.
type action interface {
	// do charges the cost of the action to the user, carries it out and posts the answer. It returns errBudgetSpent if the
	// user cannot pay, for the answer with CodeRateLimited. It returns the errors of spend and of responder.send, too.
	do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error
}

// The texts of the error frames for messages without a known action.
var (
	errNoAction      = errors.New(`A message must be a JSON object with a text "action"`) //nolint:staticcheck // a sentence for people
	errUnknownAction = errors.New("This action is not known")                             //nolint:staticcheck // a sentence for people
)

// decode returns the action of a message. A message that cannot be decoded is an invalidAction.
func decode(r *Request) action {
	a, err := decodeAction(r)
	if err != nil {
		return invalidAction{err: err, bytes: len(r.Body)}
	}
	return a
}

// decodeAction returns the action of a message. The error is a *message.Invalid if a field is invalid, or else errNoAction or
// errUnknownAction.
func decodeAction(r *Request) (action, error) {
	raw := []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, errNoAction
		}
	}
	var fields map[string]json.RawMessage
	var name *string
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields["action"], &name) != nil || name == nil {
		return nil, errNoAction
	}
	decodeFields, known := actions[*name]
	if !known {
		return nil, errUnknownAction
	}

	return decodeFields(raw)
}

// ruleNote is the rule of the fields that name a note.
const ruleNote = "must be the id of a note, a ULID"

func invalid(field, rule string) *message.Invalid {
	return &message.Invalid{Problems: []message.Problem{{Field: field, Rule: rule}}}
}

// invalidAction is a message without a known action, or with an invalid field.
type invalidAction struct {
	err   error
	bytes int
}

// do answers with the error. It costs one post. The log has no errors of fields, because they name what the sender chose.
func (a invalidAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	if _, err := h.spend(ctx, log, resp, 1); err != nil {
		return err
	}
	var bad *message.Invalid
	if errors.As(a.err, &bad) {
		log.InfoContext(ctx, "invalid message", "bytes", a.bytes)
		return resp.sendError(ctx, CodeInvalidMessage, bad.Error())
	}
	log.InfoContext(ctx, "unknown action", "bytes", a.bytes)
	return resp.sendError(ctx, CodeUnknownAction, a.err.Error())
}
