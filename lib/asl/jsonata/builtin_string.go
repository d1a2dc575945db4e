package jsonata

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// lowercase returns s in lower case, as JavaScript does: with the rules for single characters of SpecialCasing.txt.
func lowercase(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// uppercase returns s in upper case, as JavaScript does: ß becomes SS.
func uppercase(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// stringFunctions returns the functions for strings.
func stringFunctions() map[string]definition {
	return map[string]definition{
		"string": {"<x-b?:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			if isIndented, _ := argAt(args, 1).(bool); isIndented && typeLetter(args[0]) != 's' {
				w := textWriter{evaluation: e}
				err := w.append(args[0], "\n")
				return string(w.text), err
			}
			return e.toString(args[0])
		})},
		"length":    {"<s-:n>", forString(func(s string) any { return int64(utf8.RuneCountInString(s)) })},
		"lowercase": {"<s-:s>", forString(func(s string) any { return lowercase(s) })},
		"uppercase": {"<s-:s>", forString(func(s string) any { return uppercase(s) })},
		"trim":      {"<s-:s>", forString(func(s string) any { return trim(s) })},
		"substring": {"<s-nn?:s>", ifDefined(substring)},
		"substringBefore": {"<s-s:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			before, _, _ := strings.Cut(stringArg(args, 0), separatorArg(args))
			return before, nil
		})},
		"substringAfter": {"<s-s:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			before, after, found := strings.Cut(stringArg(args, 0), separatorArg(args))
			if !found {
				return before, nil
			}
			return after, nil
		})},
		"pad":  {"<s-ns?:s>", ifDefined(pad)},
		"join": {"<a<s>s?:s>", ifDefined(join)},
	}
}

// separatorArg returns the second argument. As in the reference implementation, a missing one is the text of JavaScript's undefined.
func separatorArg(args []any) string {
	if s, ok := argAt(args, 1).(string); ok {
		return s
	}
	return "undefined"
}

// trim removes blanks at both ends of s, and makes one space of several blanks inside.
func trim(s string) string {
	trimmed := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r':
			if len(trimmed) > 0 && trimmed[len(trimmed)-1] != ' ' {
				trimmed = append(trimmed, ' ')
			}
		default:
			trimmed = append(trimmed, c)
		}
	}
	return strings.TrimSuffix(string(trimmed), " ")
}

// toString converts v to a string as $string does.
func (e *evaluation) toString(v any) (string, error) {
	switch v := v.(type) {
	case undefined, *function, *regex:
		return "", nil
	case string:
		return v, nil
	case float64:
		if _, ok := infinityText(v); ok {
			return "", evalError("D3001", "Attempting to invoke string function on Infinity or NaN")
		}
		return formatNumber(v, true), nil
	case int64, bool:
		return string(jsontree.Append(nil, v)), nil
	}

	w := textWriter{evaluation: e}
	if err := w.append(v, ""); err != nil {
		return "", err
	}
	return string(w.text), nil
}

// A textWriter writes values as JSON text, with numbers as JavaScript writes them.
type textWriter struct {
	evaluation *evaluation
	text       []byte
	counted    int // The part of text that is counted in the evaluation.
}

// count counts the text since the last call.
func (w *textWriter) count() error {
	n := len(w.text) - w.counted
	w.counted = len(w.text)
	if err := w.evaluation.step(1); err != nil {
		return err
	}
	return w.evaluation.reserve(n)
}

// append writes v. An empty newline gives compact text. Otherwise the text is indented, and newline is the line break with the
// indentation of v.
func (w *textWriter) append(v any, newline string) error {
	const indent = "  "
	inner := newline
	if newline != "" {
		inner += indent
	}

	if items, ok := arrayItems(v); ok {
		w.text = append(w.text, '[')
		for i, item := range items {
			if i > 0 {
				w.text = append(w.text, ',')
			}
			w.text = append(w.text, inner...)
			if err := w.append(item, inner); err != nil {
				return err
			}
		}

		if len(items) > 0 {
			w.text = append(w.text, newline...)
		}
		w.text = append(w.text, ']')
		return w.count()
	}

	switch v := v.(type) {
	case *jsontree.Object:
		return w.object(v, newline, inner)
	case *function, *regex:
		w.text = append(w.text, `""`...)
	case undefined:
		w.text = append(w.text, "null"...)
	case float64:
		if text, ok := infinityText(v); ok {
			return evalError("D1001", "Number out of range: "+text)
		}
		w.text = append(w.text, formatNumber(v, true)...)
	case *big.Int:
		w.text = append(w.text, formatNumber(v, true)...)
	default:
		w.text = jsontree.Append(w.text, v)
	}
	return w.count()
}

// object writes an object.
func (w *textWriter) object(o *jsontree.Object, newline, inner string) error {
	w.text = append(w.text, '{')
	for i, key := range o.Keys() {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		w.text = append(jsontree.Append(append(w.text, inner...), key), ':')
		if newline != "" {
			w.text = append(w.text, ' ')
		}

		value, _ := o.Get(key)
		if err := w.append(value, inner); err != nil {
			return err
		}
	}

	if o.Len() > 0 {
		w.text = append(w.text, newline...)
	}
	w.text = append(w.text, '}')
	return w.count()
}

// appendIdentity appends a text to dst that is the same for two values exactly if they are equal.
func (e *evaluation) appendIdentity(dst []byte, v any) ([]byte, error) {
	if err := e.step(1); err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok {
		e.nodes += len(s) >> bytesPerStep
	}
	var err error
	if items, ok := arrayItems(v); ok {
		dst = append(dst, '[')
		for _, item := range items {
			if dst, err = e.appendIdentity(dst, item); err != nil {
				return nil, err
			}
			dst = append(dst, ',')
		}
		return append(dst, ']'), nil
	}

	switch v := v.(type) {
	case *jsontree.Object:
		keys := slices.Clone(v.Keys())
		slices.Sort(keys)
		dst = append(dst, '{')
		for _, key := range keys {
			value, _ := v.Get(key)
			dst = append(jsontree.Append(dst, key), ':')
			if dst, err = e.appendIdentity(dst, value); err != nil {
				return nil, err
			}
			dst = append(dst, ',')
		}
		dst = append(dst, '}')
	case *function, *regex:
		dst = fmt.Appendf(dst, "%p", v)
	case undefined:
		dst = append(dst, 'u')
	case float64:
		dst = append(dst, formatNumber(numberValue(v), false)...)
	default:
		dst = jsontree.Append(dst, v)
	}
	if len(dst) > e.limits.Bytes {
		return nil, e.reserve(e.limits.Bytes + 1)
	}
	return dst, nil
}

// substring evaluates $substring. A negative start counts from the end.
func substring(e *evaluation, args []any) (any, error) {
	s, start := stringArg(args, 0), numberArg(args, 1, 0)
	length := utf8.RuneCountInString(s)
	if float64(length)+start < 0 {
		start = 0
	}

	count, hasCount := jsontree.Float(argAt(args, 2))
	end := math.Inf(1)
	if hasCount {
		if count <= 0 {
			return "", nil
		}
		end = start + count
		if start < 0 {
			end += float64(length)
		}
	}

	from, to := sliceIndex(start, length), sliceIndex(end, length)
	if from >= to {
		return "", nil
	}
	if err := e.reserve(to - from); err != nil {
		return nil, err
	}
	if length == len(s) {
		return s[from:to], nil
	}
	return string([]rune(s)[from:to]), nil
}

// sliceIndex converts x to an index as the method slice of JavaScript does: a negative number counts from the end.
func sliceIndex(x float64, length int) int {
	x = math.Trunc(x)
	if x < 0 {
		x += float64(length)
	}
	return int(max(0, min(x, float64(length))))
}

// pad evaluates $pad. A negative width pads on the left.
func pad(e *evaluation, args []any) (any, error) {
	s, width := stringArg(args, 0), math.Trunc(numberArg(args, 1, 0))
	filler := []rune(stringArg(args, 2))
	if len(filler) == 0 {
		filler = []rune(" ")
	}

	missing := math.Abs(width) - float64(utf8.RuneCountInString(s))
	if missing <= 0 || math.IsNaN(missing) {
		return s, nil
	}
	missing = min(missing, float64(e.limits.Bytes)+1) // More than reserve allows.
	if err := e.reserve(int(missing) * utf8.RuneLen(filler[0])); err != nil {
		return nil, err
	}

	var padding strings.Builder
	for i := range int(missing) {
		padding.WriteRune(filler[i%len(filler)])
	}
	if width < 0 {
		return padding.String() + s, nil
	}
	return s + padding.String(), nil
}

// join evaluates $join.
func join(e *evaluation, args []any) (any, error) {
	items, separator := itemsOf(args[0]), stringArg(args, 1)
	size := 0
	parts := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, evalError("T0412", "Argument 1 of function \"join\" must be an array of strings, item "+strconv.Itoa(i)+" is not a string")
		}
		parts[i] = s
		if size += len(s) + len(separator); size > e.limits.Bytes {
			break
		}
	}
	if err := e.reserve(size); err != nil {
		return nil, err
	}
	return strings.Join(parts, separator), nil
}
