package session

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// The actions of browsers.
const (
	actionSync    = "sync"
	actionRefresh = "refresh"
	actionDismiss = "dismiss"
)

// The texts of the error frames for messages without a known action.
var (
	errNoAction      = errors.New(`A message must be a JSON object with a text "action"`) //nolint:staticcheck // a sentence for people
	errUnknownAction = errors.New("This action is not known")                             //nolint:staticcheck // a sentence for people
)

// syncAction asks for everything that is newer than what the browser has.
type syncAction struct {
	have map[string]version
	// since is the newest note that the browser has, and first is its value on the first page of the sync. Notes from
	// overlapStart to first are sent again. All three are empty if the browser has no notes.
	since, first, overlapStart string
	// overlap is the digest of the notes that the browser has of these, or empty.
	overlap string
	// cursor is where to continue.
	cursor cursor
	// noWelcome asks for a response without a welcome frame.
	noWelcome bool
}

// version identifies a state of a job.
type version struct {
	epoch string
	seq   int64
}

// refreshAction prolongs the session with a new token, which may be missing.
type refreshAction struct{ token string }

// dismissAction deletes a note.
type dismissAction struct{ note string }

// decode returns a syncAction, refreshAction or dismissAction. The error is a *message.Invalid if a field is invalid, or else
// errNoAction or errUnknownAction.
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
		Action  string                     `json:"action"`
		Have    map[string]json.RawMessage `json:"have,omitzero"`
		Since   string                     `json:"since,omitzero"`
		Cursor  string                     `json:"cursor,omitzero"`
		Overlap string                     `json:"overlap,omitzero"`
		Welcome *bool                      `json:"welcome,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	if len(m.Have) > message.MaxHave {
		return nil, invalid("have", fmt.Sprintf("must name at most %d jobs", message.MaxHave))
	}
	s := syncAction{have: make(map[string]version, len(m.Have)), noWelcome: m.Welcome != nil && !*m.Welcome}
	for _, job := range slices.Sorted(maps.Keys(m.Have)) {
		if !message.ValidID(job, message.MaxID) {
			continue // no job has it, and what the browser once stored must not refuse its syncs for ever
		}
		v, rule := decodeVersion(m.Have[job])
		if rule != "" {
			return nil, invalid("have", rule)
		}
		s.have[job] = v
	}

	var err error
	if s.cursor, err = decodeCursor(m.Cursor); err != nil {
		return nil, invalid("cursor", "must be that of a synced frame")
	}
	if m.Since == "" {
		return s, nil
	}

	since, err := ulid.ParseStrict(m.Since)
	if err != nil {
		return nil, invalid("since", ruleNote)
	}
	s.since, s.overlap = since.String(), m.Overlap
	if first, err := ulid.ParseStrict(s.cursor.Since); err == nil && first.Compare(since) < 0 {
		since = first
	}
	var overlapStart ulid.ULID
	ms := since.Time()
	if err := overlapStart.SetTime(ms - min(ms, uint64(feed.NoteOverlap.Milliseconds()))); err != nil { //nolint:gosec // the constant is positive
		return nil, invalid("since", ruleNote)
	}
	s.first, s.overlapStart = since.String(), overlapStart.String()
	return s, nil
}

const ruleNote = "must be the id of a note, a ULID"

// decodeVersion returns a version, or the rule that it violates.
func decodeVersion(raw json.RawMessage) (v version, rule string) {
	var pair []json.RawMessage
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 {
		return version{}, "must give each job as [epoch, seq]"
	}
	var epoch *string
	if json.Unmarshal(pair[0], &epoch) != nil || epoch == nil {
		return version{}, "must have texts as epochs"
	}
	if *epoch != "" {
		if normal, err := message.NormalizeEpoch(*epoch); err != nil || normal != *epoch {
			return version{}, "must have epochs as they were sent"
		}
	}
	var seq *int64
	if json.Unmarshal(pair[1], &seq) != nil || seq == nil || *seq < 0 {
		return version{}, "must have whole numbers from 0 as seqs"
	}

	return version{epoch: *epoch, seq: *seq}, ""
}

func decodeRefresh(raw []byte) (any, error) {
	var m struct {
		Action string `json:"action"`
		Token  string `json:"token,omitzero"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	return refreshAction{token: m.Token}, nil
}

func decodeDismiss(raw []byte) (any, error) {
	var m struct {
		Action string `json:"action"`
		ID     string `json:"id"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
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
