package asl

import (
	"errors"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A rule is the condition of one item of a Choice state's Choices.
type rule interface {
	// matches reports whether the condition is true in a run of the state. field names the condition in error texts.
	matches(s *stateRun, field string) (bool, error)
	// String returns the condition for people.
	String() string
}

type andRule []rule

func (r andRule) matches(s *stateRun, field string) (bool, error) {
	for _, part := range r {
		if ok, err := part.matches(s, field); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

type orRule []rule

func (r orRule) matches(s *stateRun, field string) (bool, error) {
	for _, part := range r {
		if ok, err := part.matches(s, field); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

type notRule struct{ rule }

func (r notRule) matches(s *stateRun, field string) (bool, error) {
	ok, err := r.rule.matches(s, field)
	return !ok, err
}

// A jsonataRule is a Condition in JSONata.
type jsonataRule struct{ condition template }

func (r jsonataRule) matches(s *stateRun, field string) (bool, error) {
	v, err := r.condition.eval(s, field)
	if err != nil {
		return false, err
	}

	ok, isBoolean := v.(bool)
	if !isBoolean {
		return false, typeMismatch(r.condition, field, "boolean", v)
	}
	return ok, nil
}

// A dataTest compares a variable with a value, in JSONPath (States Language, "Data-test expression").
type dataTest struct {
	variable *reference
	operator string     // Without the suffix Path.
	value    any        // Set if the operator has no suffix Path.
	path     *reference // The path of the value, if the operator has the suffix Path.
}

func (r dataTest) matches(s *stateRun, _ string) (bool, error) {
	v, err := r.variable.find(s)
	var missing *missingError
	if errors.As(err, &missing) {
		if r.operator == "IsPresent" { // A missing variable matches "IsPresent": false, and not "IsPresent": true.
			return r.value == false, nil
		}
		return false, runtimeFailuref("Invalid path '%s': The choice state's condition path references an invalid value.", r.variable.text)
	}
	if err != nil {
		return false, err
	}

	want := r.value
	if r.path != nil {
		if want, err = s.evalPath(r.path); err != nil {
			return false, err
		}
	}
	return r.compare(v, want), nil
}

// compare reports whether the variable's value v passes the test against the value want.
func (r dataTest) compare(v, want any) bool {
	if kind, ok := strings.CutPrefix(r.operator, "Is"); ok {
		return isOfType(kind, v) == (want == true) // "IsString": false matches every value that is not a string.
	}
	if r.operator == "BooleanEquals" {
		a, ok := v.(bool)
		return ok && a == want
	}

	s, isString := v.(string)
	wantString, wantIsString := want.(string)
	if r.operator == "StringMatches" {
		return isString && wantIsString && matchPattern(wantString, s)
	}

	kind, relation := splitComparison(r.operator)
	var (
		order int
		ok    bool
	)
	switch kind {
	case "String":
		order, ok = strings.Compare(s, wantString), isString && wantIsString
	case "Numeric":
		order, ok = compareNumeric(v, want)
	case "Timestamp":
		order, ok = compareTimes(s, wantString)
	}
	return ok && satisfies(relationOperators[relation], order)
}

// splitComparison splits the name of a comparison, such as NumericLessThan, into the type and the relation.
func splitComparison(name string) (kind, relation string) {
	for _, kind := range []string{"String", "Numeric", "Timestamp"} {
		if relation, ok := strings.CutPrefix(name, kind); ok {
			return kind, relation
		}
	}
	return "", ""
}

// relationOperators maps the last part of a comparison's name, as in NumericLessThan, to its operator.
var relationOperators = map[string]string{
	"Equals": "==", "LessThan": "<", "LessThanEquals": "<=", "GreaterThan": ">", "GreaterThanEquals": ">=",
}

// isOfType reports whether v passes a test such as IsTimestamp. kind is the test's name without Is.
func isOfType(kind string, v any) bool {
	switch kind {
	case "Present":
		return true // A missing variable does not get here: see matches.
	case "Null":
		return v == nil
	case "Numeric":
		return typeOf(v) == typeNumber
	case "Timestamp":
		text, ok := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		return ok && err == nil
	default: // String or Boolean.
		return typeOf(v) == strings.ToLower(kind)
	}
}

// compareNumeric compares two numbers. ok is false if a or b is not a number.
func compareNumeric(a, b any) (order int, ok bool) {
	order = jsontree.CompareNumbers(a, b)
	return order, order != jsontree.Uncomparable
}

// compareTimes compares two timestamps. ok is false if a or b is not a timestamp.
func compareTimes(a, b string) (order int, ok bool) {
	x, okX := parseTimestamp(a)
	y, okY := parseTimestamp(b)
	return x.Compare(y), okX && okY
}

// matchPattern reports whether text matches the pattern. In the pattern, * matches any characters, and a backslash escapes a *
// or another backslash.
func matchPattern(pattern, text string) bool {
	// The pattern is split at each *: literals are the parts that end at a *, literal is the part after the last *.
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

	if literals == nil { // The pattern has no *.
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
