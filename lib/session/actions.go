package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

// actions has the decoder of each action that a browser may ask for. A decoder gets the whole message, and returns a
// *message.Invalid if a field is invalid.
//
// A new action needs one line here, and a file of its own with its decoder and its type, which implements action.
var actions = map[string]func(raw []byte) (action, error){
	"sync":    decodeSync,
	"refresh": decodeRefresh,
	"dismiss": decodeDismiss,

	"upload":          decodeUpload,
	"upload_resume":   decodeUploadStep((*upload.Service).Resume),
	"upload_complete": decodeUploadStep((*upload.Service).Complete),
	"upload_abort":    decodeUploadStep((*upload.Service).Abort),

	"download": decodeDownload,
}

// action is a decoded message of a browser.
type action interface {
	// do charges the cost of the action to the user, carries it out and posts the answer. It returns errBudgetSpent if the
	// user's budget is spent: the caller then answers with CodeRateLimited. Its other errors are those of spendOrRefuse and of
	// responder.send.
	do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error
}

// The texts of the error frames for messages without a known action.
var (
	errNoAction      = errors.New(`A message must be a JSON object with a text "action"`)
	errUnknownAction = errors.New("This action is not known")
)

// decode returns the action of a message, and its request: a text of the browser's choice that the answer repeats. A message
// that cannot be decoded is an invalidAction. The request is empty if the message has none, or an invalid one.
func decode(r *Request) (a action, request string) {
	a, request, err := decodeAction(r)
	if err != nil {
		a = invalidAction{err: err, bytes: len(r.Body)}
	}
	return a, request
}

// decodeAction returns the action of a message and its request. The error is a *message.Invalid if a field is invalid, or else
// errNoAction or errUnknownAction.
func decodeAction(r *Request) (a action, request string, err error) {
	raw := []byte(r.Body)
	if r.IsBase64Encoded {
		if raw, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, "", errNoAction
		}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil, "", errNoAction
	}
	if json.Unmarshal(fields["request"], &request) != nil || !validRequest(request) {
		request = ""
	}
	var name *string
	if json.Unmarshal(fields["action"], &name) != nil || name == nil {
		return nil, request, errNoAction
	}
	decodeFields, known := actions[*name]
	if !known {
		return nil, request, errUnknownAction
	}

	a, err = decodeFields(raw)
	return a, request, err
}

// ruleRequest is the rule of the field request.
var ruleRequest = fmt.Sprintf("must be 1 to %d bytes of text without control characters", message.MaxRequest)

func validRequest(s string) bool { return message.ValidID(s, message.MaxRequest) }

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

// do answers with the error. It costs one post. It does not log the errors of fields, because they contain names that the
// sender chose.
func (a invalidAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	if _, err := h.spendOrRefuse(ctx, log, resp, 1); err != nil {
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
