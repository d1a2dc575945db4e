package jsonata

import (
	"math"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// binary evaluates an operator of two operands.
func (e *evaluation) binary(n *node, v any, f *frame) (any, error) {
	left, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if settled, ok := shortcut(n.text, left); ok {
		return settled, nil
	}

	right, err := e.eval(n.rhs, v, f)
	if err != nil {
		return nil, err
	}

	switch n.text {
	case operatorAnd, operatorOr:
		return truth(right), nil
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
		return contained(left, right), nil
	case "..":
		return span(left, right)
	default:
		return nil, evalError("D1001", "Unexpected operator "+quote(n.text))
	}
}

// shortcut returns the value of an operator whose left operand settles it, so that the right one is not evaluated.
func shortcut(operator string, left any) (any, bool) {
	switch operator {
	case operatorAnd:
		return false, !truth(left)
	case operatorOr:
		return true, truth(left)
	case "?:":
		return left, truth(left)
	case "??":
		return left, !isUndefined(left)
	default:
		return nil, false
	}
}

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
	return number(result), nil
}

func compare(operator string, a, b any) (any, error) {
	_, numberA := jsontree.Float(a)
	_, numberB := jsontree.Float(b)
	textA, stringA := a.(string)
	textB, stringB := b.(string)
	if !isUndefined(a) && !numberA && !stringA || !isUndefined(b) && !numberB && !stringB {
		return nil, evalError("T2010", "The expressions either side of operator "+quote(operator)+" must evaluate to numeric or string values")
	}
	if isUndefined(a) || isUndefined(b) {
		return undefined{}, nil
	}

	if numberA != numberB {
		return nil, evalError("T2009", "The values "+describe(a)+" and "+describe(b)+
			" either side of operator "+quote(operator)+" must be of the same data type")
	}

	order := jsontree.CompareNumbers(a, b)
	if stringA {
		order = compareText(textA, textB)
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

// compareText compares as JavaScript and Java do, by UTF-16 code units: those above U+FFFF begin with a surrogate.
func compareText(a, b string) int {
	for a != "" && b != "" {
		x, y := []rune(a[:min(len(a), 4)])[0], []rune(b[:min(len(b), 4)])[0]
		if x != y {
			return int(codeUnit(x) - codeUnit(y))
		}
		a, b = a[len(string(x)):], b[len(string(y)):]
	}
	return strings.Compare(a, b)
}

// codeUnit returns a number that orders characters by their first UTF-16 code unit, then by themselves.
func codeUnit(r rune) rune {
	const (
		surrogates = 0xD800
		private    = 0xE000
		plane      = 0x10000
		shift      = 0x200000
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

func contained(a, b any) bool {
	if isUndefined(a) || isUndefined(b) {
		return false
	}
	for _, item := range listOf(b) {
		if equal(a, item) {
			return true
		}
	}
	return false
}
