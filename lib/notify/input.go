package notify

import (
	"encoding/json"
	"fmt"

	"github.com/herald-progress/herald/lib/message"
)

// Decode reads the notifier task's input strictly: what is missing, unknown, mistyped or against a rule is a
// [*message.Invalid] that names the field. The request comes out as [message.Request.Normalize] returns it.
//
//	{"userId" or "connectionId":…, "message":{"type":…,"data":{…}}, "epoch":…, "key":…, "execution":…,
//	 "part":{"id":…,"done":…,"total":…,"failed":…,"from":…,"to":…}}
func Decode(raw []byte) (message.Request, error) {
	var wire struct {
		UserID       *string         `json:"userId,omitzero"`
		ConnectionID *string         `json:"connectionId,omitzero"`
		Message      json.RawMessage `json:"message"`
		Epoch        *string         `json:"epoch,omitzero"`
		Key          *string         `json:"key,omitzero"`
		Execution    *string         `json:"execution,omitzero"`
		Part         json.RawMessage `json:"part,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &wire); err != nil {
		return message.Request{}, err //nolint:wrapcheck // an *message.Invalid, as documented
	}
	if (wire.UserID == nil) == (wire.ConnectionID == nil) {
		return message.Request{}, invalid("userId, connectionId", "exactly one of the two is required")
	}
	for _, text := range []struct {
		field string
		value *string
		rule  string
	}{
		{"userId", wire.UserID, ruleLength(message.MaxUserID)}, {"connectionId", wire.ConnectionID, ruleLength(message.MaxUserID)},
		{"key", wire.Key, ruleLength(message.MaxKey)}, {"execution", wire.Execution, message.RuleExecution},
		{"epoch", wire.Epoch, message.RuleEpoch},
	} {
		if text.value != nil && *text.value == "" { // a Request would take it for none
			return message.Request{}, invalid(text.field, text.rule)
		}
	}
	data, err := message.Decode(wire.Message)
	if err != nil {
		return message.Request{}, within("message", err)
	}
	part, err := decodePart(wire.Part)
	if err != nil {
		return message.Request{}, err
	}

	return message.Request{ //nolint:wrapcheck // an *message.Invalid, as documented
		UserID: orEmpty(wire.UserID), ConnectionID: orEmpty(wire.ConnectionID), Message: data, Part: part,
		Epoch: orEmpty(wire.Epoch), Key: orEmpty(wire.Key), Execution: orEmpty(wire.Execution),
	}.Normalize()
}

func ruleLength(limit int) string { return fmt.Sprintf("must be 1 to %d bytes", limit) }

// decodePart reads a part, or nil where there is none.
func decodePart(raw []byte) (*message.Part, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil //nolint:nilnil // a request may have no part
	}
	p := &message.Part{}
	if err := message.DecodeObject(raw, "part", p); err != nil {
		return nil, err //nolint:wrapcheck // an *message.Invalid, as documented
	}
	var given struct {
		To *float64 `json:"to"`
	}
	if err := json.Unmarshal(raw, &given); err == nil && given.To != nil && *given.To == 0 { // a Part would take it for 100
		return nil, invalid("part.to", "must be a number over 0")
	}

	return p, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}

	return *s
}

func invalid(field, rule string) *message.Invalid {
	return &message.Invalid{Problems: []message.Problem{{Field: field, Rule: rule}}}
}
