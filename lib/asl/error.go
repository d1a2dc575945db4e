package asl

import "strings"

// Error is an error of a state or an execution, as the States Language defines it.
type Error struct {
	// Name is the name that ErrorEquals matches, such as States.TaskFailed.
	Name string
	// Cause is the human-readable reason.
	Cause string
	// Fatal is set if neither Retry nor Catch handles the error. Only implementations of Tasks set it.
	Fatal bool
}

// Error returns the name and the cause.
func (e *Error) Error() string {
	if e.Cause == "" {
		return "asl: " + e.Name
	}
	return "asl: " + e.Name + ": " + e.Cause
}

// Problem is one reason why a definition is rejected.
type Problem struct {
	// Code is a code of ValidateStateMachineDefinition, such as SCHEMA_VALIDATION_FAILED.
	Code string
	// Path is the place in the definition, such as /States/Wait/Seconds. It is empty if the problem concerns the whole text.
	Path string
	// Rule is the rule that the definition breaks.
	Rule string
}

// DefinitionError is the error of Parse.
type DefinitionError struct {
	// Problems lists every problem found; it is never empty.
	Problems []Problem
}

// Error returns the message of CreateStateMachine's InvalidDefinition exception.
func (e *DefinitionError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		at := p.Path
		if at == "" {
			at = "null" // As on AWS.
		}
		texts[i] = p.Code + ": " + p.Rule + " at " + at
	}
	return "Invalid State Machine Definition: '" + strings.Join(texts, ", ") + "'"
}
