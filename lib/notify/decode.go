package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// decode reads the input of the notifier task.
func (n *Notifier) decode(raw []byte) (request, error) {
	normalized, err := Decode(raw)
	if err != nil {
		return request{}, err
	}

	return n.accept(normalized, "message") // the path of the message in the input, for errors
}

// decodeRequest validates the request of a worker by the same rules as decode.
func (n *Notifier) decodeRequest(r message.Request) (request, error) {
	normalized, err := r.Normalize()
	if err != nil {
		return request{}, err
	}

	return n.accept(normalized, "") // a worker's request is not JSON: errors name the fields of the message without a path
}

// Decode reads the input of the notifier task strictly. A missing, unknown or mistyped field, and any broken rule, is a
// [*message.Invalid] that names the field. The returned request is normalized, see [message.Request.Normalize].
//
//	{"userId" or "connectionId":…, "message":{"type":…,"data":{…}}, "epoch":…, "key":…, "execution":…, "sentAt":…,
//	 "part":{"id":…,"done":…,"total":…,"failed":…,"from":…,"to":…}, "wait":…}
func Decode(raw []byte) (message.Request, error) {
	var wire struct {
		UserID       *string         `json:"userId,omitzero"`
		ConnectionID *string         `json:"connectionId,omitzero"`
		Message      json.RawMessage `json:"message"`
		Epoch        *string         `json:"epoch,omitzero"`
		Key          *string         `json:"key,omitzero"`
		Execution    *string         `json:"execution,omitzero"`
		SentAt       *string         `json:"sentAt,omitzero"`
		Part         json.RawMessage `json:"part,omitzero"`
		Wait         *bool           `json:"wait,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &wire); err != nil {
		return message.Request{}, err
	}
	if (wire.UserID == nil) == (wire.ConnectionID == nil) {
		return message.Request{}, invalid("userId, connectionId", "exactly one of the two is required")
	}
	for _, given := range []struct {
		field string
		value *string
		rule  string
	}{
		{"userId", wire.UserID, ruleLength(message.MaxUserID)},
		{"connectionId", wire.ConnectionID, ruleLength(message.MaxUserID)}, // MaxUserID also bounds the ids of connections
		{"key", wire.Key, ruleLength(message.MaxKey)}, {"execution", wire.Execution, message.RuleExecution},
		{"epoch", wire.Epoch, message.RuleEpoch},
	} {
		if given.value != nil && *given.value == "" { // a message.Request cannot distinguish an empty text from no text
			return message.Request{}, invalid(given.field, given.rule)
		}
	}
	data, err := message.Decode(wire.Message)
	if err != nil {
		return message.Request{}, prefixFields("message", err)
	}
	part, err := decodePart(wire.Part)
	if err != nil {
		return message.Request{}, err
	}
	var sentAt time.Time
	if wire.SentAt != nil {
		if sentAt, err = message.ParseSentAt(*wire.SentAt); err != nil {
			return message.Request{}, err
		}
	}

	return message.Request{
		UserID: orEmpty(wire.UserID), ConnectionID: orEmpty(wire.ConnectionID), Message: data, Part: part,
		Epoch: orEmpty(wire.Epoch), Key: orEmpty(wire.Key), Execution: orEmpty(wire.Execution),
		SentAt: sentAt,
		NoWait: wire.Wait != nil && !*wire.Wait,
	}.Normalize()
}

func ruleLength(limit int) string { return fmt.Sprintf("must be 1 to %d bytes", limit) }

// decodePart returns the part, or nil if there is none.
func decodePart(raw []byte) (*message.Part, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil // a request may have no part
	}
	p := &message.Part{}
	if err := message.DecodeObject(raw, "part", p); err != nil {
		return nil, err
	}
	var given struct {
		To *float64 `json:"to"`
	}
	// A message.Part cannot distinguish a to of 0 from an absent one, which means 100.
	if err := json.Unmarshal(raw, &given); err == nil && given.To != nil && *given.To == 0 {
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
