package asl

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Details holds the details of an event. A history has many events that somebody reads rarely, so that Map makes the form of the API only
// when it is called.
type Details struct {
	form   detailsForm
	name   string // The name of the object, such as lambdaFunctionScheduledEventDetails; or that of the state.
	text   string // The state's input or output.
	fields object // Of formObject.
}

// A detailsForm says what details hold.
type detailsForm uint8

const (
	formObject  detailsForm = iota // fields
	formEntered                    // The name and the input of a state.
	formExited                     // The name and the output of a state.
)

// NewDetails returns details of the fields of one object: name is its field in the API, such as executionFailedEventDetails.
func NewDetails(name string, fields map[string]any) *Details {
	return &Details{name: name, fields: fields}
}

// Map returns the details under their field name in the API, such as stateEnteredEventDetails. It returns nil if d is nil. Events share
// parts of their details, so they must not be changed.
func (d *Details) Map() map[string]any {
	switch {
	case d == nil:
		return nil
	case d.form == formEntered:
		return object{"stateEnteredEventDetails": object{"name": d.name, "input": d.text, "inputDetails": notTruncated}}
	case d.form == formExited:
		return object{"stateExitedEventDetails": object{"name": d.name, "output": d.text, "outputDetails": notTruncated}}
	default:
		return object{d.name: d.fields}
	}
}

// Size returns about how many bytes the texts of the details have. It is 0 if d is nil.
func (d *Details) Size() int {
	if d == nil {
		return 0
	}
	size := len(d.name) + len(d.text)
	for name, value := range d.fields {
		size += len(name)
		if text, ok := value.(string); ok {
			size += len(text)
		}
	}
	return size
}

// MarshalJSON returns the JSON text of Map.
func (d *Details) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(d.Map())
	if err != nil {
		return nil, fmt.Errorf("encode the details of an event: %w", err)
	}
	return text, nil
}

// UnmarshalJSON reads what MarshalJSON has written.
func (d *Details) UnmarshalJSON(text []byte) error {
	var all map[string]map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("decode the details of an event: %w", err)
	}
	if len(all) != 1 {
		return errors.New("asl: the details of an event must be one object")
	}
	for name, fields := range all {
		*d = Details{name: name, fields: fields}
	}
	return nil
}

// notTruncated is the object that the API adds to each text of an event, such as inputDetails to input. It says that the text is
// complete. All events share it.
var notTruncated = object{"truncated": false}
