// Package ecmaregexp matches regular expressions of JavaScript (ECMA-262, without the flags u and v), including back-references,
// lookahead and lookbehind.
//
// A match counts its steps against a budget, so that no expression hangs. Texts are UTF-8, and a character is a Unicode code point.
package ecmaregexp

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrBudget is the error of Match when the steps are used up.
var ErrBudget = errors.New("ecmaregexp: too many steps")

// ErrSyntax is the error of Compile for an invalid expression.
var ErrSyntax = errors.New("ecmaregexp: invalid regular expression")

// A Regexp is a compiled regular expression. It is safe for concurrent use.
type Regexp struct {
	program    []instruction
	groups     int // The number of capturing groups.
	marks      int // The number of positions that loops remember.
	ignoreCase bool
	multiline  bool
	prefix     string // Each match begins with this text.
}

// Compile parses a regular expression. flags may contain i (ignore case) and m (^ and $ also match at line breaks).
func Compile(pattern, flags string) (*Regexp, error) {
	re := &Regexp{ignoreCase: strings.Contains(flags, "i"), multiline: strings.Contains(flags, "m")}
	p := parser{text: pattern}
	tree, err := p.parse()
	if err != nil {
		return nil, err
	}

	c := compiler{re: re}
	if err := c.emit(tree, false); err != nil {
		return nil, err
	}
	if err := c.add(instruction{op: opMatch}); err != nil {
		return nil, err
	}
	re.groups = p.groups
	if !re.ignoreCase {
		for _, in := range re.program {
			if in.op != opRune || in.r == utf8.RuneError {
				break
			}
			re.prefix += string(in.r)
		}
	}
	return re, nil
}

// Size returns the number of instructions of the compiled expression: each takes about 100 bytes.
func (re *Regexp) Size() int { return len(re.program) }

// Match finds the first match in s at byte offset from or later. It returns the byte offsets of the start and end of the match and of
// each group, with -1 for a group that matches nothing; or nil if there is no match. It subtracts its steps from *budget.
func (re *Regexp) Match(s string, from int, budget *int) ([]int, error) {
	m := matcher{
		re: re, text: s, budget: budget, captures: make([]int, 2*(re.groups+1)), marks: make([]int, re.marks),
	}
	for start := from; start <= len(s); {
		if re.prefix != "" {
			i := strings.Index(s[start:], re.prefix)
			if i < 0 {
				return nil, nil
			}
			start += i
		}
		for i := range m.captures {
			m.captures[i] = -1
		}
		end, ok, err := m.run(0, start)
		if err != nil {
			return nil, err
		}
		if ok {
			m.captures[0], m.captures[1] = start, end
			return m.captures, nil
		}
		_, size := utf8.DecodeRuneInString(s[start:])
		start += max(size, 1)
	}
	return nil, nil
}

// An undo is what the matcher does when it backtracks: it goes on at pc, or restores a captured offset or a mark first.
type undo struct {
	pc, pos  int
	register int // The register that is restored: see matcher.set. -1 means that the matcher goes on at pc.
}

// maxUndo is the greatest number of undos that a matcher holds.
const maxUndo = 1 << 20

// A matcher is one attempt to match.
type matcher struct {
	re       *Regexp
	text     string
	budget   *int
	captures []int
	marks    []int
	stack    []undo
}

// set sets a register: a captured offset or, after these, a mark. The old value comes back when the matcher backtracks.
func (m *matcher) set(register, value int) {
	target := m.register(register)
	m.stack = append(m.stack, undo{pos: *target, register: register})
	*target = value
}

func (m *matcher) register(i int) *int {
	if i < len(m.captures) {
		return &m.captures[i]
	}
	return &m.marks[i-len(m.captures)]
}

// backtrack undoes what was done since the last choice above base, and returns where the matcher goes on. ok is false if there is no
// choice left.
func (m *matcher) backtrack(base int) (pc, pos int, ok bool) {
	for len(m.stack) > base {
		last := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if last.register < 0 {
			return last.pc, last.pos, true
		}
		*m.register(last.register) = last.pos
	}
	return 0, 0, false
}

// run matches from the instruction pc and the offset pos. It returns the end of the match.
func (m *matcher) run(pc, pos int) (end int, ok bool, err error) {
	base := len(m.stack)
	for {
		if *m.budget--; *m.budget < 0 || len(m.stack) > maxUndo {
			return 0, false, ErrBudget
		}

		in := &m.re.program[pc]
		advance := true // Whether the instruction matches.
		next := pc + 1
		switch in.op {
		case opMatch:
			return pos, true, nil
		case opRune, opAny, opClass:
			pos, advance = m.character(in, pos)
		case opBackReference:
			pos, advance = m.backReference(in, pos)
		case opJump:
			next = in.to
		case opSplit:
			m.stack = append(m.stack, undo{pc: in.other, pos: pos, register: -1})
			next = in.to
		case opLook:
			next = in.to
			if advance, err = m.look(in, pc, pos); err != nil {
				return 0, false, err
			}
		case opSave, opReset, opMark:
			m.store(in, pos)
		default:
			advance = m.assert(in, pos)
		}

		pc = next
		if !advance {
			if pc, pos, ok = m.backtrack(base); !ok {
				return 0, false, nil
			}
		}
	}
}

// store changes the registers as an instruction says.
func (m *matcher) store(in *instruction, pos int) {
	switch in.op {
	case opSave:
		m.set(in.to, pos)
	case opMark:
		m.set(len(m.captures)+in.to, pos)
	default:
		for i := in.to; i < in.other; i++ {
			if m.captures[i] >= 0 {
				m.set(i, -1)
			}
		}
	}
}

// assert reports whether an instruction that matches no characters matches at pos.
func (m *matcher) assert(in *instruction, pos int) bool {
	switch in.op {
	case opProgress:
		return m.marks[in.to] != pos
	case opBegin:
		return pos == 0 || m.re.multiline && isLineBreak(runeBefore(m.text, pos))
	case opEnd:
		return pos == len(m.text) || m.re.multiline && isLineBreak(runeAt(m.text, pos))
	default:
		isBoundary := isWord(runeBefore(m.text, pos)) != isWord(runeAt(m.text, pos))
		return isBoundary != in.negated
	}
}

// look matches the program of a lookahead or lookbehind, which begins after pc. What it captures stays, unless it is negated.
func (m *matcher) look(in *instruction, pc, pos int) (bool, error) {
	base := len(m.stack)
	_, found, err := m.run(pc+1, pos)
	if err != nil {
		return false, err
	}
	if !found {
		return in.negated, nil
	}
	if in.negated {
		for len(m.stack) > base {
			m.backtrack(base)
		}
		return false, nil
	}

	// The choices inside are not tried again: only the undos of registers stay.
	remaining := m.stack[:base]
	for _, u := range m.stack[base:] {
		if u.register >= 0 {
			remaining = append(remaining, u)
		}
	}
	m.stack = remaining
	return true, nil
}

// character matches one character at pos, or before pos in a lookbehind. It returns the offset behind it.
func (m *matcher) character(in *instruction, pos int) (next int, ok bool) {
	var (
		r    rune
		size int
	)
	switch {
	case in.backward:
		r, size = utf8.DecodeLastRuneInString(m.text[:pos])
		next = pos - size
	case pos < len(m.text) && m.text[pos] < utf8.RuneSelf:
		r, size = rune(m.text[pos]), 1
		next = pos + 1
	default:
		r, size = utf8.DecodeRuneInString(m.text[pos:])
		next = pos + size
	}
	if size == 0 {
		return pos, false
	}

	switch in.op {
	case opRune:
		return next, r == in.r || m.re.ignoreCase && fold(r) == fold(in.r)
	case opAny:
		return next, !isLineBreak(r)
	default:
		return next, in.class.contains(r, m.re.ignoreCase)
	}
}

// backReference matches the text of a group again.
func (m *matcher) backReference(in *instruction, pos int) (next int, ok bool) {
	from, to := m.captures[2*in.to], m.captures[2*in.to+1]
	if from < 0 || to < 0 {
		return pos, true
	}
	captured := m.text[from:to]
	*m.budget -= len(captured)
	if in.backward {
		start := pos - len(captured)
		return start, start >= 0 && m.sameText(m.text[start:pos], captured)
	}
	end := pos + len(captured)
	return end, end <= len(m.text) && m.sameText(m.text[pos:end], captured)
}

func (m *matcher) sameText(a, b string) bool {
	return a == b || m.re.ignoreCase && strings.EqualFold(a, b)
}

// fold maps a character to its upper case, as the flag i does.
func fold(r rune) rune {
	upper := unicode.ToUpper(r)
	if r >= utf8.RuneSelf && upper < utf8.RuneSelf { // As in JavaScript, no other character folds to ASCII.
		return r
	}
	return upper
}

func runeAt(s string, pos int) rune {
	r, size := utf8.DecodeRuneInString(s[pos:])
	if size == 0 {
		return -1
	}
	return r
}

func runeBefore(s string, pos int) rune {
	r, size := utf8.DecodeLastRuneInString(s[:pos])
	if size == 0 {
		return -1
	}
	return r
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }

func isWord(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
