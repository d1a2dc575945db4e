package jsonata

import (
	"math"
	"math/big"
	"regexp"
	"slices"
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
}

func newSequence(items ...any) *array { return &array{items: items, sequence: true} }

// appendDefined appends v unless it is undefined.
func (a *array) appendDefined(v any) {
	if !isUndefined(v) {
		a.items = append(a.items, v)
	}
}

type regex struct{ *regexp.Regexp }

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
func appendValues(a, b any) any {
	if isUndefined(a) {
		return b
	}
	if isUndefined(b) {
		return a
	}

	first, isArray := arrayItems(a)
	if !isArray {
		first = []any{a}
	}

	joined := make([]any, 0, len(first)+1)
	joined = append(append(joined, first...), itemsOf(b)...)
	return &array{items: joined, sequence: !isArray || isSequence(a)}
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
func toBoolean(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case *jsontree.Object:
		return v.Len() > 0
	case undefined, nil, *function, *regex:
		return false
	}

	if items, ok := arrayItems(v); ok {
		return slices.ContainsFunc(items, toBoolean)
	}
	f, _ := jsontree.Float(v)
	return f != 0
}

// equal reports whether a and b are the same value, as the operator = does.
func equal(a, b any) bool {
	if x, ok := arrayItems(a); ok {
		y, ok := arrayItems(b)
		return ok && slices.EqualFunc(x, y, equal)
	}
	if x, ok := a.(*jsontree.Object); ok {
		y, ok := b.(*jsontree.Object)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for _, key := range x.Keys() {
			v, _ := x.Get(key)
			w, ok := y.Get(key)
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	}

	switch a.(type) {
	case *function, *regex:
		return a == b
	default:
		return jsontree.Equal(a, b)
	}
}

// toJSONValue converts v to a value of package jsontree. ok is false if v is undefined, or is or contains a
// function or a regular expression. It copies only what it must convert: a part of the variables is returned as it is.
func toJSONValue(v any) (value any, ok bool) {
	value, _, ok = convert(v)
	return value, ok
}

// convert does what toJSONValue does, and reports whether value is another value than v.
func convert(v any) (value any, converted, ok bool) {
	switch v := v.(type) {
	case *array:
		items, _, ok := convertItems(v.items)
		return items, true, ok
	case []any:
		items, converted, ok := convertItems(v)
		return items, converted, ok
	case *jsontree.Object:
		return convertObject(v)
	case *function, *regex, undefined:
		return nil, false, false
	default:
		return v, false, true
	}
}

// convertItems does what convert does, for the items of an array. It leaves undefined items out.
func convertItems(items []any) (result []any, converted, ok bool) {
	result = items[:len(items):len(items)]
	for i, item := range items {
		value, itemConverted, ok := convert(item)
		isMissing := isUndefined(item)
		if !ok && !isMissing {
			return nil, false, false
		}

		if (itemConverted || isMissing) && !converted {
			converted = true
			result = append(make([]any, 0, len(items)), items[:i]...)
		}
		if converted && !isMissing {
			result = append(result, value)
		}
	}

	if result == nil {
		result = []any{}
	}
	return result, converted, true
}

// convertObject does what convert does, for an object.
func convertObject(o *jsontree.Object) (value any, converted, ok bool) {
	result := o
	for _, key := range o.Keys() {
		v, _ := o.Get(key)
		value, valueConverted, ok := convert(v)
		if !ok {
			return nil, false, false
		}
		if !valueConverted {
			continue
		}

		if !converted {
			converted = true
			result = o.Clone()
		}
		result.Set(key, value)
	}
	return result, converted, true
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
			return n.String()
		}
		return jsontree.FormatNumber(v)
	}

	if round {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', maxSignificantDigits, 64), 64)
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+")
	}
	if a := math.Abs(f); a != 0 && (a >= exponentFrom || a < exponentBelow) {
		digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}

	return strconv.FormatFloat(f, 'f', -1, 64)
}
