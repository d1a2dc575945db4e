// Package message defines the messages of Herald: frames to browsers and requests to the notifier, with their rules and limits.
package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Subprotocol is the first WebSocket subprotocol that a client offers. The second one is its token.
const Subprotocol = "herald"

// Data is the typed content of a frame: [UploadProgress], [JobProgress], [Notification], [Error], the data of a control frame, or [Unknown]
// in a received frame.
type Data interface {
	// Type returns the frame's type.
	Type() Type
	// Validate returns an [*Invalid] that names every broken rule, or nil.
	Validate() error
}

// Envelope is one frame from the server to a browser.
type Envelope struct {
	Type      Type   `json:"type"`
	Timestamp Time   `json:"timestamp"`
	ID        string `json:"id,omitempty"`
	Job       string `json:"job,omitempty"`
	// Epoch and Seq order the states of a job. A client drops a state whose (Epoch, Seq) is not greater than that of the state
	// it has. A state without Seq was not stored and has no order.
	Epoch string `json:"epoch,omitempty"`
	Seq   int64  `json:"seq,omitempty"`
	// Replayed is true for a state or a note that is sent in answer to a sync.
	Replayed bool `json:"replayed,omitempty"`
	// Trace is the id of the X-Ray trace of the request that made the server send the frame, see [TraceID]. Empty means that there is
	// none. Any other text than an id counts as empty.
	Trace string `json:"trace,omitempty"`
	Data  Data   `json:"data"`
}

// New returns an envelope for data with the timestamp now. The caller encodes it once, so that every connection of a broadcast
// receives the same timestamp. If data is the state of a job, Job is the job's id.
func New(data Data, id string, now time.Time) Envelope {
	e := Envelope{Type: data.Type(), Timestamp: Time{now}, ID: id, Data: data}
	if state, ok := AsUploadProgress(data); ok {
		e.Job = state.UploadID
	}
	return e
}

// Encode returns the frame as compact JSON. It returns a [*TooLarge] if that is over [MaxFrame] bytes.
func (e Envelope) Encode() ([]byte, error) {
	if !ValidTraceID(e.Trace) {
		e.Trace = ""
	}
	var b bytes.Buffer
	if err := encodeJSON(&b, e); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	frame := b.Bytes()
	if len(frame) > MaxFrame {
		return nil, &TooLarge{Size: len(frame), Limit: MaxFrame}
	}
	return frame, nil
}

// CheckSize returns nil if the data of e is small enough to be stored. Such data can be posted, too. Otherwise its error is:
//
//	the frame is over [MaxFrame] bytes                               [*TooLarge]
//	the state of a job is over [MaxState], or a note over [MaxNote]  [*Invalid]
//
// The Invalid names the field data, prefixed by path.
func (e Envelope) CheckSize(path string) error {
	limit, kind := MaxNote, "a note"
	if types[e.Type].kind == kindState {
		limit, kind = MaxState, "the state of a job"
	}
	var data bytes.Buffer
	if err := encodeJSON(&data, e.Data); err != nil {
		return err
	}
	if data.Len() <= limit {
		return nil
	}
	// The frame's size is computed without encoding the data a second time: the frame with null in the place of the data.
	e.Data = nil
	var withNull bytes.Buffer
	if err := encodeJSON(&withNull, e); err != nil {
		return err
	}
	if size := withNull.Len() - len("null") + data.Len(); size > MaxFrame {
		return &TooLarge{Size: size, Limit: MaxFrame}
	}

	return invalid(fieldPath(path, "data"), fmt.Sprintf("must be at most %d bytes of JSON in %s", limit, kind))
}

// Parse decodes a frame for a client. It ignores unknown fields. The data of an unknown type is [Unknown].
func Parse(frame []byte) (Envelope, error) {
	var raw struct {
		Envelope

		Data json.RawMessage `json:"data"` // hides Envelope's Data, whose Go type depends on the frame's type
	}
	if err := json.Unmarshal(frame, &raw); err != nil {
		return Envelope{}, fmt.Errorf("parse frame: %w", err)
	}
	e := raw.Envelope
	if e.Type == "" {
		return Envelope{}, invalid("type", ruleRequired)
	}
	if !ValidTraceID(e.Trace) {
		e.Trace = ""
	}
	t, known := types[e.Type]
	if !known {
		e.Data = Unknown{Name: e.Type, JSON: raw.Data}
		return e, nil
	}
	var err error
	e.Data, err = t.parse(raw.Data)
	return e, err
}

// timeLayout is RFC 3339 in UTC with fixed milliseconds, so that timestamps sort as strings.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a time whose JSON is RFC 3339 in UTC with milliseconds.
type Time struct{ time.Time }

// String returns the time as RFC 3339 in UTC with milliseconds.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalJSON returns the time as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON accepts any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if err := t.Time.UnmarshalJSON(b); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	return nil
}
