package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// StepStatus is the status of a [Step].
type StepStatus string

// The statuses of a step. An empty status means running.
const (
	StepRunning   StepStatus = "running"
	StepSucceeded StepStatus = "succeeded"
	StepFailed    StepStatus = "failed"
)

// Step is something that a job went through, such as a state of its workflow.
type Step struct {
	// Name names the step. A step that is done several times may be listed several times.
	Name string `json:"name"`
	// At is when the step began.
	At     Time       `json:"at,omitzero"`
	Status StepStatus `json:"status,omitzero"`
	// Title names the step for the user. If it is missing, Name does.
	Title string `json:"title,omitzero"`
}

// Steps is a list of steps as compact JSON, so that states can be compared with ==. Make it by [NewSteps]. Empty means that there are no
// steps.
type Steps string

// NewSteps returns the steps as Steps. It does not validate them.
func NewSteps(steps ...Step) Steps {
	if len(steps) == 0 {
		return ""
	}
	var text bytes.Buffer
	if err := encodeJSON(&text, steps); err != nil {
		panic(err) // Cannot happen: strings and times can be encoded.
	}
	return Steps(text.String())
}

// List returns the steps. It ignores fields that it does not know. It returns nil if s is not a list of steps.
func (s Steps) List() []Step {
	var steps []Step
	if err := json.Unmarshal([]byte(s), &steps); err != nil {
		return nil
	}
	return steps
}

// Valid reports whether s is empty or a list of at most [MaxListedSteps] valid steps.
func (s Steps) Valid() bool {
	var v validator
	v.requireSteps(s)
	return len(v.problems) == 0
}

// MarshalJSON returns the list.
func (s Steps) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("[]"), nil
	}
	return []byte(s), nil
}

// UnmarshalJSON accepts any JSON value. [UploadProgress.Validate] reports a value that is not a list of steps. Fields of a newer version
// stay, so that they reach clients that know them.
func (s *Steps) UnmarshalJSON(text []byte) error {
	if steps, err := decodeSteps(text); err == nil {
		*s = NewSteps(steps...)
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return fmt.Errorf("steps: %w", err)
	}
	*s = Steps(compact.String())
	return nil
}

// newest returns as many of the newest steps as take at most limit bytes.
func (s Steps) newest(limit int) Steps {
	if len(s) <= limit {
		return s
	}
	steps := s.List()
	for len(steps) > 0 && len(NewSteps(steps...)) > limit {
		steps = steps[1:]
	}
	return NewSteps(steps...)
}

// WithSteps returns p with as many of the newest of these steps as fit [MaxState].
func (p UploadProgress) WithSteps(steps Steps) UploadProgress {
	p.Steps = ""
	if steps == "" {
		return p
	}
	p.Steps = steps.newest(MaxState - p.size() - len(`,"steps":`))
	return p
}

// requireSteps requires at most MaxListedSteps valid steps.
func (v *validator) requireSteps(s Steps) {
	if s == "" {
		return
	}
	var bad *Invalid
	if _, err := decodeSteps([]byte(s)); errors.As(err, &bad) {
		for _, p := range bad.Problems {
			v.require(p.Field, false, p.Rule)
		}
	}
}

var (
	ruleListedSteps = fmt.Sprintf("must be at most %d steps", MaxListedSteps)
	ruleStepAt      = "must be an RFC 3339 time, such as 2026-11-22T10:00:00.123Z"
)

// decodeSteps decodes and validates the JSON of steps. Its error is an [*Invalid].
func decodeSteps(text []byte) ([]Step, error) {
	var values []json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, invalid("steps", "must be an array")
	}
	if len(values) > MaxListedSteps {
		return nil, invalid("steps", ruleListedSteps)
	}
	steps := make([]Step, 0, len(values))
	for i, value := range values {
		step, err := decodeStep(value, fmt.Sprintf("steps[%d]", i))
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// decodeStep decodes and validates the JSON of a step. The fields in its error, an [*Invalid], begin with path.
func decodeStep(value []byte, path string) (Step, error) {
	var fields struct {
		Name   string     `json:"name"`
		At     string     `json:"at,omitzero"`
		Status StepStatus `json:"status,omitzero"`
		Title  string     `json:"title,omitzero"`
	}
	if err := DecodeObject(value, path, &fields); err != nil {
		return Step{}, err
	}
	v := validator{path: path + "."}
	v.requireName("name", fields.Name, MaxStepName)
	if fields.Title != "" {
		v.requireName("title", fields.Title, MaxStepName)
	}
	v.requireOneOf("status", string(fields.Status), "", string(StepRunning), string(StepSucceeded), string(StepFailed))
	step := Step{Name: fields.Name, Status: fields.Status, Title: fields.Title}
	if fields.At != "" {
		at, err := time.Parse(time.RFC3339Nano, fields.At)
		at = at.UTC().Truncate(time.Millisecond)
		v.require("at", err == nil && hasFourDigitYear(at), ruleStepAt)
		step.At = Time{at}
	}
	return step, v.err()
}
