package ecmaregexp

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A span is a range of characters.
type span struct{ from, to rune }

// A class is a set of characters.
type class struct {
	spans   []span
	negated []*class // For \D, \W and \S: the classes \d, \w and \s. What one of them does not contain belongs to this class.
	invert  bool
}

// contains reports whether r belongs to the class.
func (c *class) contains(r rune, ignoreCase bool) bool {
	found := c.has(r)
	if !found && ignoreCase {
		found = c.has(unicode.ToLower(r)) || c.has(unicode.ToUpper(r))
	}
	return found != c.invert
}

func (c *class) has(r rune) bool {
	for _, s := range c.spans {
		if r >= s.from && r <= s.to {
			return true
		}
	}
	for _, other := range c.negated {
		if !other.has(r) {
			return true
		}
	}
	return false
}

// The classes that have an escape.
var (
	digits = class{spans: []span{{'0', '9'}}}
	words  = class{spans: []span{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}
	blanks = class{spans: []span{
		{'\t', '\r'}, {' ', ' '}, {'\u00a0', '\u00a0'}, {'\u1680', '\u1680'}, {'\u2000', '\u200a'}, {'\u2028', '\u2029'},
		{'\u202f', '\u202f'}, {'\u205f', '\u205f'}, {'\u3000', '\u3000'}, {'\ufeff', '\ufeff'},
	}}
)

// classEscape reads d, D, w, W, s or S after a backslash. It returns nil if there is none.
func (p *parser) classEscape() *class {
	if p.pos == len(p.text) {
		return nil
	}
	all := map[byte]*class{'d': &digits, 'w': &words, 's': &blanks}
	c := p.text[p.pos]
	if set, ok := all[c]; ok {
		p.pos++
		return set
	}
	if set, ok := all[c|0x20]; ok && c < 'a' { // The capital letter means the other characters.
		p.pos++
		return &class{negated: []*class{set}}
	}
	return nil
}

// characterEscape reads the escape of one character after its backslash.
func (p *parser) characterEscape() rune {
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	if at := strings.IndexRune("tnvfr", r); at >= 0 {
		return rune("\t\n\v\f\r"[at])
	}
	switch r {
	case '0':
		return 0
	case 'c':
		if p.pos < len(p.text) && isWord(rune(p.text[p.pos])) && p.text[p.pos] > '9' {
			const controlBits = 31 // A control character has the low five bits of its letter: \cJ is 10.
			p.pos++
			return rune(p.text[p.pos-1]) % (controlBits + 1)
		}
		p.pos -= size
		return '\\'
	case 'x':
		return p.hex(r, len("00"))
	case 'u':
		return p.unicode(r)
	default:
		return r
	}
}

// unicode reads the digits of \u, and of the \u after it if both are surrogates, which are one character.
func (p *parser) unicode(letter rune) rune {
	const width = len("0000")
	high := p.hex(letter, width)
	after := p.pos
	if high >= 0xD800 && high < 0xDC00 && p.accept(`\u`) {
		if low := p.hex(letter, width); low >= 0xDC00 && low < 0xE000 {
			return (high-0xD800)<<10 + (low - 0xDC00) + 0x10000
		}
		p.pos = after
	}
	return high
}

// hex reads as many hexadecimal digits as width says, and returns the character with that number. If there are fewer digits, it
// reads nothing and returns letter, the x or u before them: \xZ means xZ.
func (p *parser) hex(letter rune, width int) rune {
	if p.pos+width <= len(p.text) {
		if n, err := strconv.ParseUint(p.text[p.pos:p.pos+width], 16, 32); err == nil {
			p.pos += width
			return rune(n)
		}
	}
	return letter
}

// class reads the rest of a class in brackets.
func (p *parser) class() (*tree, error) {
	set := &class{invert: p.accept("^")}
	for !p.accept("]") {
		from, isClass, err := p.classAtom(set)
		if err != nil {
			return nil, err
		}
		rest := p.text[p.pos:]
		if isClass || !strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "-]") || rest == "-" {
			if !isClass {
				set.spans = append(set.spans, span{from, from})
			}
			continue
		}

		p.pos++
		to, isClass, err := p.classAtom(set)
		switch {
		case err != nil:
			return nil, err
		case isClass: // As in [a-\d]: the dash means itself.
			set.spans = append(set.spans, span{from, from}, span{'-', '-'})
		case to < from:
			return nil, p.fail("range out of order in character class")
		default:
			set.spans = append(set.spans, span{from, to})
		}
	}
	return simple(instruction{op: opClass, class: set}), nil
}

// classAtom reads one character of a class, or adds the class of an escape to it.
func (p *parser) classAtom(set *class) (r rune, isClass bool, err error) {
	if p.pos == len(p.text) {
		return 0, false, p.fail("unterminated character class")
	}
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	if r != '\\' {
		return r, false, nil
	}
	if p.pos == len(p.text) {
		return 0, false, p.fail(`\ at end of pattern`)
	}
	if p.accept("b") {
		return '\b', false, nil
	}
	if escaped := p.classEscape(); escaped != nil {
		set.spans = append(set.spans, escaped.spans...)
		set.negated = append(set.negated, escaped.negated...)
		return 0, true, nil
	}
	return p.characterEscape(), false, nil
}
