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

// undefined is the value of what is not there. It is no JSON value.
type undefined struct{}

// An array is an array made during an evaluation. A sequence is one that stands for its only item when it has just one.
type array struct {
	items         []any
	sequence      bool
	keepSingleton bool
	cons          bool // Made by an array constructor in a path, so that the path does not flatten it.
	outer         bool // Wraps the array that is the input of the whole expression.
}

func newSequence(items ...any) *array { return &array{items: items, sequence: true} }

// push appends v unless it is undefined.
func (a *array) push(v any) {
	if !isUndefined(v) {
		a.items = append(a.items, v)
	}
}

type regex struct{ *regexp.Regexp }

func isUndefined(v any) bool {
	_, ok := v.(undefined)
	return ok
}

// asArray returns the items of an array and whether v is one.
func asArray(v any) ([]any, bool) {
	switch v := v.(type) {
	case *array:
		return v.items, true
	case []any:
		return v, true
	default:
		return nil, false
	}
}

func isSequence(v any) bool {
	a, ok := v.(*array)
	return ok && a.sequence
}

// listOf returns the items of an array, or a list of v alone.
func listOf(v any) []any {
	if items, ok := asArray(v); ok {
		return items
	}
	return []any{v}
}

// appendValues joins two values into one array, as the function $append does.
func appendValues(a, b any) any {
	if isUndefined(a) {
		return b
	}
	if isUndefined(b) {
		return a
	}

	first, isArray := asArray(a)
	if !isArray {
		first = []any{a}
	}

	joined := make([]any, 0, len(first)+1)
	joined = append(append(joined, first...), listOf(b)...)
	return &array{items: joined, sequence: !isArray || isSequence(a)}
}

// maxSafe is the largest integer up to which every integer is a float64.
const maxSafe = 1 << 53

// number returns f as an integer when it is one that float64 holds exactly.
func number(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) <= maxSafe {
		return int64(f)
	}
	return f
}

// truth returns v as a boolean, by the rules of the function $boolean.
func truth(v any) bool {
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

	if items, ok := asArray(v); ok {
		return slices.ContainsFunc(items, truth)
	}
	f, _ := jsontree.Float(v)
	return f != 0
}

func equal(a, b any) bool {
	if x, ok := asArray(a); ok {
		y, ok := asArray(b)
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

// export returns v as a JSON value: without sequences. ok is false if v is, or holds, a function.
func export(v any) (any, bool) {
	if items, ok := asArray(v); ok {
		out := make([]any, 0, len(items))
		for _, item := range items {
			if isUndefined(item) {
				continue
			}
			exported, ok := export(item)
			if !ok {
				return nil, false
			}
			out = append(out, exported)
		}

		return out, true
	}

	switch v := v.(type) {
	case *jsontree.Object:
		out := &jsontree.Object{}
		for _, key := range v.Keys() {
			value, _ := v.Get(key)
			exported, ok := export(value)
			if !ok {
				return nil, false
			}
			out.Set(key, exported)
		}
		return out, true
	case *function, *regex, undefined:
		return nil, false
	default:
		return v, true
	}
}

const (
	significantDigits = 15 // $string rounds to as many.
	exponentFrom      = 1e21
	exponentBelow     = 1e-6
)

// formatNumber returns the text of a number as JavaScript writes it.
func formatNumber(v any, round bool) string {
	f, isFloat := v.(float64)
	if !isFloat {
		if n, ok := v.(*big.Int); ok {
			return n.String()
		}
		return jsontree.FormatNumber(v)
	}

	if round {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', significantDigits, 64), 64)
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
