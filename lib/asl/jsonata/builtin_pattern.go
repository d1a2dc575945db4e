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
		"contains": {"<s-(sf):b>", ifDefined(func(args []any) (any, error) {
			s := stringArg(args, 0)
			switch pattern := argAt(args, 1).(type) {
			case string:
				return strings.Contains(s, pattern), nil
			case *regex:
				return pattern.MatchString(s), nil
			default:
				return nil, errNotPattern("contains")
			}
		})},
		"split":   {"<s-(sf)n?:a<s>>", ifDefined(split)},
		"match":   {"<s-f<s:o>n?:a<o>>", ifDefined(match)},
		"replace": {"<s-(sf)(sf)n?:s>", replace},
	}
}

// errNotPattern is the error of the function called name for an argument that is neither a string nor a regular expression.
func errNotPattern(name string) error {
	return evalError("T1010", "The matcher function argument passed to function "+quote(name)+" does not return the correct object structure")
}

// split evaluates $split.
func split(args []any) (any, error) {
	limit := numberArg(args, 2, math.MaxInt32)
	if limit < 0 {
		return nil, evalError("D3020", "Third argument of split function must evaluate to a positive number")
	}

	var parts []string
	switch separator := argAt(args, 1).(type) {
	case string:
		parts = strings.Split(stringArg(args, 0), separator)
	case *regex:
		parts = separator.Split(stringArg(args, 0), -1)
	default:
		return nil, errNotPattern("split")
	}

	parts = parts[:min(len(parts), int(limit))]
	items := make([]any, len(parts))
	for i, part := range parts {
		items[i] = part
	}
	return &array{items: items}, nil
}

// matchObject returns a match in s as $match does. offsets is what regexp.FindStringSubmatchIndex returned for the match: its start
// and end in s, and those of each group.
func matchObject(s string, offsets []int) *jsontree.Object {
	groups := []any{}
	for i := 2; i+1 < len(offsets); i += 2 { // The first two offsets are the start and end of the whole match.
		if offsets[i] < 0 { // The group matches nothing.
			groups = append(groups, "")
		} else {
			groups = append(groups, s[offsets[i]:offsets[i+1]])
		}
	}

	return jsontree.NewObject(
		"match", s[offsets[0]:offsets[1]],
		"index", int64(utf8.RuneCountInString(s[:offsets[0]])),
		"groups", &array{items: groups},
	)
}

// firstMatch returns the first match as an object, or undefined if there is none. This is the result of a regular expression that is
// called as a function.
func firstMatch(re *regex, s string) any {
	offsets := re.FindStringSubmatchIndex(s)
	if offsets == nil {
		return undefined{}
	}
	found := matchObject(s, offsets)
	groups, _ := found.Get("groups")
	return jsontree.NewObject("match", s[offsets[0]:offsets[1]], "start", int64(offsets[0]), "end", int64(offsets[1]), "groups", groups)
}

// match evaluates $match.
func match(args []any) (any, error) {
	re, ok := argAt(args, 1).(*regex)
	if !ok {
		return nil, errNotPattern("match")
	}

	limit := numberArg(args, 2, -1)
	if limit < 0 && !isUndefined(argAt(args, 2)) {
		return nil, evalError("D3040", "Third argument of match function must evaluate to a positive number")
	}

	results := newSequence()
	s := stringArg(args, 0)
	for _, offsets := range re.FindAllStringSubmatchIndex(s, int(limit)) {
		results.appendDefined(matchObject(s, offsets))
	}
	return results, nil
}

// replace evaluates $replace.
func replace(e *evaluation, args []any) (any, error) {
	const (
		replacementAt = 2
		limitAt       = 3
	)

	s, ok := argAt(args, 0).(string)
	if !ok {
		return undefined{}, nil
	}

	limit := int(numberArg(args, limitAt, -1))
	if limit < 0 && !isUndefined(argAt(args, limitAt)) {
		return nil, evalError("D3011", "Fourth argument of replace function must evaluate to a positive number")
	}

	replacement := argAt(args, replacementAt)
	switch pattern := argAt(args, 1).(type) {
	case string:
		replacementText, ok := replacement.(string)
		if pattern == "" {
			return nil, evalError("D3010", "Second argument of replace function cannot be an empty string")
		}
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}
		return strings.Replace(s, pattern, replacementText, limit), nil
	case *regex:
		return e.replaceMatches(pattern, s, replacement, limit)
	default:
		return nil, errNotPattern("replace")
	}
}

// replaceMatches replaces the first matches in s, at most limit of them; a negative limit means all. replacement is a text, or a
// function that returns the text for a match.
func (e *evaluation) replaceMatches(re *regex, s string, replacement any, limit int) (any, error) {
	var out strings.Builder
	last := 0 // The end of the last match.
	for _, offsets := range re.FindAllStringSubmatchIndex(s, limit) {
		if offsets[0] == offsets[1] {
			return nil, evalError("D1004", "Regular expression matches zero length string")
		}

		out.WriteString(s[last:offsets[0]])
		last = offsets[1]
		if template, ok := replacement.(string); ok {
			out.WriteString(expandGroups(template, s, offsets))
			continue
		}

		fn, ok := replacement.(*function)
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}

		value, err := e.invokeCallback(fn, matchObject(s, offsets))
		if err != nil {
			return nil, err
		}

		text, ok := value.(string)
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}
		out.WriteString(text)
	}

	out.WriteString(s[last:])
	return out.String(), nil
}

// expandGroups returns a replacement text with its references replaced: $0 by the match in s, $1, $2, … by its groups, and $$ by a
// dollar sign. offsets is what regexp.FindStringSubmatchIndex returned for the match.
func expandGroups(template, s string, offsets []int) string {
	var out strings.Builder
	groups := len(offsets)/2 - 1 // The number of groups in the pattern.
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

		width := 0 // The number of digits after the dollar sign.
		for i+1+width < len(template) && template[i+1+width] >= '0' && template[i+1+width] <= '9' {
			width++
		}
		if width == 0 {
			out.WriteByte('$')
			continue
		}

		group, _ := strconv.Atoi(template[i+1 : i+1+width])
		for group > groups && width > 1 { // With fewer than 12 groups, $12 is group 1 and the digit 2.
			width--
			group, _ = strconv.Atoi(template[i+1 : i+1+width])
		}

		if group <= groups && offsets[2*group] >= 0 {
			out.WriteString(s[offsets[2*group]:offsets[2*group+1]])
		}
		i += width
	}

	return out.String()
}
