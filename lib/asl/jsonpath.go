package asl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errPath is the error that each syntax error of a path wraps.
var errPath = errors.New("asl: invalid JSONPath")

// A path is a JSONPath without its root ($, $$ or a variable's name). Its dialect is that of the Jayway library
// (https://github.com/json-path/JsonPath): the error texts of Step Functions are those of that library.
type path struct {
	text     string
	steps    []pathStep
	function *pathFunction // The function at the end; nil if there is none.
}

// A stepKind is a kind of pathStep.
type stepKind int

const (
	stepNames    stepKind = iota // .a or ['a','b']
	stepIndices                  // [0] or [0,2]
	stepSlice                    // [1:3]
	stepWildcard                 // .* or [*]
	stepFilter                   // [?(@.a == 1)]
)

// A pathStep selects children of a value. If deep is set, it also selects children of all values inside that value.
type pathStep struct {
	kind    stepKind
	deep    bool
	names   []string        // Of stepNames.
	indices []int           // Of stepIndices; a negative index counts from the end.
	from    *int            // Of stepSlice; nil means from the first item.
	to      *int            // Of stepSlice; nil means to the last item.
	stride  int             // Of stepSlice.
	filter  filterCondition // Of stepFilter.
}

// isDefinite reports whether the steps of the path select at most one value. The steps of an indefinite path select a list.
func (p *path) isDefinite() bool {
	for _, s := range p.steps {
		if !s.isDefinite() {
			return false
		}
	}
	return true
}

func (s *pathStep) isDefinite() bool {
	return !s.deep && (s.kind == stepNames && len(s.names) == 1 || s.kind == stepIndices && len(s.indices) == 1)
}

// parsePath parses the steps of a path, such as .a['b'][0]. As in Jayway, blanks around them count for nothing. The error wraps errPath.
func parsePath(text string) (*path, error) {
	p := pathParser{text: strings.Trim(text, " ")}
	parsed, err := p.steps()
	if err == nil && p.pos < len(p.text) {
		err = p.fail("unexpected text")
	}
	if err != nil {
		return nil, err
	}
	parsed.text = p.text
	return parsed, nil
}

// A pathParser parses the steps of a path. depth is the nesting of filters at pos.
type pathParser struct {
	text  string
	pos   int
	depth int
}

func (p *pathParser) fail(reason string) error {
	return fmt.Errorf("%w: %s at position %d of %q", errPath, reason, p.pos, p.text)
}

func (p *pathParser) rest() string { return p.text[p.pos:] }

// accept consumes prefix if it comes next. It reports whether it did.
func (p *pathParser) accept(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.pos += len(prefix)
		return true
	}
	return false
}

func (p *pathParser) skipBlanks() {
	p.pos += len(p.rest()) - len(strings.TrimLeft(p.rest(), " \t\n\r"))
}

// steps parses steps up to the first character that does not begin a step.
func (p *pathParser) steps() (*path, error) {
	parsed := &path{}
	for {
		deep := false
		switch {
		case p.accept(".."):
			deep = true
		case p.accept("."), strings.HasPrefix(p.rest(), "["):
		default:
			return parsed, nil
		}

		step, err := p.step()
		if err != nil {
			return nil, err
		}

		if isName := step.kind == stepNames && p.text[p.pos-1] != ']'; isName && !deep && strings.HasPrefix(p.rest(), "(") {
			parsed.function, err = p.function(step.names[0])
			return parsed, err
		}

		step.deep = deep
		parsed.steps = append(parsed.steps, step)
	}
}

// step parses a step in brackets, or the wildcard or name after a dot.
func (p *pathParser) step() (pathStep, error) {
	if p.accept("[") {
		return p.bracket()
	}
	if p.accept("*") {
		return pathStep{kind: stepWildcard}, nil
	}

	ends := ".[]() \t\n\r"
	if p.depth > 0 {
		ends += ",=!<>&|'\"" // In a filter, an operator ends the name.
	}
	end := strings.IndexAny(p.rest(), ends)
	if end < 0 {
		end = len(p.rest())
	}

	name := p.rest()[:end]
	if name == "" {
		return pathStep{}, p.fail("expected a name")
	}

	p.pos += end
	return pathStep{kind: stepNames, names: []string{name}}, nil
}

// bracket parses a step in brackets. The opening bracket has been consumed.
func (p *pathParser) bracket() (pathStep, error) {
	p.skipBlanks()

	var (
		step pathStep
		err  error
	)
	switch {
	case p.accept("*"):
		step.kind = stepWildcard
	case p.accept("?"):
		step, err = p.filterStep()
	case strings.HasPrefix(p.rest(), "'"), strings.HasPrefix(p.rest(), `"`):
		step, err = p.nameList()
	default:
		step, err = p.indexStep()
	}
	if err != nil {
		return pathStep{}, err
	}

	p.skipBlanks()
	if !p.accept("]") {
		return pathStep{}, p.fail("expected ]")
	}
	return step, nil
}

// nameList parses one or more quoted names.
func (p *pathParser) nameList() (pathStep, error) {
	step := pathStep{kind: stepNames}
	for {
		p.skipBlanks()
		name, err := p.quoted()
		if err != nil {
			return pathStep{}, err
		}

		step.names = append(step.names, name)
		p.skipBlanks()
		if !p.accept(",") {
			return step, nil
		}
	}
}

// quoted parses a string in single or double quotes. A backslash escapes the quote; before any other character it is literal.
func (p *pathParser) quoted() (string, error) {
	if p.rest() == "" || strings.IndexByte(`'"`, p.rest()[0]) < 0 {
		return "", p.fail("expected a quote")
	}

	quote := p.rest()[0]
	var name strings.Builder
	for i := p.pos + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == quote:
			p.pos = i + 1
			return name.String(), nil
		case c == '\\' && i+1 < len(p.text) && p.text[i+1] == quote:
			name.WriteByte(quote)
			i++
		default:
			name.WriteByte(c)
		}
	}

	return "", p.fail("a quote is not closed")
}

// indexStep parses an index, a list of indexes, or a slice.
func (p *pathParser) indexStep() (pathStep, error) {
	end := strings.IndexByte(p.rest(), ']')
	if end < 0 {
		return pathStep{}, p.fail("expected ]")
	}

	inside := p.rest()[:end]
	if strings.Contains(inside, ":") {
		step, err := sliceStep(inside)
		if err != nil {
			return pathStep{}, p.fail("invalid slice")
		}
		p.pos += end
		return step, nil
	}

	step := pathStep{kind: stepIndices}
	for part := range strings.SplitSeq(inside, ",") {
		i, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return pathStep{}, p.fail("expected an index")
		}
		step.indices = append(step.indices, i)
	}

	p.pos += end
	return step, nil
}

// sliceStep parses a slice, from:to or from:to:stride. Each part may be missing.
func sliceStep(inside string) (pathStep, error) {
	const maxParts = 3
	step := pathStep{kind: stepSlice, stride: 1}
	parts := strings.Split(inside, ":")
	if len(parts) > maxParts {
		return step, errPath
	}

	for i, part := range parts {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}

		n, err := strconv.Atoi(part)
		if err != nil {
			return step, errPath
		}

		switch i {
		case 0:
			step.from = &n
		case 1:
			step.to = &n
		default:
			if n < 1 {
				return step, errPath
			}
			step.stride = n
		}
	}
	return step, nil
}
