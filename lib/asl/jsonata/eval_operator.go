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
	if result, ok, err := e.shortCircuit(n.text, left); ok || err != nil {
		return result, err
	}

	right, err := e.eval(n.rhs, v, f)
	if err != nil {
		return nil, err
	}

	switch n.text {
	case operatorAnd, operatorOr:
		return e.toBooleanValue(right)
	case "+", "-", "*", "/", "%":
		return e.arithmetic(n.text, left, right)
	case "=", "!=":
		if isUndefined(left) || isUndefined(right) {
			return false, nil
		}
		same, err := e.equal(left, right)
		return same == (n.text == "="), err
	case "<", "<=", ">", ">=":
		return e.compare(n.text, left, right)
	case "&":
		return e.concatenate(left, right)
	case operatorIn:
		return e.isIn(left, right)
	case "..":
		return e.integerRange(left, right)
	default: // ?: and ??.
		return right, nil
	}
}

// shortCircuit returns the result of an operator if the left operand alone decides it. Otherwise ok is false.
func (e *evaluation) shortCircuit(operator string, left any) (result any, ok bool, err error) {
	switch operator {
	case operatorAnd, operatorOr, "?:":
		isTrue, err := e.toBoolean(left)
		switch operator {
		case operatorAnd:
			return false, !isTrue, err
		case operatorOr:
			return true, isTrue, err
		default:
			return left, isTrue, err
		}
	case "??":
		return left, !isUndefined(left), nil
	default:
		return nil, false, nil
	}
}

// operand returns an operand of an arithmetic operator as a number. ok is false if it is undefined.
func (e *evaluation) operand(v any, operator, code, side string) (x float64, ok bool, err error) {
	if n, ok := v.(int64); ok {
		return float64(n), true, nil
	}
	x, ok = jsontree.Float(v)
	switch {
	case ok && (math.IsInf(x, 0) || math.IsNaN(x)):
		return 0, false, evalError("D1001", "Number out of range: "+formatNumber(x, false))
	case !ok && !isUndefined(v):
		return 0, false, evalError(code, "The "+side+" side of the "+quote(operator)+" operator must evaluate to a number")
	default:
		return x, ok, nil
	}
}

// arithmetic evaluates +, -, *, / and %. The result is undefined if an operand is undefined. It may be infinite or not a number, but
// then it cannot be an operand again.
func (e *evaluation) arithmetic(operator string, a, b any) (any, error) {
	x, okX, err := e.operand(a, operator, "T2001", "left")
	if err != nil {
		return nil, err
	}
	y, okY, err := e.operand(b, operator, "T2002", "right")
	if err != nil {
		return nil, err
	}
	if !okX || !okY {
		return undefined{}, nil
	}

	switch operator {
	case "+":
		return numberValue(x + y), nil
	case "-":
		return numberValue(x - y), nil
	case "*":
		return numberValue(x * y), nil
	case "/":
		return numberValue(x / y), nil
	default:
		return numberValue(math.Mod(x, y)), nil
	}
}

// compare evaluates <, <=, > and >=. The result is undefined if an operand is undefined.
func (e *evaluation) compare(operator string, a, b any) (any, error) {
	x, isNumberA := jsontree.Float(a)
	y, isNumberB := jsontree.Float(b)
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
		return nil, evalError("T2009", "The values "+e.describe(a)+" and "+e.describe(b)+
			" either side of operator "+quote(operator)+" must be of the same data type")
	}

	if math.IsNaN(x) || math.IsNaN(y) {
		return false, nil
	}
	if isStringA {
		return isInOrder(operator, e.compareTexts(stringA, stringB)), nil
	}
	return isInOrder(operator, jsontree.CompareNumbers(a, b)), nil
}

// isInOrder returns the result of <, <=, > or >= for two values. order is negative if the first one is less, 0 if they are equal, and
// positive if it is greater.
func isInOrder(operator string, order int) bool {
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// compareTexts does what compareUTF16 does, and counts its steps.
func (e *evaluation) compareTexts(a, b string) int {
	e.nodes += min(len(a), len(b)) >> bytesPerStep
	return compareUTF16(a, b)
}

// compareUTF16 compares two strings by their UTF-16 code units, as JavaScript and Java do. A byte that is not valid UTF-8 counts as
// U+FFFD.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		if a[0] == b[0] && a[0] < utf8.RuneSelf {
			a, b = a[1:], b[1:]
			continue
		}
		x, sizeX := utf8.DecodeRuneInString(a)
		y, sizeY := utf8.DecodeRuneInString(b)
		if x != y {
			return int(utf16Order(x) - utf16Order(y))
		}
		a, b = a[sizeX:], b[sizeY:]
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
func (e *evaluation) concatenate(a, b any) (any, error) {
	left, err := e.toString(a)
	if err != nil {
		return nil, err
	}
	right, err := e.toString(b)
	if err != nil {
		return nil, err
	}
	if err := e.reserve(len(left) + len(right)); err != nil {
		return nil, err
	}
	return left + right, nil
}

// isIn evaluates the operator in: it reports whether a is one of the items of b. Two arrays or objects are the same only if they are
// one value, not if they are equal.
func (e *evaluation) isIn(a, b any) (any, error) {
	if isUndefined(a) || isUndefined(b) {
		return false, nil
	}
	items := itemsOf(b)
	s, _ := a.(string)
	if err := e.step(len(items) * (1 + len(s)>>bytesPerStep)); err != nil {
		return nil, err
	}
	for _, item := range items {
		if isSame(a, item) {
			return true, nil
		}
	}
	return false, nil
}
