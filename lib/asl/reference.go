package asl

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A pathValue is a value that a JSONPath state computes: a reference, an intrinsic function or a constant.
type pathValue interface {
	eval(s *scope) (any, error)
}

// A constant is a value that is written in the definition.
type constant struct{ v any }

func (c constant) eval(*scope) (any, error) { return c.v, nil }

// A root is what the first characters of a reference name.
type root int

const (
	rootInput    root = iota // $
	rootContext              // $$
	rootVariable             // $name
)

// A reference is a path with its root.
type reference struct {
	text     string
	root     root
	variable string
	path     *path
}

// parseReference reads a reference such as $.a, $$.Execution.Id or $name[0].
func parseReference(text string) (*reference, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("%w: %q does not begin with $", errPath, text)
	}

	ref := &reference{text: text}
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		ref.root, rest = rootContext, after
	} else if name := leadingName(rest); name != "" {
		ref.root, ref.variable, rest = rootVariable, name, rest[len(name):]
	}

	parsed, err := parsePath(rest)
	ref.path = parsed
	return ref, err
}

// leadingName returns the name of a variable at the beginning of s.
func leadingName(s string) string {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return s[:i]
		}
	}
	return s
}

// parseValue reads a reference or an intrinsic function.
func parseValue(text string) (pathValue, error) {
	if strings.HasPrefix(text, "States.") {
		return parseIntrinsic(text)
	}
	return parseReference(text)
}

func (r *reference) eval(s *scope) (any, error) {
	v := s.data
	switch r.root {
	case rootContext:
		v = s.contextObject()
	case rootVariable:
		value, ok := s.thread.variables.lookup(r.variable)
		if !ok {
			return nil, &missingError{"The variable '$" + r.variable + "' is not defined"}
		}
		v = value
	case rootInput:
	}

	return r.path.eval(v)
}

// evalField evaluates v for a field of a payload template.
func (s *scope) evalField(v pathValue, text, field string) (any, error) {
	result, err := v.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return nil, runtimef("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			text, field, jsontree.Marshal(s.data))
	}
	return result, err
}

// evalPath evaluates the reference of a field such as InputPath.
func (s *scope) evalPath(r *reference) (any, error) {
	result, err := r.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return nil, runtimef("Invalid path '%s' : %s", r.text, missing.text)
	}
	return result, err
}
