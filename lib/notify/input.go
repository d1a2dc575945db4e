package notify

import (
	"encoding/json"

	"github.com/herald-progress/herald/lib/message"
)

// maxUserID is the longest user id in bytes, as in a token's sub.
const maxUserID = 255

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
	case user != nil && (*user == "" || len(*user) > maxUserID):
		return Input{}, invalid("userId", "must be 1 to 255 bytes")
	case user != nil:
		in.UserID = *user
	case *id == "":
		return Input{}, invalid("connectionId", "must not be empty")
	default:
		in.ConnectionID = *id
	}
	data, err := message.Decode(wire.Message)
	if err != nil {
		return Input{}, within("message", err)
	}
	in.Message = data

	return in, nil
}

func invalid(field, rule string) *message.Invalid {
	return &message.Invalid{Problems: []message.Problem{{Field: field, Rule: rule}}}
}
