package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func patternFunctions() map[string]definition {
	return map[string]definition{
		"contains": {"<s-(sf):b>", onDefined(func(args []any) (any, error) {
			s := text(args, 0)
			switch pattern := argument(args, 1).(type) {
			case string:
				return strings.Contains(s, pattern), nil
			case *regex:
				return pattern.MatchString(s), nil
			default:
				return nil, errNotPattern("contains")
			}
		})},
		"split":   {"<s-(sf)n?:a<s>>", onDefined(split)},
		"match":   {"<s-f<s:o>n?:a<o>>", onDefined(match)},
		"replace": {"<s-(sf)(sf)n?:s>", replace},
	}
}

func errNotPattern(name string) error {
	return evalError("T1010", "The matcher function argument passed to function "+quote(name)+" does not return the correct object structure")
}

func split(args []any) (any, error) {
	limit := float(args, 2, math.MaxInt32)
	if limit < 0 {
		return nil, evalError("D3020", "Third argument of split function must evaluate to a positive number")
	}

	var parts []string
	switch separator := argument(args, 1).(type) {
	case string:
		parts = strings.Split(text(args, 0), separator)
	case *regex:
		parts = separator.Split(text(args, 0), -1)
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

// matchObject returns a match, given as pairs of offsets in s, as the function $match shows it.
func matchObject(s string, at []int) *jsontree.Object {
	groups := []any{}
	for i := 2; i+1 < len(at); i += 2 {
		if at[i] < 0 {
			groups = append(groups, "")
		} else {
			groups = append(groups, s[at[i]:at[i+1]])
		}
	}

	return jsontree.NewObject(
		"match", s[at[0]:at[1]],
		"index", int64(utf8.RuneCountInString(s[:at[0]])),
		"groups", &array{items: groups},
	)
}

// firstMatch is what a regular expression gives when it is called as a function.
func firstMatch(re *regex, s string) any {
	at := re.FindStringSubmatchIndex(s)
	if at == nil {
		return undefined{}
	}
	found := matchObject(s, at)
	groups, _ := found.Get("groups")
	return jsontree.NewObject("match", s[at[0]:at[1]], "start", int64(at[0]), "end", int64(at[1]), "groups", groups)
}

func match(args []any) (any, error) {
	re, ok := argument(args, 1).(*regex)
	if !ok {
		return nil, errNotPattern("match")
	}

	limit := float(args, 2, -1)
	if limit < 0 && !isUndefined(argument(args, 2)) {
		return nil, evalError("D3040", "Third argument of match function must evaluate to a positive number")
	}

	results := newSequence()
	s := text(args, 0)
	for _, at := range re.FindAllStringSubmatchIndex(s, int(limit)) {
		results.push(matchObject(s, at))
	}
	return results, nil
}

func replace(e *evaluation, args []any) (any, error) {
	const (
		replacementAt = 2
		limitAt       = 3
	)

	s, ok := argument(args, 0).(string)
	if !ok {
		return undefined{}, nil
	}

	limit := int(float(args, limitAt, -1))
	if limit < 0 && !isUndefined(argument(args, limitAt)) {
		return nil, evalError("D3011", "Fourth argument of replace function must evaluate to a positive number")
	}

	replacement := argument(args, replacementAt)
	switch pattern := argument(args, 1).(type) {
	case string:
		with, ok := replacement.(string)
		if pattern == "" {
			return nil, evalError("D3010", "Second argument of replace function cannot be an empty string")
		}
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}
		return strings.Replace(s, pattern, with, limit), nil
	case *regex:
		return e.replaceMatches(pattern, s, replacement, limit)
	default:
		return nil, errNotPattern("replace")
	}
}

func (e *evaluation) replaceMatches(re *regex, s string, replacement any, limit int) (any, error) {
	var out strings.Builder
	last := 0
	for _, at := range re.FindAllStringSubmatchIndex(s, limit) {
		if at[0] == at[1] {
			return nil, evalError("D1004", "Regular expression matches zero length string")
		}

		out.WriteString(s[last:at[0]])
		last = at[1]
		if template, ok := replacement.(string); ok {
			out.WriteString(expand(template, s, at))
			continue
		}

		fn, ok := replacement.(*function)
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}

		value, err := e.invokeItem(fn, matchObject(s, at))
		if err != nil {
			return nil, err
		}

		with, ok := value.(string)
		if !ok {
			return nil, evalError("D3012", "Attempted to replace a matched string with a non-string value")
		}

		out.WriteString(with)
	}

	out.WriteString(s[last:])
	return out.String(), nil
}

// expand fills $0 (the match), $1, $2 (its groups) and $$ (a dollar) in a replacement.
func expand(template, s string, at []int) string {
	var out strings.Builder
	groups := len(at)/2 - 1
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

		width := 0
		for i+1+width < len(template) && template[i+1+width] >= '0' && template[i+1+width] <= '9' {
			width++
		}

		if width == 0 {
			out.WriteByte('$')
			continue
		}

		group, _ := strconv.Atoi(template[i+1 : i+1+width])
		for group > groups && width > 1 { // $12 is group 1 and the digit 2 when there are fewer groups.
			width--
			group, _ = strconv.Atoi(template[i+1 : i+1+width])
		}

		if group <= groups && at[2*group] >= 0 {
			out.WriteString(s[at[2*group]:at[2*group+1]])
		}

		i += width
	}

	return out.String()
}
