package asl

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A pathValue is a computed value of a JSONPath state: a reference, an intrinsic function or a constant.
type pathValue interface {
	eval(s *stateRun) (any, error)
}

// A constant is a literal argument of an intrinsic function.
type constant struct{ v any }

func (c constant) eval(*stateRun) (any, error) { return c.v, nil }

// A root is the value that a reference starts from.
type root int

const (
	rootInput    root = iota // $: stateRun.pathRoot.
	rootContext              // $$
	rootVariable             // $name
)

// A reference is a root and a path, such as $.a, $$.Execution.Id or $name[0].
type reference struct {
	text     string
	root     root
	variable string // The variable's name without $, for rootVariable.
	path     *path
}

// parseReference parses a reference. The error wraps errPath.
func parseReference(text string) (*reference, error) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "$")
	if !ok {
		return nil, fmt.Errorf("%w: %q does not begin with $", errPath, text)
	}

	ref := &reference{text: text}
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		ref.root, rest = rootContext, after
	} else if name := leadingVariableName(rest); name != "" {
		ref.root, ref.variable, rest = rootVariable, name, rest[len(name):]
	}

	parsed, err := parsePath(rest)
	ref.path = parsed
	return ref, err
}

// leadingVariableName returns the variable name at the beginning of s, or "" if there is none: letters, underscores and, after the
// first character, digits.
func leadingVariableName(s string) string {
	for i, r := range s {
		isDigit := i > 0 && unicode.IsDigit(r)
		if r != '_' && !unicode.IsLetter(r) && !isDigit {
			return s[:i]
		}
	}
	return s
}

// parseValue parses a reference or an intrinsic function.
func parseValue(text string) (pathValue, error) {
	if strings.HasPrefix(text, "States.") {
		return parseIntrinsic(text)
	}
	return parseReference(text)
}

// eval returns the value that the reference selects. As in Step Functions, an index past the end of an array selects null. The error is a
// *missingError if the reference selects nothing.
func (r *reference) eval(s *stateRun) (any, error) {
	v, err := r.find(s)
	var missing *missingError
	if errors.As(err, &missing) && missing.isPastEnd {
		return nil, nil
	}
	return v, err
}

// find does what eval does, but an index past the end of an array selects nothing.
func (r *reference) find(s *stateRun) (any, error) {
	v := s.pathRoot // For rootInput.
	switch r.root {
	case rootContext:
		v = s.contextObject()
	case rootVariable:
		value, ok := s.thread.variables.lookup(r.variable)
		if !ok {
			return nil, &missingError{text: "The variable '$" + r.variable + "' is not defined"}
		}
		v = value
	case rootInput:
	}

	return r.path.eval(v)
}

// evalField evaluates v, the value of a field of a payload template. text is v's text in the definition, field the field's name.
func (s *stateRun) evalField(v pathValue, text, field string) (any, error) {
	result, err := v.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return nil, runtimeFailuref("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			text, field, jsontree.Marshal(s.pathRoot))
	}
	return result, err
}

// evalPath evaluates the reference in a field such as InputPath.
func (s *stateRun) evalPath(r *reference) (any, error) {
	result, err := r.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return nil, runtimeFailuref("Invalid path '%s' : %s", r.text, missing.text)
	}
	return result, err
}
