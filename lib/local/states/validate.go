package states

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// The limits of a name of an execution or a state machine in characters, and of an input in bytes.
const (
	maxName           = 80
	maxExecutionInput = 262_144
)

// execution returns the execution with the given ARN.
func (s *StepFunctions) execution(arn string) (*execution, error) {
	if err := validateARN(arn, "execution"); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.executions[arn]
	if !ok {
		return nil, awswire.NewError("ExecutionDoesNotExist", "Execution Does Not Exist: '"+arn+"'")
	}
	return x, nil
}

// validateARN returns InvalidArn unless arn is an ARN of Step Functions for the given kind of resource.
func validateARN(arn, kind string) error {
	const (
		fields = 7 // arn:partition:states:region:account:kind:name
		kindAt = 5
	)
	parts := strings.SplitN(arn, ":", fields)
	switch {
	case len(parts) < fields || parts[0] != "arn" || parts[2] != "states" || parts[fields-1] == "":
		return awswire.NewError("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: "+arn+"'")
	case parts[kindAt] != kind:
		return awswire.NewError("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: "+parts[kindAt]+"'")
	default:
		return nil
	}
}

// validateStart checks the name and the input of a new execution.
func validateStart(name, input string) error {
	if !validName(name) {
		return awswire.NewError("InvalidName", "Invalid Name: '"+name+"'")
	}
	if len(input) > maxExecutionInput {
		return awswire.NewError("ValidationException",
			"1 validation error detected: Value at 'input' failed to satisfy constraint: "+
				"Member must have length less than or equal to 262144")
	}
	if !utf8.ValidString(input) || !json.Valid([]byte(input)) {
		return awswire.NewError("InvalidExecutionInput", "Invalid State Machine Execution Input: 'not JSON'")
	}
	return nil
}

// validName reports whether name is a valid name of an execution or a state machine: 1 to 80 characters without white space, control characters,
// brackets, wildcards and the special characters that the references of StartExecution and CreateStateMachine list.
func validName(name string) bool {
	return utf8.ValidString(name) && name != "" && utf8.RuneCountInString(name) <= maxName &&
		!strings.ContainsAny(name, "<>{}[]?*\"#%\\^|~`$&,;:/") &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}
