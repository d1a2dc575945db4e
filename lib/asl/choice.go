package asl

import (
	"errors"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A rule is a condition of a Choice state.
type rule interface {
	holds(s *scope, field string) (bool, error)
}

type allRules []rule

func (r allRules) holds(s *scope, field string) (bool, error) {
	for _, part := range r {
		if ok, err := part.holds(s, field); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

type anyRule []rule

func (r anyRule) holds(s *scope, field string) (bool, error) {
	for _, part := range r {
		if ok, err := part.holds(s, field); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

type notRule struct{ rule }

func (r notRule) holds(s *scope, field string) (bool, error) {
	ok, err := r.rule.holds(s, field)
	return !ok, err
}

// queryRule is a Condition in JSONata.
type queryRule struct{ condition template }

func (r queryRule) holds(s *scope, field string) (bool, error) {
	v, err := r.condition.eval(s, field)
	if err != nil {
		return false, err
	}

	ok, isBoolean := v.(bool)
	if !isBoolean {
		return false, mismatch(r.condition, field, "boolean", v)
	}
	return ok, nil
}

// dataTest is a comparison of a variable in JSONPath.
type dataTest struct {
	variable *reference
	operator string // Without the suffix Path.
	value    any
	path     *reference // Where the value is, for the operators with that suffix.
}

func (r dataTest) holds(s *scope, _ string) (bool, error) {
	v, err := r.variable.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		if r.operator == "IsPresent" {
			return r.value == false, nil
		}
		return false, runtimef("Invalid path '%s': The choice state's condition path references an invalid value.", r.variable.text)
	}
	if err != nil {
		return false, err
	}

	expected := r.value
	if r.path != nil {
		if expected, err = s.evalPath(r.path); err != nil {
			return false, err
		}
	}
	return r.compare(v, expected), nil
}

func (r dataTest) compare(v, expected any) bool {
	if kind, ok := strings.CutPrefix(r.operator, "Is"); ok {
		return isKind(kind, v) == (expected == true)
	}
	if r.operator == "BooleanEquals" {
		a, ok := v.(bool)
		return ok && a == expected
	}

	text, isText := v.(string)
	other, otherText := expected.(string)
	if r.operator == "StringMatches" {
		return isText && otherText && matchPattern(other, text)
	}

	for kind, compare := range map[string]func() (int, bool){
		"String":    func() (int, bool) { return strings.Compare(text, other), isText && otherText },
		"Numeric":   func() (int, bool) { return compareNumeric(v, expected) },
		"Timestamp": func() (int, bool) { return compareTimes(text, other) },
	} {
		if relation, ok := strings.CutPrefix(r.operator, kind); ok {
			order, ok := compare()
			return ok && inOrder(relations[relation], order)
		}
	}

	return false
}

// relations gives the operator that the end of a comparison's name means.
var relations = map[string]string{
	"Equals": "==", "LessThan": "<", "LessThanEquals": "<=", "GreaterThan": ">", "GreaterThanEquals": ">=",
}

func isKind(kind string, v any) bool {
	switch kind {
	case "Present":
		return true
	case "Null":
		return v == nil
	case "Numeric":
		return typeOf(v) == typeNumber
	case "Timestamp":
		text, ok := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		return ok && err == nil
	default:
		return typeOf(v) == strings.ToLower(kind)
	}
}

func compareNumeric(a, b any) (int, bool) {
	order := jsontree.CompareNumbers(a, b)
	return order, order != jsontree.Uncomparable
}

func compareTimes(a, b string) (int, bool) {
	x, errX := parseTimestamp(a)
	y, errY := parseTimestamp(b)
	return x.Compare(y), errX == nil && errY == nil
}

// matchPattern reports whether text matches a pattern in which * stands for any characters and a backslash protects a *
// or a backslash.
func matchPattern(pattern, text string) bool {
	var literals []string
	literal := ""
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '*':
			literals = append(literals, literal)
			literal = ""
		case pattern[i] == '\\' && i+1 < len(pattern) && strings.IndexByte(`*\`, pattern[i+1]) >= 0:
			i++
			literal += pattern[i : i+1]
		default:
			literal += pattern[i : i+1]
		}
	}

	if literals == nil {
		return text == literal
	}

	rest, ok := strings.CutPrefix(text, literals[0])
	if !ok {
		return false
	}

	for _, middle := range literals[1:] {
		_, after, found := strings.Cut(rest, middle)
		if !found {
			return false
		}
		rest = after
	}

	return strings.HasSuffix(rest, literal)
}
