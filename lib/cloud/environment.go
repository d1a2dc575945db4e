package cloud

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lambdas"
)

// Environment reads the variables of a function, and records those that are missing or invalid.
type Environment struct {
	getenv  func(string) string
	missing []string
	invalid []string
}

// NewEnvironment returns the environment of a function, which is a name in the table of package lambdas. It records those of the
// function's required variables that are missing.
func NewEnvironment(function string, getenv func(string) string) *Environment {
	e := &Environment{getenv: getenv}
	f, _ := lambdas.ByName(function) // The callers use names of the table.
	for _, name := range f.Required {
		e.Required(name)
	}
	return e
}

// Get reads a variable. It returns an empty string if the variable is not set.
func (e *Environment) Get(name string) string { return e.getenv(name) }

// Required reads a variable, and records it as missing if it is not set.
func (e *Environment) Required(name string) string {
	value := e.getenv(name)
	if value == "" {
		e.missing = append(e.missing, name)
	}
	return value
}

// List reads a list that is separated by commas.
func (e *Environment) List(name string) []string {
	var values []string
	for value := range strings.SplitSeq(e.getenv(name), ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// PositiveInt reads a positive integer, and records the variable as invalid if it has another value. It returns 0 if the variable is
// not set.
func (e *Environment) PositiveInt(name string) int {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		e.Invalid(name + " must be a whole number over 0")
	}
	return n
}

// logLevel reads a level of package slog, and records the variable as invalid if it has another value. It returns slog.LevelInfo if
// the variable is not set.
func (e *Environment) logLevel(name string) slog.Level {
	var level slog.Level
	value := e.getenv(name)
	if value == "" {
		return level
	}
	if err := level.UnmarshalText([]byte(value)); err != nil {
		e.Invalid(name + " must be debug, info, warn or error")
	}
	return level
}

// Invalid records a variable as invalid. text names the variable and the rule.
func (e *Environment) Invalid(text string) { e.invalid = append(e.invalid, text) }

// HasInvalid reports whether a variable is recorded as invalid.
func (e *Environment) HasInvalid() bool { return len(e.invalid) > 0 }

// Err returns an error with all variables that are missing. If none is missing, it returns an error with those that are invalid, or
// nil.
func (e *Environment) Err() error {
	if len(e.missing) > 0 {
		return fmt.Errorf("cloud: set %s", strings.Join(e.missing, ", "))
	}
	if len(e.invalid) > 0 {
		return fmt.Errorf("cloud: %s", strings.Join(e.invalid, "; "))
	}
	return nil
}
