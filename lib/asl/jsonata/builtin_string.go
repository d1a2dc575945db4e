package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// stringFunctions returns the functions for strings.
func stringFunctions() map[string]definition {
	return map[string]definition{
		"string": {"<x-b?:s>", ifDefined(func(args []any) (any, error) {
			if indented := toBoolean(argAt(args, 1)); indented && typeLetter(args[0]) != 's' {
				return string(appendJSON(nil, args[0], "\n")), nil
			}
			return toString(args[0])
		})},
		"length":    {"<s-:n>", forString(func(s string) any { return int64(utf8.RuneCountInString(s)) })},
		"lowercase": {"<s-:s>", forString(func(s string) any { return strings.ToLower(s) })},
		"uppercase": {"<s-:s>", forString(func(s string) any { return strings.ToUpper(s) })},
		"trim":      {"<s-:s>", forString(func(s string) any { return strings.Join(strings.Fields(s), " ") })},
		"substring": {"<s-nn?:s>", ifDefined(substring)},
		"substringBefore": {"<s-s:s>", ifDefined(func(args []any) (any, error) {
			before, _, _ := strings.Cut(stringArg(args, 0), stringArg(args, 1))
			return before, nil
		})},
		"substringAfter": {"<s-s:s>", ifDefined(func(args []any) (any, error) {
			before, after, found := strings.Cut(stringArg(args, 0), stringArg(args, 1))
			if !found {
				return before, nil
			}
			return after, nil
		})},
		"pad":  {"<s-ns?:s>", ifDefined(pad)},
		"join": {"<a<s>s?:s>", ifDefined(join)},
	}
}

// toString converts v to a string as $string does.
func toString(v any) (string, error) {
	switch v := v.(type) {
	case undefined, *function, *regex:
		return "", nil
	case string:
		return v, nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", evalError("D3001", "Attempting to invoke string function on Infinity or NaN")
		}
	}

	return string(appendJSON(nil, v, "")), nil
}

// appendJSON appends v to dst as JSON text, with numbers as JavaScript writes them. An empty newline gives compact text. Otherwise the
// text is indented, and newline is the line break with the indentation of v.
func appendJSON(dst []byte, v any, newline string) []byte {
	const indent = "  "
	inner := newline
	if newline != "" {
		inner += indent
	}

	if items, ok := arrayItems(v); ok {
		dst = append(dst, '[')
		for i, item := range items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(append(dst, inner...), item, inner)
		}

		if len(items) > 0 {
			dst = append(dst, newline...)
		}
		return append(dst, ']')
	}

	switch v := v.(type) {
	case *jsontree.Object:
		dst = append(dst, '{')
		for i, key := range v.Keys() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(jsontree.Append(append(dst, inner...), key), ':')
			if newline != "" {
				dst = append(dst, ' ')
			}

			value, _ := v.Get(key)
			dst = appendJSON(dst, value, inner)
		}

		if v.Len() > 0 {
			dst = append(dst, newline...)
		}
		return append(dst, '}')
	case *function, *regex:
		return append(dst, `""`...)
	case float64:
		return append(dst, formatNumber(v, true)...)
	default:
		return jsontree.Append(dst, v)
	}
}

// substring evaluates $substring. A negative start counts from the end.
func substring(args []any) (any, error) {
	runes := []rune(stringArg(args, 0))
	start := numberArg(args, 1, 0)
	count := numberArg(args, 2, math.Inf(1))
	if start < 0 {
		start = max(0, start+float64(len(runes)))
	}

	from := math.Min(math.Trunc(start), float64(len(runes)))
	to := math.Min(math.Trunc(start+count), float64(len(runes)))
	if count <= 0 || to <= from {
		return "", nil
	}
	return string(runes[int(from):int(to)]), nil
}

// pad evaluates $pad. A negative width pads on the left.
func pad(args []any) (any, error) {
	const maxWidth = 10_000_000 // Bounds the memory of one call.
	s, width := stringArg(args, 0), numberArg(args, 1, 0)
	filler := []rune(stringArg(args, 2))
	if len(filler) == 0 {
		filler = []rune(" ")
	}

	missing := int(math.Min(math.Abs(width), maxWidth)) - utf8.RuneCountInString(s)
	if missing <= 0 {
		return s, nil
	}

	var padding strings.Builder
	for i := range missing {
		padding.WriteRune(filler[i%len(filler)])
	}
	if width < 0 {
		return padding.String() + s, nil
	}
	return s + padding.String(), nil
}

// join evaluates $join.
func join(args []any) (any, error) {
	parts := []string{}
	for i, item := range itemsOf(args[0]) {
		s, ok := item.(string)
		if !ok {
			return nil, evalError("T0412", "Argument 1 of function \"join\" must be an array of strings, item "+strconv.Itoa(i)+" is not a string")
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, stringArg(args, 1)), nil
}
