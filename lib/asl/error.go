package asl

import "strings"

// Error is a failure as the States Language names it.
type Error struct {
	// Name is the error's name, such as States.TaskFailed; ErrorEquals matches it.
	Name string
	// Cause is the human-readable reason.
	Cause string
}

// Error returns the name and the cause.
func (e *Error) Error() string {
	if e.Cause == "" {
		return "asl: " + e.Name
	}
	return "asl: " + e.Name + ": " + e.Cause
}

// Problem is one reason to refuse a definition.
type Problem struct {
	// Code is the problem's class: one of those of ValidateStateMachineDefinition, or UNSUPPORTED for what the service runs
	// and this package does not.
	Code string
	// Path says where, as the service does: /States/Wait/Seconds. It is empty for the text as a whole.
	Path string
	// Rule says what is wrong.
	Rule string
}

// DefinitionError is the error of Parse. It lists every problem found.
type DefinitionError struct {
	Problems []Problem
}

// Error returns the problems as CreateStateMachine does in its InvalidDefinition exception.
func (e *DefinitionError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Code + ": " + p.Rule
		if p.Path != "" {
			texts[i] += " at " + p.Path
		}
	}
	return "Invalid State Machine Definition: '" + strings.Join(texts, ", ") + "'"
}
