package jsonata

import (
	"errors"
	"unicode/utf16"

	"github.com/herald-progress/herald/lib/asl/jsonata/ecmaregexp"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A regex is the value of a regular expression.
type regex struct{ *ecmaregexp.Regexp }

// find returns the offsets of the first match in s at byte offset from or later, or nil. See ecmaregexp.Regexp.Match.
func (e *evaluation) find(re *regex, s string, from int) ([]int, error) {
	budget := e.limits.Steps - e.nodes
	before := budget
	offsets, err := re.Match(s, from, &budget)
	e.nodes += before - budget
	if errors.Is(err, ecmaregexp.ErrBudget) {
		e.nodes = e.limits.Steps + 1
		return nil, e.step(0)
	}
	return offsets, err
}

// A found is one match of a pattern. next finds the next one; it returns nil if there is none.
type found struct {
	text       string
	start, end int // Byte offsets.
	index      int // The start in UTF-16 code units.
	groups     []any
	next       func() (*found, error)
}

// matches returns the first match of a pattern in s, or nil. The pattern is a regular expression, or a function that returns an object
// as a regular expression does.
func (e *evaluation) matches(pattern any, s, name string) (*found, error) {
	switch pattern := pattern.(type) {
	case *regex:
		return e.firstMatch(pattern, s, 0, 0)
	case *function:
		result, err := e.invokeCallback(pattern, s)
		if err != nil {
			return nil, err
		}
		return e.foundObject(result, s, name)
	default:
		return nil, errNotPattern(name)
	}
}

// firstMatch returns the first match of a regular expression at byte offset from or later; index is that offset in UTF-16 code units.
func (e *evaluation) firstMatch(re *regex, s string, from, index int) (*found, error) {
	offsets, err := e.find(re, s, from)
	if err != nil || offsets == nil {
		return nil, err
	}
	const pairs = 5 // Of the object that may become of the match.
	if err := e.reserve(pairs*pairBytes + itemBytes*len(offsets)); err != nil {
		return nil, err
	}

	m := &found{text: s[offsets[0]:offsets[1]], start: offsets[0], end: offsets[1], groups: []any{}}
	m.index = index + utf16Length(s[from:m.start])
	for i := 2; i+1 < len(offsets); i += 2 { // The first two offsets are the start and end of the whole match.
		if offsets[i] < 0 || offsets[i+1] < 0 { // The group matches nothing.
			m.groups = append(m.groups, nil)
		} else {
			m.groups = append(m.groups, s[offsets[i]:offsets[i+1]])
		}
	}
	m.next = func() (*found, error) {
		if m.end >= len(s) {
			return nil, nil
		}
		next, err := e.firstMatch(re, s, m.end, m.index+utf16Length(m.text))
		if err == nil && next != nil && next.text == "" {
			return nil, evalError("D1004", "Regular expression matches zero length string")
		}
		return next, err
	}
	return m, nil
}

// foundObject returns the match that a function returned. Its offsets count UTF-16 code units.
func (e *evaluation) foundObject(v any, s, name string) (*found, error) {
	if isUndefined(v) {
		return nil, nil
	}
	o, ok := v.(*jsontree.Object)
	if !ok {
		return nil, errNotPattern(name)
	}
	get := func(key string) any {
		value, ok := o.Get(key)
		if !ok {
			return undefined{}
		}
		return value
	}
	start, isNumber := jsontree.Float(get("start"))
	end, isNumber2 := jsontree.Float(get("end"))
	text, isText := get("match").(string)
	groups, isArray := arrayItems(get("groups"))
	next, isFunction := get("next").(*function)
	if !isNumber && !isNumber2 || !isArray || !isFunction {
		return nil, errNotPattern(name)
	}

	if err := e.step(1 + len(s)>>bytesPerStep); err != nil {
		return nil, err
	}
	m := &found{index: int(start), start: byteOffset(s, start), end: byteOffset(s, end), groups: groups, text: text}
	if m.end = max(m.start, m.end); !isText {
		m.text = s[m.start:m.end]
	}
	m.next = func() (*found, error) {
		if err := e.step(1); err != nil {
			return nil, err
		}
		result, err := e.invoke(next, nil, undefined{})
		if err != nil {
			return nil, err
		}
		return e.foundObject(result, s, name)
	}
	return m, nil
}

// regexResult returns what a regular expression returns when it is called as a function.
func (e *evaluation) regexResult(re *regex, s string) (any, error) {
	m, err := e.firstMatch(re, s, 0, 0)
	if err != nil || m == nil {
		return undefined{}, err
	}
	return matchValue(m), nil
}

// matchValue returns a match as an object, with a function that returns the next one.
func matchValue(m *found) *jsontree.Object {
	next := &function{name: "next", call: func(e *evaluation, _ []any, _ any) (any, error) {
		following, err := m.next()
		if err != nil || following == nil {
			return undefined{}, err
		}
		return matchValue(following), nil
	}}
	return jsontree.NewObject(
		"match", m.text, "start", int64(m.index), "end", int64(m.index+utf16Length(m.text)),
		"groups", &array{items: m.groups}, "next", next,
	)
}

// utf16Length returns the number of UTF-16 code units in s.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// byteOffset returns the byte offset of a number of UTF-16 code units in s.
func byteOffset(s string, units float64) int {
	n := 0.0
	for i, r := range s {
		if n >= units {
			return i
		}
		n += float64(max(1, utf16.RuneLen(r)))
	}
	return len(s)
}
