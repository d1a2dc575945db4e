// Package message is Herald's vocabulary: the frames that a browser receives, their validation, their limits.
package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Subprotocol is the WebSocket subprotocol that a client offers. The one that it offers next is its token.
const Subprotocol = "herald"

// Type names what a frame's data is.
type Type string

// The types that a producer may send.
const (
	TypeUploadProgress Type = "upload_progress"
	TypeNotification   Type = "notification"
	TypeError          Type = "error"
)

// The types of control frames, which the server makes itself. The data of a pong is empty.
const (
	TypePong      Type = "pong"
	TypeWelcome   Type = "welcome"
	TypeSynced    Type = "synced"
	TypeRefreshed Type = "refreshed"
	TypeDismissed Type = "dismissed"
	TypeClosing   Type = "closing"
)

// Data is the typed content of a frame: [UploadProgress], [Notification], [Error], a control frame's data, or [Unknown] on
// the reading side.
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
	// Epoch and Seq order the states of a job: a frame that is not newer by both is dropped. Without Seq the state was not
	// stored, and has no place in the order.
	Epoch string `json:"epoch,omitempty"`
	Seq   int64  `json:"seq,omitempty"`
	// Replayed says that a state or a note is sent again, in answer to a sync.
	Replayed bool `json:"replayed,omitempty"`
	Data     Data `json:"data"`
}

// New returns the envelope of data: stamped once with now, so that every connection of a broadcast sees the same time.
// The job is the upload's id where data is [UploadProgress].
func New(data Data, id string, now time.Time) Envelope {
	e := Envelope{Type: data.Type(), Timestamp: Time{now}, ID: id, Data: data}
	if p, ok := data.(interface{ job() string }); ok { // a pointer is Data, too
		e.Job = p.job()
	}

	return e
}

// Encode returns the frame as compact JSON text. It returns a [*TooLarge] where the text is over [MaxFrame] bytes.
func (e Envelope) Encode() ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, e); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	frame := b.Bytes()
	if len(frame) > MaxFrame {
		return nil, &TooLarge{Size: len(frame), Limit: MaxFrame}
	}

	return frame, nil
}

// Parse reads a frame as a client does: unknown fields are passed over, an unknown type yields [Unknown].
func Parse(frame []byte) (Envelope, error) {
	var raw struct {
		Envelope

		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(frame, &raw); err != nil {
		return Envelope{}, fmt.Errorf("parse frame: %w", err)
	}
	e := raw.Envelope
	if e.Type == "" {
		return Envelope{}, invalid("type", ruleRequired)
	}
	var err error
	switch e.Type {
	case TypeUploadProgress:
		e.Data, err = lenient[UploadProgress](raw.Data)
	case TypeNotification:
		e.Data, err = lenient[Notification](raw.Data)
	case TypeError:
		e.Data, err = lenient[Error](raw.Data)
	case TypeWelcome:
		e.Data, err = lenient[Welcome](raw.Data)
	case TypeSynced:
		e.Data, err = lenient[Synced](raw.Data)
	case TypeRefreshed:
		e.Data, err = lenient[Refreshed](raw.Data)
	case TypeDismissed:
		e.Data, err = lenient[Dismissed](raw.Data)
	case TypeClosing:
		e.Data, err = lenient[Closing](raw.Data)
	default:
		e.Data = Unknown{Name: e.Type, JSON: raw.Data}
	}

	return e, err
}

func lenient[T Data](raw json.RawMessage) (Data, error) {
	var data T
	if err := json.Unmarshal(raw, &data); err != nil {
		return nil, fmt.Errorf("parse data: %w", err)
	}

	return data, nil
}

// timeLayout is RFC 3339 in UTC with fixed milliseconds, so that timestamps sort as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment as the wire shows it: RFC 3339, UTC, milliseconds.
type Time struct{ time.Time } //nolint:recvcheck // it is a value; only decoding needs a pointer

// String returns the time as RFC 3339 in UTC with milliseconds.
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalJSON returns the time as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if err := t.Time.UnmarshalJSON(b); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}

	return nil
}
