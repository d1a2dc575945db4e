package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of the watched state machines.
const (
	// MaxMachines is how many state machines a function may watch.
	MaxMachines = 20
	// maxPath is the length of the longest path, in bytes.
	maxPath = 200
)

// Machine is a state machine that is watched, and where its executions' inputs have what the job needs. Its JSON is an item of the variable
// with the watched state machines.
type Machine struct {
	// ARN is the ARN of the state machine, without a version or an alias.
	ARN string `json:"arn"`
	// User is the path of the id of the user who sees the job, such as $.detail.userId.
	User string `json:"user"`
	// Job is the path of the id of the job. Empty means the name of the execution.
	Job string `json:"job,omitzero"`
	// Title is the path of the title of the job. Empty means the name of the state machine, which is also used if the input
	// has no title.
	Title string `json:"title,omitzero"`
}

// ErrMachines means that a list of state machines is invalid.
var ErrMachines = errors.New("observe: invalid state machine")

// Validate returns an error that wraps [ErrMachines] and names the field and the rule, or nil.
func (m Machine) Validate() error {
	fields := strings.Split(m.ARN, ":")
	const length, kind = 7, 5
	if len(fields) != length || fields[0] != "arn" || fields[2] != "states" || fields[kind] != "stateMachine" || fields[length-1] == "" {
		return fmt.Errorf("%w: arn: %q is not the ARN of a state machine without a version or an alias", ErrMachines, m.ARN)
	}
	return m.ValidatePaths()
}

// ValidatePaths does what Validate does, but for the paths only. The ARN of a state machine may not be known yet.
func (m Machine) ValidatePaths() error {
	for _, p := range []struct {
		name, path string
		required   bool
	}{{"user", m.User, true}, {"job", m.Job, false}, {"title", m.Title, false}} {
		if p.path == "" && !p.required {
			continue
		}
		if _, err := parsePath(p.path); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrMachines, p.name, err)
		}
	}
	return nil
}

// ParseMachines parses a JSON list of state machines. An error wraps [ErrMachines].
func ParseMachines(list string) ([]Machine, error) {
	var machines []Machine
	d := json.NewDecoder(strings.NewReader(list))
	d.DisallowUnknownFields()
	if err := d.Decode(&machines); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMachines, err)
	}
	if len(machines) > MaxMachines {
		return nil, fmt.Errorf("%w: there are %d, at most %d may be watched", ErrMachines, len(machines), MaxMachines)
	}
	seen := map[string]bool{}
	for _, m := range machines {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		if seen[m.ARN] {
			return nil, fmt.Errorf("%w: arn: %q is listed twice", ErrMachines, m.ARN)
		}
		seen[m.ARN] = true
	}
	return machines, nil
}

// StateMachineOf returns the ARN of the state machine of an execution, or an empty text for any other text. If the execution
// is a child of a Distributed Map, the result has a label, so it is the ARN of no state machine.
func StateMachineOf(execution string) string {
	const kind = 5
	fields := strings.Split(execution, ":")
	if len(fields) < kind+2 {
		return ""
	}
	fields[kind] = "stateMachine"
	return strings.Join(fields[:kind+2], ":")
}

// nameOf returns the last part of an ARN.
func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// executionName returns the name of an execution. After that of an Express workflow comes an id.
func executionName(arn string, express bool) string {
	fields := strings.Split(arn, ":")
	if last := len(fields) - 1; express && last > 7 {
		return fields[last-1]
	}
	return fields[len(fields)-1]
}

// errPath is the rule of a path.
var errPath = errors.New("must be a path of names and indexes such as $.detail.items[0].id or $['user id']")

// parsePath parses a path into names (string) and indexes (int).
func parsePath(path string) ([]any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok || rest == "" || len(path) > maxPath {
		return nil, errPath
	}
	var steps []any
	for rest != "" {
		var step any
		if step, rest, ok = nextStep(rest); !ok {
			return nil, errPath
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// nextStep returns the first step of a path, and the path after it.
func nextStep(path string) (step any, rest string, ok bool) {
	if name, after := strings.CutPrefix(path, "['"); after {
		name, rest, ok = strings.Cut(name, "']")
		return name, rest, ok && name != ""
	}
	if digits, after := strings.CutPrefix(path, "["); after {
		digits, rest, ok = strings.Cut(digits, "]")
		index, err := strconv.ParseUint(digits, 10, 31)
		return int(index), rest, ok && err == nil
	}
	name, ok := strings.CutPrefix(path, ".")
	if end := strings.IndexAny(name, ".["); end >= 0 {
		name, rest = name[:end], name[end:]
	}
	return name, rest, ok && name != "" && !strings.ContainsAny(name, "*?@$'\"]() ,")
}

// lookUp returns the text or the number at a path of a JSON value, as text. It returns false if there is neither.
func lookUp(value any, path string) (string, bool) {
	steps, err := parsePath(path)
	if err != nil {
		return "", false
	}
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return "", false
			}
			value = list[step]
		}
	}
	switch value := value.(type) {
	case string:
		return value, value != ""
	case json.Number:
		return value.String(), true
	}
	return "", false
}
