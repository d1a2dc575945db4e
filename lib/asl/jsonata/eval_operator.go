package jsonata

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// binary evaluates an operator with two operands.
func (e *evaluation) binary(n *node, v any, f *frame) (any, error) {
	left, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if result, ok := shortCircuit(n.text, left); ok {
		return result, nil
	}

	right, err := e.eval(n.rhs, v, f)
	if err != nil {
		return nil, err
	}

	switch n.text {
	case operatorAnd, operatorOr:
		return toBoolean(right), nil
	case "?:", "??":
		return right, nil
	case "+", "-", "*", "/", "%":
		return arithmetic(n.text, left, right)
	case "=", "!=":
		if isUndefined(left) || isUndefined(right) {
			return false, nil
		}
		return equal(left, right) == (n.text == "="), nil
	case "<", "<=", ">", ">=":
		return compare(n.text, left, right)
	case "&":
		return concatenate(left, right)
	case operatorIn:
		return isIn(left, right), nil
	case "..":
		return integerRange(left, right)
	default:
		return nil, evalError("D1001", "Unexpected operator "+quote(n.text))
	}
}

// shortCircuit returns the result of an operator if the left operand alone decides it. Otherwise ok is false.
func shortCircuit(operator string, left any) (result any, ok bool) {
	switch operator {
	case operatorAnd:
		return false, !toBoolean(left)
	case operatorOr:
		return true, toBoolean(left)
	case "?:":
		return left, toBoolean(left)
	case "??":
		return left, !isUndefined(left)
	default:
		return nil, false
	}
}

// arithmetic evaluates +, -, *, / and %. The result is undefined if an operand is undefined.
func arithmetic(operator string, a, b any) (any, error) {
	x, okX := jsontree.Float(a)
	if !okX && !isUndefined(a) {
		return nil, evalError("T2001", "The left side of the "+operator+" operator must evaluate to a number")
	}

	y, okY := jsontree.Float(b)
	if !okY && !isUndefined(b) {
		return nil, evalError("T2002", "The right side of the "+operator+" operator must evaluate to a number")
	}
	if !okX || !okY {
		return undefined{}, nil
	}

	var result float64
	switch operator {
	case "+":
		result = x + y
	case "-":
		result = x - y
	case "*":
		result = x * y
	case "/":
		result = x / y
	default:
		result = math.Mod(x, y)
	}

	if math.IsInf(result, 0) || math.IsNaN(result) {
		return nil, evalError("D1001", "Number out of range: "+formatNumber(result, false))
	}
	return numberValue(result), nil
}

// compare evaluates <, <=, > and >=. The result is undefined if an operand is undefined.
func compare(operator string, a, b any) (any, error) {
	_, isNumberA := jsontree.Float(a)
	_, isNumberB := jsontree.Float(b)
	stringA, isStringA := a.(string)
	stringB, isStringB := b.(string)
	isValidA := isNumberA || isStringA || isUndefined(a)
	isValidB := isNumberB || isStringB || isUndefined(b)
	if !isValidA || !isValidB {
		return nil, evalError("T2010", "The expressions either side of operator "+quote(operator)+" must evaluate to numeric or string values")
	}
	if isUndefined(a) || isUndefined(b) {
		return undefined{}, nil
	}

	if isNumberA != isNumberB {
		return nil, evalError("T2009", "The values "+describe(a)+" and "+describe(b)+
			" either side of operator "+quote(operator)+" must be of the same data type")
	}

	order := jsontree.CompareNumbers(a, b)
	if isStringA {
		order = compareUTF16(stringA, stringB)
	}

	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	default:
		return order >= 0, nil
	}
}

// compareUTF16 compares two strings by their UTF-16 code units, as JavaScript and Java do.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		// The first character of each string; UTFMax is the greatest number of bytes of a character.
		x, y := []rune(a[:min(len(a), utf8.UTFMax)])[0], []rune(b[:min(len(b), utf8.UTFMax)])[0]
		if x != y {
			return int(utf16Order(x) - utf16Order(y))
		}
		a, b = a[len(string(x)):], b[len(string(y)):]
	}
	return strings.Compare(a, b) // At least one of them is empty now: the shorter string comes first.
}

// utf16Order maps a character to a number, so that the order of the numbers is that of UTF-16 code units. A character above U+FFFF
// begins with a surrogate in UTF-16, so it comes before U+E000.
func utf16Order(r rune) rune {
	const (
		surrogates = 0xD800   // The first surrogate.
		private    = 0xE000   // The first character after the surrogates.
		plane      = 0x10000  // The first character that needs two surrogates.
		shift      = 0x200000 // More than any character.
	)

	switch {
	case r >= plane:
		return surrogates + r
	case r >= private:
		return r + shift
	default:
		return r
	}
}

// concatenate evaluates the operator &.
func concatenate(a, b any) (any, error) {
	var text strings.Builder
	for _, v := range []any{a, b} {
		s, err := toString(v)
		if err != nil {
			return nil, err
		}
		text.WriteString(s)
	}
	return text.String(), nil
}

// isIn evaluates the operator in: it reports whether a is one of the items of b.
func isIn(a, b any) bool {
	if isUndefined(a) || isUndefined(b) {
		return false
	}
	for _, item := range itemsOf(b) {
		if equal(a, item) {
			return true
		}
	}
	return false
}
