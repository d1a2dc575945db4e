package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// patternFunctions returns the functions that search for a text or a regular expression.
func patternFunctions() map[string]definition {
	return map[string]definition{
		"contains": {"<s-(sf):b>", ifDefined(func(e *evaluation, args []any) (any, error) {
			s := stringArg(args, 0)
			switch pattern := argAt(args, 1).(type) {
			case undefined:
				return pattern, nil
			case string:
				return strings.Contains(s, pattern), nil
			default:
				m, err := e.matches(pattern, s, "contains")
				return m != nil, err
			}
		})},
		"split":   {"<s-(sf)n?:a<s>>", ifDefined(split)},
		"match":   {"<s-f<s:o>n?:a<o>>", ifDefined(match)},
		"replace": {"<s-(sf)(sf)n?:s>", ifDefined(replace)},
	}
}

// errNotPattern is the error of the function called name for an argument that is neither a string nor a regular expression.
func errNotPattern(name string) error {
	return evalError("T1010", "The matcher function argument passed to function "+quote(name)+" does not return the correct object structure")
}

// limitArg returns the number of matches that argument i allows: math.MaxInt if there is none. ok is false if it is negative.
func limitArg(args []any, i int) (limit int, ok bool) {
	x, isNumber := jsontree.Float(argAt(args, i))
	switch {
	case !isNumber:
		return math.MaxInt, true
	case x < 0:
		return 0, false
	default:
		return int(min(math.Ceil(x), math.MaxInt32)), true
	}
}

// split evaluates $split.
func split(e *evaluation, args []any) (any, error) {
	s := stringArg(args, 0)
	limit, ok := limitArg(args, 2)
	if !ok {
		return nil, evalError("D3020", "Third argument of split function must evaluate to a positive number")
	}

	result := &array{items: []any{}}
	switch separator := argAt(args, 1).(type) {
	case string:
		if x, isNumber := jsontree.Float(argAt(args, 2)); isNumber {
			limit = int(min(math.Floor(x), math.MaxInt32))
		}
		return e.splitText(s, separator, limit)
	case undefined:
		return nil, errNotPattern("split")
	default:
		m, err := e.matches(separator, s, "split")
		start, count := 0, 0
		for ; err == nil && m != nil && count < limit; count++ {
			if err = e.keep(result, s[min(start, m.start):m.start]); err != nil {
				break
			}
			start = m.end
			m, err = m.next()
		}
		if err == nil && count < limit {
			err = e.keep(result, s[min(start, len(s)):])
		}
		return result, err
	}
}

// splitText splits s at each separator. It returns the first parts, limit at most.
func (e *evaluation) splitText(s, separator string, limit int) (any, error) {
	result := &array{items: []any{}}
	if separator == "" && s == "" {
		return result, nil
	}
	for len(result.items) < limit {
		at := strings.Index(s, separator)
		if separator == "" {
			_, at = utf8.DecodeRuneInString(s)
			if at == len(s) {
				at = -1
			}
		}
		part := s
		if at >= 0 {
			part = s[:at]
		}
		if err := e.reserveItems(1); err != nil {
			return nil, err
		}
		result.items = append(result.items, part)
		if at < 0 {
			break
		}
		s = s[at+len(separator):]
	}
	return result, nil
}

// match evaluates $match.
func match(e *evaluation, args []any) (any, error) {
	s := stringArg(args, 0)
	limit, ok := limitArg(args, 2)
	if !ok {
		return nil, evalError("D3040", "Third argument of match function must evaluate to a positive number")
	}
	results := newSequence()
	if limit == 0 {
		return results, nil
	}

	m, err := e.matches(argAt(args, 1), s, "match")
	for count := 0; err == nil && m != nil && count < limit; count++ {
		if err = e.keep(results, matchObject(m)); err != nil {
			break
		}
		m, err = m.next()
	}
	return results, err
}

// matchObject returns a match as $match does.
func matchObject(m *found) *jsontree.Object {
	return jsontree.NewObject("match", m.text, "index", int64(m.index), "groups", &array{items: m.groups})
}

// replace evaluates $replace.
func replace(e *evaluation, args []any) (any, error) {
	const (
		replacementAt = 2
		limitAt       = 3
	)

	s, replacement := stringArg(args, 0), argAt(args, replacementAt)
	pattern := argAt(args, 1)
	if pattern == "" {
		return nil, evalError("D3010", "Second argument of replace function cannot be an empty string")
	}
	limit, ok := limitArg(args, limitAt)
	if !ok {
		return nil, evalError("D3011", "Fourth argument of replace function must evaluate to a positive number")
	}

	text, isText := pattern.(string)
	if !isText {
		return e.replaceMatches(pattern, s, replacement, limit)
	}
	with, isText := replacement.(string)
	if !isText {
		return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
	}
	count := min(limit, strings.Count(s, text))
	if err := e.reserve(len(s)); err != nil {
		return nil, err
	}
	if with != "" && count > e.limits.Bytes/len(with) {
		return nil, e.reserve(e.limits.Bytes + 1)
	}
	if err := e.reserve(count * len(with)); err != nil {
		return nil, err
	}
	return strings.Replace(s, text, with, count), nil
}

// replaceMatches replaces the first matches in s, at most limit of them. replacement is a text, or a function that returns the text for
// a match.
func (e *evaluation) replaceMatches(pattern any, s string, replacement any, limit int) (any, error) {
	var out strings.Builder
	write := func(text string) error {
		out.WriteString(text)
		return e.reserve(len(text))
	}
	last := 0 // The end of the last match.
	m, err := e.matches(pattern, s, "replace")
	if err != nil {
		return nil, err
	}
	for count := 0; m != nil && count < limit; count++ {
		if err := write(s[min(last, m.start):m.start]); err != nil {
			return nil, err
		}
		var text string
		switch with := replacement.(type) {
		case string:
			text = expandGroups(with, m)
		default:
			fn, ok := asFunction(with)
			if !ok {
				return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
			}
			value, err := e.invokeCallback(fn, matchObject(m))
			if err != nil {
				return nil, err
			}
			if text, ok = value.(string); !ok {
				return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
			}
		}
		if err := write(text); err != nil {
			return nil, err
		}

		last = min(m.start+len(m.text), len(s))
		if m, err = m.next(); err != nil {
			return nil, err
		}
	}

	err = write(s[last:])
	return out.String(), err
}

// expandGroups returns a replacement text with its references replaced: $0 by the match, $1, $2, … by its groups, and $$ by a dollar
// sign.
func expandGroups(template string, m *found) string {
	var out strings.Builder
	groups := len(m.groups)
	for i := 0; i < len(template); i++ {
		if template[i] != '$' || i+1 == len(template) {
			out.WriteByte(template[i])
			continue
		}
		if template[i+1] == '$' {
			out.WriteByte('$')
			i++
			continue
		}

		width := groupDigits(template[i+1:], groups)
		if width == 0 {
			out.WriteByte('$')
			continue
		}

		group, _ := strconv.Atoi(template[i+1 : i+1+width])
		if group > groups && width > 1 { // With fewer than 12 groups, $12 is group 1 and the digit 2.
			width--
			group, _ = strconv.Atoi(template[i+1 : i+1+width])
		}

		if group == 0 && template[i+1] == '0' {
			out.WriteString(m.text)
			width = 1
		} else if group >= 1 && group <= groups {
			text, _ := m.groups[group-1].(string)
			out.WriteString(text)
		}
		i += width
	}

	return out.String()
}

// groupDigits returns the number of digits at the beginning of s that may be the number of a group: as many as the number of groups has.
func groupDigits(s string, groups int) int {
	width := 0
	for width < len(s) && s[width] >= '0' && s[width] <= '9' && width < len(strconv.Itoa(groups)) {
		width++
	}
	return width
}
