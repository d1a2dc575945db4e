package asl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// errIntrinsic is the error that each syntax error of an intrinsic function wraps.
var errIntrinsic = errors.New("asl: invalid intrinsic function")

// An intrinsic is a call of an intrinsic function (States Language, "Intrinsic Functions").
type intrinsic struct {
	text string // The call as written in the definition.
	name string // Such as States.Format.
	args []pathValue
}

// maxIntrinsicDepth is how deep calls may be nested: see "Intrinsic functions" in the developer guide of Step Functions.
const maxIntrinsicDepth = 10

// A formatText is a string literal. It contains an escapeMark before each escaped brace, so that States.Format does not take the
// braces for a placeholder.
type formatText string

// escapeMark is a NUL character, which ordinary strings do not contain.
const escapeMark = "\x00"

func (t formatText) eval(*stateRun) (any, error) {
	return strings.ReplaceAll(string(t), escapeMark, ""), nil
}

// parseIntrinsic parses a call such as States.Format('{}', $.a). The error wraps errIntrinsic.
func parseIntrinsic(text string) (*intrinsic, error) {
	p := intrinsicParser{text: text}
	call, err := p.call(0)
	if err == nil && p.pos < len(text) {
		err = p.fail("unexpected text")
	}
	if err != nil {
		return nil, err
	}
	return call, nil
}

type intrinsicParser struct {
	text string
	pos  int
}

func (p *intrinsicParser) fail(reason string) error {
	return fmt.Errorf("%w: %s at position %d", errIntrinsic, reason, p.pos)
}

func (p *intrinsicParser) skipBlanks() {
	p.pos += len(p.text[p.pos:]) - len(strings.TrimLeft(p.text[p.pos:], " \t\n\r"))
}

// accept skips blanks and consumes c if it comes next. It reports whether it did.
func (p *intrinsicParser) accept(c byte) bool {
	p.skipBlanks()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// call parses a call. depth is the number of calls around it.
func (p *intrinsicParser) call(depth int) (*intrinsic, error) {
	start := p.pos
	open := strings.IndexByte(p.text[start:], '(')
	if open < 0 {
		return nil, p.fail("expected (")
	}

	name := strings.TrimSpace(p.text[start : start+open])
	arity, ok := arities[name]
	if !ok {
		return nil, p.fail("unknown function " + name)
	}
	if depth >= maxIntrinsicDepth {
		return nil, p.fail("nested too deeply")
	}

	p.pos += open + 1
	call := &intrinsic{name: name}
	for !p.accept(')') {
		if len(call.args) > 0 && !p.accept(',') {
			return nil, p.fail("expected , or )")
		}
		arg, err := p.argument(depth)
		if err != nil {
			return nil, err
		}
		call.args = append(call.args, arg)
	}

	if len(call.args) < arity.min || len(call.args) > arity.max {
		return nil, p.fail("wrong number of arguments for " + name)
	}

	call.text = p.text[start:p.pos]
	return call, nil
}

// argument parses one argument: a string, a reference, a call, or another JSON value.
func (p *intrinsicParser) argument(depth int) (pathValue, error) {
	p.skipBlanks()
	rest := p.text[p.pos:]
	switch {
	case rest == "":
		return nil, p.fail("expected an argument")
	case rest[0] == '\'':
		return p.quoted()
	case rest[0] == '$':
		return p.reference()
	case strings.HasPrefix(rest, "States."):
		return p.call(depth + 1)
	}

	end := strings.IndexAny(rest, ",) \t\n\r")
	if end < 0 {
		return nil, p.fail("expected )")
	}

	v, err := jsontree.Parse([]byte(rest[:end]))
	if err != nil {
		return nil, p.fail("expected an argument")
	}

	p.pos += end
	return constant{v}, nil
}

// quoted parses a string in single quotes. Its escapes are \' \{ \} and \\; any other is an error.
func (p *intrinsicParser) quoted() (pathValue, error) {
	var text strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '\'':
			p.pos = i + 1
			return formatText(text.String()), nil
		case '\\':
			i++
			if i == len(p.text) || strings.IndexByte(`'{}\`, p.text[i]) < 0 {
				return nil, p.fail("unsupported escape")
			}
			if p.text[i] == '{' || p.text[i] == '}' {
				text.WriteString(escapeMark)
			}
			text.WriteByte(p.text[i])
		default:
			text.WriteByte(c)
		}
	}

	return nil, p.fail("a quote is not closed")
}

// reference parses a reference up to the comma or parenthesis that ends the argument.
func (p *intrinsicParser) reference() (pathValue, error) {
	depth := 0       // The number of open brackets and parentheses.
	quote := byte(0) // The quote that opened the current string, or 0 outside a string.
	for i := p.pos; i < len(p.text); i++ {
		c := p.text[i]
		switch {
		case quote != 0:
			switch c {
			case '\\':
				i++
			case quote:
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[' || c == '(':
			depth++
		case depth > 0 && (c == ']' || c == ')'):
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			ref, err := parseReference(strings.TrimSpace(p.text[p.pos:i]))
			p.pos = i
			return ref, err
		}
	}

	return nil, p.fail("expected )")
}
