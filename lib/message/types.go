package message

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Type is the type of a frame.
type Type string

// The types that a producer may send.
const (
	TypeUploadProgress Type = "upload_progress"
	TypeJobProgress    Type = "job_progress"
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

	TypeDownloadURL Type = "download_url"
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

// registry describes each type of frame that has data. A new type needs one line here, its name above, and a file of its own with
// its data. Nothing else knows the types one by one: a new type of state or of note is decoded, validated, stored, coalesced, posted
// and synced like the others of its kind. The data of a state also has the methods of [jobState].
var registry = []dataType{
	newDataType[UploadProgress](kindState),
	newDataType[JobProgress](kindState),
	newDataType[Notification](kindNote),
	newDataType[Error](kindNote),
	newDataType[Welcome](kindControl),
	newDataType[Synced](kindControl),
	newDataType[Refreshed](kindControl),
	newDataType[Dismissed](kindControl),
	newDataType[Closing](kindControl),
	newDataType[UploadURL](kindControl),
	newDataType[DownloadURL](kindControl),
	newDataType[Batch](kindControl),
}

// types has the registry's types by their names.
var types = func() map[Type]dataType {
	byName := map[Type]dataType{}
	for _, t := range registry {
		byName[t.name] = t
	}
	return byName
}()

// namesOf returns the names of the types for which include returns true, in the order of the registry, separated by commas.
func namesOf(include func(kind) bool) string {
	var names []string
	for _, t := range registry {
		if include(t.kind) {
			names = append(names, string(t.name))
		}
	}
	return strings.Join(names, ", ")
}

// dataType says what the data of one type is for, and how to decode it.
type dataType struct {
	name Type
	kind kind
	// parse decodes the data of a received frame. It ignores unknown fields.
	parse func(json.RawMessage) (Data, error)
	// decode decodes and validates the data of a producer's message. Its error is an [*Invalid].
	decode func(json.RawMessage) (Data, error)
	// value returns data of this type as a value, and nil for a nil pointer. It returns false for data of another type.
	value func(Data) (Data, bool)
	// zero is data without any field.
	zero Data
}

func newDataType[T Data](k kind) dataType {
	var zero T
	return dataType{
		name: zero.Type(), kind: k, zero: zero,
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
			if k == kindState {
				if err := refuseZeros(raw, "data", positiveFields); err != nil {
					return nil, err
				}
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
	for _, t := range registry {
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
