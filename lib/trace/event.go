package trace

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Event is an event of an execution's history, as Step Functions logs it. Of its details, it has only what a [Trace] needs.
type Event struct {
	// Execution is the ARN of the execution.
	Execution string
	// ID and PreviousID are the numbers of the event and of the event that caused it, from 1.
	ID, PreviousID int64
	// Type is the event's type, such as TaskStateEntered.
	Type string
	// Time is when the event happened, in milliseconds since 1970.
	Time int64
	// Redrives is how often the execution had been redriven.
	Redrives int64
	// Name is the name of a state. Only events of types such as TaskStateEntered, TaskStateExited and MapIterationStarted have one.
	Name string
	// Length is the number of items in an event MapStateStarted.
	Length int64
	// Input is the input of the execution in an event ExecutionStarted, as JSON text. Step Functions logs it only with execution data.
	Input string
}

// errNotAnEvent means that a log line is not an event of an execution.
var errNotAnEvent = errors.New("trace: the line is not an event of an execution")

// maxStateName is the length of the longest name of a state, in characters.
const maxStateName = 80

// maxTime is the end of the year 9999, in milliseconds since 1970.
const maxTime = 253_402_300_799_999

// number is a whole number. Step Functions logs numbers as texts.
type number int64

// UnmarshalJSON decodes a number or a text with one.
func (n *number) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	*n = number(value)
	return err //nolint:wrapcheck // ParseEvent replaces the error
}

// ParseEvent parses one line of a log of Step Functions. Its error means that the line is not an event, such as the line with which each
// log stream of Step Functions begins.
func ParseEvent(line []byte) (Event, error) {
	var wire struct {
		ID         number `json:"id"`
		PreviousID number `json:"previous_event_id"`
		Type       string `json:"type"`
		Time       number `json:"event_timestamp"`
		Redrives   number `json:"redrive_count"`
		Execution  string `json:"execution_arn"`
		Details    struct {
			Name   string `json:"name"`
			Length number `json:"length"`
			Input  any    `json:"input"`
		} `json:"details"`
	}
	if err := json.Unmarshal(line, &wire); err != nil || wire.ID < 1 || wire.PreviousID < 0 || wire.Time < 1 || wire.Time > maxTime ||
		wire.Type == "" || wire.Execution == "" || wire.Redrives < 0 || wire.Redrives > maxRedrives {
		return Event{}, errNotAnEvent
	}
	e := Event{
		Execution: wire.Execution, ID: int64(wire.ID), PreviousID: int64(wire.PreviousID), Type: wire.Type, Time: int64(wire.Time),
		Redrives: int64(wire.Redrives), Name: wire.Details.Name, Length: min(max(int64(wire.Details.Length), 0), math.MaxInt32),
	}
	if utf8.RuneCountInString(e.Name) > maxStateName {
		e.Name = ""
	}
	e.Input, _ = wire.Details.Input.(string)
	return e, nil
}

func (e Event) entersState() bool { return strings.HasSuffix(e.Type, "StateEntered") }
func (e Event) exitsState() bool  { return strings.HasSuffix(e.Type, "StateExited") }

// isFailure reports whether a task, an iteration or a state failed. The end of an execution is not a failure in this sense.
func (e Event) isFailure() bool {
	if _, ends := terminalEvents[e.Type]; ends {
		return false
	}
	return strings.HasSuffix(e.Type, "Failed") || strings.HasSuffix(e.Type, "TimedOut")
}
