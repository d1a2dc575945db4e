package notify

import (
	"encoding/json"
	"fmt"

	"github.com/herald-progress/herald/lib/message"
)

// maxID is the longest user or connection id in bytes: that of a token's sub. API Gateway's connection ids have 16.
const maxID = 255

// Input is a request to the notifier: a message for one target.
type Input struct {
	// UserID is every connection of a user; ConnectionID is just one. Exactly one of the two is set.
	UserID       string
	ConnectionID string
	Message      message.Data
}

// Decode reads {"userId" or "connectionId":…,"message":{"type":…,"data":{…}}} strictly: what is missing, unknown,
// mistyped or against a rule is a [*message.Invalid] that names the field.
func Decode(raw []byte) (Input, error) {
	var wire struct {
		UserID       *string         `json:"userId,omitzero"`
		ConnectionID *string         `json:"connectionId,omitzero"`
		Message      json.RawMessage `json:"message"`
	}
	if err := message.DecodeObject(raw, "", &wire); err != nil {
		return Input{}, err //nolint:wrapcheck // an *message.Invalid, as documented
	}
	var in Input
	switch user, id := wire.UserID, wire.ConnectionID; {
	case (user == nil) == (id == nil):
		return Input{}, invalid("userId, connectionId", "exactly one of the two is required")
	case user != nil:
		if err := checkID("userId", *user); err != nil {
			return Input{}, err
		}
		in.UserID = *user
	default:
		if err := checkID("connectionId", *id); err != nil {
			return Input{}, err
		}
		in.ConnectionID = *id
	}
	data, err := message.Decode(wire.Message)
	if err != nil {
		return Input{}, within("message", err)
	}
	in.Message = data

	return in, nil
}

// checkID bounds an id that becomes a key of the store: what the store refuses would be tried again, in vain.
func checkID(field, id string) error {
	if id == "" || len(id) > maxID {
		return invalid(field, fmt.Sprintf("must be 1 to %d bytes", maxID))
	}

	return nil
}

func invalid(field, rule string) *message.Invalid {
	return &message.Invalid{Problems: []message.Problem{{Field: field, Rule: rule}}}
}
