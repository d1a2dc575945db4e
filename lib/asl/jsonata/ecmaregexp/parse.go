package ecmaregexp

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A treeKind is the kind of a tree's root.
type treeKind int

const (
	kindSimple treeKind = iota
	kindSequence
	kindAlternatives
	kindGroup
	kindLook
	kindRepeat
)

// A tree is the syntax tree of an expression.
type tree struct {
	kind        treeKind
	instruction instruction // Of kindSimple.
	parts       []*tree
	group       int // The number of a capturing group.

	negated, behind bool // Of kindLook.

	least, most        int // The number of repetitions; -1 means that there is no limit.
	lazy               bool
	fromGroup, toGroup int // The groups inside a repetition.
}

const maxNesting = 200

// A parser reads an expression.
type parser struct {
	text   string
	pos    int
	groups int
	total  int            // The number of groups in the whole expression.
	names  map[string]int // The named groups.
	depth  int
}

func (p *parser) fail(what string) error {
	return fmt.Errorf("%w: %s at offset %d", ErrSyntax, what, p.pos)
}

func (p *parser) parse() (*tree, error) {
	p.countGroups()
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.text) {
		return nil, p.fail("unmatched )")
	}
	return n, nil
}

// countGroups finds the groups first, because a back-reference may come before its group.
func (p *parser) countGroups() {
	p.names = map[string]int{}
	inClass := false
	for i := 0; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\':
			i++
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '(' && !inClass:
			rest := p.text[i+1:]
			isNamed := strings.HasPrefix(rest, "?<") && !strings.HasPrefix(rest, "?<=") && !strings.HasPrefix(rest, "?<!")
			if strings.HasPrefix(rest, "?") && !isNamed {
				continue
			}
			p.total++
			if isNamed {
				name, _, _ := strings.Cut(rest[len("?<"):], ">")
				p.names[name] = p.total
			}
		}
	}
}

func (p *parser) accept(s string) bool {
	if !strings.HasPrefix(p.text[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	return true
}

func (p *parser) alternatives() (*tree, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.fail("groups are nested too deeply")
	}
	defer func() { p.depth-- }()
	n := &tree{kind: kindAlternatives}
	for {
		part, err := p.sequence()
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
		if !p.accept("|") {
			break
		}
	}
	if len(n.parts) == 1 {
		return n.parts[0], nil
	}
	return n, nil
}

func (p *parser) sequence() (*tree, error) {
	n := &tree{kind: kindSequence}
	for p.pos < len(p.text) && p.text[p.pos] != '|' && p.text[p.pos] != ')' {
		before := p.groups
		part, err := p.term()
		if err != nil {
			return nil, err
		}
		if part, err = p.quantifier(part, before); err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	if len(n.parts) == 1 {
		return n.parts[0], nil
	}
	return n, nil
}

// quantifier reads the quantifier of a part, if there is one. before is the number of groups before the part.
func (p *parser) quantifier(part *tree, before int) (*tree, error) {
	n := &tree{kind: kindRepeat, parts: []*tree{part}, most: -1, fromGroup: before + 1, toGroup: p.groups + 1}
	switch {
	case p.accept("*"):
	case p.accept("+"):
		n.least = 1
	case p.accept("?"):
		n.most = 1
	default:
		least, most, width := bounds(p.text[p.pos:])
		if width == 0 {
			return part, nil
		}
		p.pos += width
		n.least, n.most = least, most
		if most >= 0 && most < least {
			return nil, p.fail("numbers out of order in {} quantifier")
		}
	}

	isAssertion := part.kind == kindLook && part.behind || part.kind == kindSimple && part.instruction.op >= opBegin && part.instruction.op <= opWord
	if isAssertion {
		return nil, p.fail("nothing to repeat")
	}
	n.lazy = p.accept("?")
	return n, nil
}

// bounds reads {n}, {n,} or {n,m}. width is 0 if s does not begin with one of these.
func bounds(s string) (least, most, width int) {
	body, _, found := strings.Cut(strings.TrimPrefix(s, "{"), "}")
	if !found || !strings.HasPrefix(s, "{") {
		return 0, 0, 0
	}
	first, second, isRange := strings.Cut(body, ",")
	least, ok := count(first)
	if !ok {
		return 0, 0, 0
	}
	most = least
	if isRange {
		most = -1
		if second != "" {
			if most, ok = count(second); !ok {
				return 0, 0, 0
			}
		}
	}
	return least, most, len(body) + len("{}")
}

// count reads a number of repetitions. It returns at most maxProgram, which no program reaches.
func count(s string) (n int, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		n = maxProgram
	}
	return min(n, maxProgram), true
}

func simple(in instruction) *tree { return &tree{kind: kindSimple, instruction: in} }

func literal(r rune) *tree { return simple(instruction{op: opRune, r: r}) }

// term reads a part without its quantifier.
func (p *parser) term() (*tree, error) {
	r, size := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += size
	switch r {
	case '^':
		return simple(instruction{op: opBegin}), nil
	case '$':
		return simple(instruction{op: opEnd}), nil
	case '.':
		return simple(instruction{op: opAny}), nil
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '\\':
		return p.escape()
	case '*', '+', '?':
		return nil, p.fail("nothing to repeat")
	case '{':
		if _, _, width := bounds(p.text[p.pos-1:]); width > 0 {
			return nil, p.fail("nothing to repeat")
		}
	}
	return literal(r), nil
}

// group reads the rest of a group or a lookaround.
func (p *parser) group() (*tree, error) {
	n := &tree{kind: kindGroup}
	switch {
	case p.accept("?:"):
	case p.accept("?="):
		n.kind = kindLook
	case p.accept("?!"):
		n.kind, n.negated = kindLook, true
	case p.accept("?<="):
		n.kind, n.behind = kindLook, true
	case p.accept("?<!"):
		n.kind, n.behind, n.negated = kindLook, true, true
	case p.accept("?<"):
		name, _, found := strings.Cut(p.text[p.pos:], ">")
		if !found || name == "" {
			return nil, p.fail("invalid capture group name")
		}
		p.pos += len(name) + len(">")
		p.groups++
		n.group = p.groups
	case p.accept("?"):
		return nil, p.fail("invalid group")
	default:
		p.groups++
		n.group = p.groups
	}

	body, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	n.parts = []*tree{body}
	if !p.accept(")") {
		return nil, p.fail("unterminated group")
	}
	return n, nil
}

// escape reads what follows a backslash outside a class.
func (p *parser) escape() (*tree, error) {
	if p.pos == len(p.text) {
		return nil, p.fail(`\ at end of pattern`)
	}
	switch c := p.text[p.pos]; {
	case c == 'b', c == 'B':
		p.pos++
		return simple(instruction{op: opWord, negated: c == 'B'}), nil
	case c >= '1' && c <= '9':
		width := len(p.text[p.pos:]) - len(strings.TrimLeft(p.text[p.pos:], "0123456789"))
		if group, err := strconv.Atoi(p.text[p.pos : p.pos+width]); err == nil && group <= p.total {
			p.pos += width
			return simple(instruction{op: opBackReference, to: group}), nil
		}
	case c == 'k' && len(p.names) > 0:
		name, _, found := strings.Cut(strings.TrimPrefix(p.text[p.pos+1:], "<"), ">")
		group, exists := p.names[name]
		if !found || !exists {
			return nil, p.fail("invalid named reference")
		}
		p.pos += len("k<>") + len(name)
		return simple(instruction{op: opBackReference, to: group}), nil
	}

	if set := p.classEscape(); set != nil {
		return simple(instruction{op: opClass, class: set}), nil
	}
	return literal(p.characterEscape()), nil
}
