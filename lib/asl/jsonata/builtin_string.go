package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func stringFunctions() map[string]definition {
	return map[string]definition{
		"string": {"<x-b?:s>", onDefined(func(args []any) (any, error) {
			if truth(argument(args, 1)) && letterOf(args[0]) != 's' {
				return string(appendJSON(nil, args[0], "\n")), nil
			}
			return toString(args[0])
		})},
		"length":    {"<s-:n>", onString(func(s string) any { return int64(utf8.RuneCountInString(s)) })},
		"lowercase": {"<s-:s>", onString(func(s string) any { return strings.ToLower(s) })},
		"uppercase": {"<s-:s>", onString(func(s string) any { return strings.ToUpper(s) })},
		"trim":      {"<s-:s>", onString(func(s string) any { return strings.Join(strings.Fields(s), " ") })},
		"substring": {"<s-nn?:s>", onDefined(substring)},
		"substringBefore": {"<s-s:s>", onDefined(func(args []any) (any, error) {
			before, _, _ := strings.Cut(text(args, 0), text(args, 1))
			return before, nil
		})},
		"substringAfter": {"<s-s:s>", onDefined(func(args []any) (any, error) {
			before, after, found := strings.Cut(text(args, 0), text(args, 1))
			if !found {
				return before, nil
			}
			return after, nil
		})},
		"pad":  {"<s-ns?:s>", onDefined(pad)},
		"join": {"<a<s>s?:s>", onDefined(join)},
	}
}

// toString returns v as the function $string does.
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

// appendJSON appends v as JSON text with numbers as JavaScript writes them. newline, if not empty, begins each line of the
// indented form.
func appendJSON(dst []byte, v any, newline string) []byte {
	const indent = "  "
	inner := newline
	if newline != "" {
		inner += indent
	}

	if items, ok := asArray(v); ok {
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

func substring(args []any) (any, error) {
	runes := []rune(text(args, 0))
	start := float(args, 1, 0)
	count := float(args, 2, math.Inf(1))

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

func pad(args []any) (any, error) {
	const longest = 10_000_000
	s, width := text(args, 0), float(args, 1, 0)

	filler := []rune(text(args, 2))
	if len(filler) == 0 {
		filler = []rune(" ")
	}

	missing := int(math.Min(math.Abs(width), longest)) - utf8.RuneCountInString(s)
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

func join(args []any) (any, error) {
	parts := []string{}
	for i, item := range listOf(args[0]) {
		s, ok := item.(string)
		if !ok {
			return nil, evalError("T0412", "Argument 1 of function \"join\" must be an array of strings, item "+strconv.Itoa(i)+" is none")
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, text(args, 1)), nil
}
