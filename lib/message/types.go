package message

import (
	"encoding/json"
	"fmt"
)

// Type is the type of a frame.
type Type string

// The types that a producer may send.
const (
	TypeUploadProgress Type = "upload_progress"
	TypeNotification   Type = "notification"
	TypeError          Type = "error"
)

// The types of control frames, which only the server makes. A pong has no data.
const (
	TypePong      Type = "pong"
	TypeWelcome   Type = "welcome"
	TypeSynced    Type = "synced"
	TypeRefreshed Type = "refreshed"
	TypeDismissed Type = "dismissed"
	TypeClosing   Type = "closing"
	TypeUploadURL Type = "upload_url"
	TypeBatch     Type = "batch"
)

// kind is who may send a type, and how it is stored.
type kind int

const (
	// kindControl is for frames that come from the server only. They are not stored.
	kindControl kind = iota
	// kindState is the state of a job, which replaces the one before.
	kindState
	// kindNote is a message that is stored in addition to earlier notes, until it is dismissed or expires.
	kindNote
)

// types describes each type of frame that has data. A new type needs one line here, its name above, and a file of its own with
// its data. A new type of note needs nothing else: it is decoded, validated, stored, posted and shown like other notes.
var types = map[Type]dataType{
	TypeUploadProgress: newDataType[UploadProgress](kindState),
	TypeNotification:   newDataType[Notification](kindNote),
	TypeError:          newDataType[Error](kindNote),
	TypeWelcome:        newDataType[Welcome](kindControl),
	TypeSynced:         newDataType[Synced](kindControl),
	TypeRefreshed:      newDataType[Refreshed](kindControl),
	TypeDismissed:      newDataType[Dismissed](kindControl),
	TypeClosing:        newDataType[Closing](kindControl),
	TypeUploadURL:      newDataType[UploadURL](kindControl),
	TypeBatch:          newDataType[Batch](kindControl),
}

// dataType says what the data of one type is for, and how to decode it.
type dataType struct {
	kind kind
	// parse decodes the data of a received frame. It ignores unknown fields.
	parse func(json.RawMessage) (Data, error)
	// decode decodes and validates the data of a producer's message. Its error is an [*Invalid].
	decode func(json.RawMessage) (Data, error)
	// value returns data of this type as a value, and nil for a nil pointer. It returns false for data of another type.
	value func(Data) (Data, bool)
}

func newDataType[T Data](k kind) dataType {
	return dataType{
		kind: k,
		parse: func(raw json.RawMessage) (Data, error) {
			var data T
			if err := json.Unmarshal(raw, &data); err != nil {
				return nil, fmt.Errorf("parse data: %w", err)
			}
			return data, nil
		},
		decode: func(raw json.RawMessage) (Data, error) {
			var data T
			if err := DecodeObject(raw, "data", &data); err != nil {
				return nil, err
			}
			if err := data.Validate(); err != nil {
				return nil, err
			}
			return data, nil
		},
		value: func(data Data) (Data, bool) {
			switch data := any(data).(type) {
			case T:
				return data, true
			case *T:
				if data == nil {
					return nil, true
				}
				return *data, true
			default:
				return nil, false
			}
		},
	}
}

// producerValue returns the message of a producer as a value, not a pointer. It returns nil and true for a nil pointer. It
// returns data unchanged and false if no producer may send data of this type.
func producerValue(data Data) (Data, bool) {
	for _, t := range types {
		if value, ok := t.value(data); ok && t.kind != kindControl {
			return value, true
		}
	}
	return data, false
}

// IsNote reports whether data is a note: a message that is stored until it is dismissed or expires.
func IsNote(data Data) bool {
	if data == nil {
		return false
	}
	t := types[data.Type()]
	return t.kind == kindNote
}
