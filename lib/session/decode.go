package session

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
)

// The actions of browsers.
const (
	actionSync    = "sync"
	actionRefresh = "refresh"
	actionDismiss = "dismiss"
)

const (
	// maxHave is how many jobs a browser may say that it has.
	maxHave = 1000
	// overlapMillis is how far before the newest note that a browser has others may still come: ids are made by many
	// machines, and stored in another order.
	overlapMillis = 60_000
)

// What answers a message that is none of the actions.
var (
	errNoAction      = errors.New(`A message must be a JSON object with a text "action"`) //nolint:staticcheck // it is shown to people
	errUnknownAction = errors.New("This action is not known")                             //nolint:staticcheck // as above
)

// syncAction asks for what is newer than what the browser has.
type syncAction struct {
	have map[string]position
	// since is the newest note that the browser has; after is the id from which notes are sent again. Both are empty in a
	// browser without notes.
	since, after string
}

// position is a place in the history of a job.
type position struct {
	epoch string
	seq   int64
}

// refreshAction brings a new token, or none.
type refreshAction struct{ token string }

// dismissAction deletes a note.
type dismissAction struct{ note string }

// decode returns a syncAction, refreshAction or dismissAction. Its error is a *message.Invalid where an action's fields are
// bad, else errNoAction or errUnknownAction.
func decode(r *Request) (any, error) {
	raw := []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return nil, errNoAction
		}
	}
	var fields map[string]json.RawMessage
	var action *string
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields["action"], &action) != nil || action == nil {
		return nil, errNoAction
	}
	switch *action {
	case actionSync:
		return decodeSync(raw)
	case actionRefresh:
		return decodeRefresh(raw)
	case actionDismiss:
		return decodeDismiss(raw)
	default:
		return nil, errUnknownAction
	}
}

func decodeSync(raw []byte) (any, error) {
	var m struct {
		Action string                     `json:"action"`
		Have   map[string]json.RawMessage `json:"have,omitzero"`
		Since  string                     `json:"since,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err //nolint:wrapcheck // a *message.Invalid
	}
	if len(m.Have) > maxHave {
		return nil, invalid("have", fmt.Sprintf("must name at most %d jobs", maxHave))
	}
	s := syncAction{have: make(map[string]position, len(m.Have))}
	for _, job := range slices.Sorted(maps.Keys(m.Have)) {
		if job == "" || len(job) > message.MaxID {
			return nil, invalid("have", fmt.Sprintf("must name jobs of 1 to %d bytes", message.MaxID))
		}
		at, rule := readPosition(m.Have[job])
		if rule != "" {
			return nil, invalid("have", rule)
		}
		s.have[job] = at
	}
	if m.Since == "" {
		return s, nil
	}
	since, err := ulid.ParseStrict(m.Since)
	if err != nil {
		return nil, invalid("since", ruleNote)
	}
	var after ulid.ULID
	ms := since.Time()
	if err := after.SetTime(ms - min(ms, overlapMillis)); err != nil {
		return nil, invalid("since", ruleNote)
	}
	s.since, s.after = since.String(), after.String()

	return s, nil
}

const ruleNote = "must be the id of a note, a ULID"

// readPosition returns a position, or the rule that it breaks.
func readPosition(raw json.RawMessage) (at position, rule string) {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 { //nolint:mnd // a pair
		return position{}, "must give each job as [epoch, seq]"
	}
	var epoch *string
	if json.Unmarshal(pair[0], &epoch) != nil || epoch == nil {
		return position{}, "must have texts as epochs"
	}
	if *epoch != "" {
		if normal, err := message.NormalizeEpoch(*epoch); err != nil || normal != *epoch {
			return position{}, "must have epochs as they were sent"
		}
	}
	var seq *int64
	if json.Unmarshal(pair[1], &seq) != nil || seq == nil || *seq < 0 {
		return position{}, "must have whole numbers from 0 as seqs"
	}

	return position{epoch: *epoch, seq: *seq}, ""
}

func decodeRefresh(raw []byte) (any, error) {
	var m struct {
		Action string `json:"action"`
		Token  string `json:"token,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err //nolint:wrapcheck // a *message.Invalid
	}

	return refreshAction{token: m.Token}, nil
}

func decodeDismiss(raw []byte) (any, error) {
	var m struct {
		Action string `json:"action"`
		ID     string `json:"id"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err //nolint:wrapcheck // a *message.Invalid
	}
	note, err := ulid.ParseStrict(m.ID)
	if err != nil {
		return nil, invalid("id", ruleNote)
	}

	return dismissAction{note: note.String()}, nil
}

func invalid(field, rule string) *message.Invalid {
	return &message.Invalid{Problems: []message.Problem{{Field: field, Rule: rule}}}
}
