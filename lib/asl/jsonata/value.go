package jsonata

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// undefined is the result of an expression that selects nothing. It is not a JSON value.
type undefined struct{}

// An array is an array made during an evaluation. An array in the variables is an []any.
type array struct {
	items         []any
	sequence      bool // An array of one item is equivalent to that item; see unwrapSequence.
	keepSingleton bool // Even a sequence of one item stays an array.
	noFlatten     bool // An array constructor in a path has made it, so the path keeps it as one item.
	outerWrapper  bool // The only item is an array that is the input of the expression.
	tuples        bool // The items are *tuple.
}

func newSequence(items ...any) *array { return &array{items: items, sequence: true} }

// appendDefined appends v unless it is undefined.
func (a *array) appendDefined(v any) {
	if !isUndefined(v) {
		a.items = append(a.items, v)
	}
}

func isUndefined(v any) bool {
	_, ok := v.(undefined)
	return ok
}

// arrayItems returns the items of v and whether v is an array.
func arrayItems(v any) ([]any, bool) {
	switch v := v.(type) {
	case *array:
		return v.items, true
	case []any:
		return v, true
	default:
		return nil, false
	}
}

// isNoFlatten reports whether a path keeps the array v as one item.
func isNoFlatten(v any) bool {
	a, ok := v.(*array)
	return ok && a.noFlatten
}

func isSequence(v any) bool {
	a, ok := v.(*array)
	return ok && a.sequence
}

// itemsOf returns the items of v, or v as the only item if it is not an array.
func itemsOf(v any) []any {
	if items, ok := arrayItems(v); ok {
		return items
	}
	return []any{v}
}

// appendValues concatenates two values into one array, as $append does.
func (e *evaluation) appendValues(a, b any) (any, error) {
	if isUndefined(a) {
		return b, nil
	}
	if isUndefined(b) {
		return a, nil
	}

	first, second := itemsOf(a), itemsOf(b)
	if err := e.reserveItems(len(first) + len(second)); err != nil {
		return nil, err
	}
	joined := make([]any, 0, len(first)+len(second))
	return &array{items: append(append(joined, first...), second...)}, nil
}

// maxSafeInteger is the largest integer n such that float64 can represent every integer up to n.
const maxSafeInteger = 1 << 53

// numberValue returns f as an int64 if it is an integer up to maxSafeInteger, and otherwise as a float64.
func numberValue(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) <= maxSafeInteger {
		return int64(f)
	}
	return f
}

// toBoolean converts v to a boolean as $boolean does.
func (e *evaluation) toBoolean(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return v != "", nil
	case *jsontree.Object:
		return v.Len() > 0, nil
	case undefined, nil, *function, *regex:
		return false, nil
	}

	if items, ok := arrayItems(v); ok {
		for _, item := range items {
			if err := e.step(1); err != nil {
				return false, err
			}
			if isTrue, err := e.toBoolean(item); isTrue || err != nil {
				return isTrue, err
			}
		}
		return false, nil
	}
	f, _ := jsontree.Float(v)
	return f != 0 && !math.IsNaN(f), nil
}

// toBooleanValue does what toBoolean does, and returns the boolean as a value.
func (e *evaluation) toBooleanValue(v any) (any, error) {
	isTrue, err := e.toBoolean(v)
	return isTrue, err
}

// equal reports whether a and b are the same value, as the operator = does.
func (e *evaluation) equal(a, b any) (bool, error) {
	if err := e.step(1); err != nil {
		return false, err
	}
	if x, ok := arrayItems(a); ok {
		y, ok := arrayItems(b)
		if !ok {
			return false, nil
		}
		return e.equalItems(x, y)
	}

	switch a := a.(type) {
	case *jsontree.Object:
		o, ok := b.(*jsontree.Object)
		if !ok {
			return false, nil
		}
		return e.equalObjects(a, o)
	case *function, *regex:
		return a == b, nil
	case string:
		s, ok := b.(string)
		e.nodes += min(len(a), len(s)) >> bytesPerStep
		return ok && a == s, nil
	case undefined:
		return isUndefined(b), nil
	}
	if isUndefined(b) {
		return false, nil
	}
	if _, ok := b.(*array); ok {
		return false, nil
	}
	return jsontree.Equal(a, b), nil
}

// equalItems reports whether two arrays are equal.
func (e *evaluation) equalItems(x, y []any) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if same, err := e.equal(x[i], y[i]); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// equalObjects reports whether two objects are equal.
func (e *evaluation) equalObjects(x, y *jsontree.Object) (bool, error) {
	if x.Len() != y.Len() {
		return false, nil
	}
	for _, key := range x.Keys() {
		v, _ := x.Get(key)
		w, ok := y.Get(key)
		if !ok {
			return false, nil
		}
		if same, err := e.equal(v, w); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// isSame reports whether a and b are the same simple value, or one and the same array or object.
func isSame(a, b any) bool {
	if x, ok := arrayItems(a); ok {
		y, ok := arrayItems(b)
		return ok && len(x) > 0 && len(x) == len(y) && &x[0] == &y[0]
	}
	if _, ok := arrayItems(b); ok {
		return false
	}
	switch a.(type) {
	case *jsontree.Object, *function, *regex, undefined:
		return a == b
	}
	switch b.(type) {
	case *jsontree.Object, *function, *regex, undefined:
		return false
	}
	return jsontree.Equal(a, b)
}

const (
	maxSignificantDigits = 15   // The digits that $string writes.
	exponentFrom         = 1e21 // As in JavaScript, numbers from exponentFrom on and below exponentBelow have an exponent.
	exponentBelow        = 1e-6
)

// formatNumber returns the text of a number as JavaScript writes it. If round is set, the number is first rounded to
// maxSignificantDigits digits.
func formatNumber(v any, round bool) string {
	f, isFloat := v.(float64)
	if !isFloat {
		if n, ok := v.(*big.Int); ok {
			f, _ := jsontree.Float(n)
			return formatNumber(f, false)
		}
		return jsontree.FormatNumber(v)
	}

	if round && f != math.Trunc(f) { // AWS writes all digits of an integer.
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', maxSignificantDigits, 64), 64)
	}
	if text, ok := infinityText(f); ok {
		return text
	}
	if a := math.Abs(f); a != 0 && (a >= exponentFrom || a < exponentBelow) {
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}

	return strconv.FormatFloat(f, 'f', -1, 64)
}

// infinityText returns the text of an infinity or of NaN. ok is false for any other number.
func infinityText(f float64) (text string, ok bool) {
	switch {
	case math.IsNaN(f):
		return "NaN", true
	case math.IsInf(f, 1):
		return "Infinity", true
	case math.IsInf(f, -1):
		return "-Infinity", true
	default:
		return "", false
	}
}
