package jsonata

import (
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A parameter is one parameter of a signature.
type parameter struct {
	types        string // The type letters of valid arguments.
	isArray      bool
	subtype      string // The type letters of an array's items; empty for any type.
	contextTypes string // The type letters of a context value that may replace a missing argument; empty if none may.
	optional     bool   // The argument may be missing.
	repeated     bool   // There may be more than one argument.
}

// A signature is the type of a function, such as <s-nn?:s>: see "Function signatures" in the JSONata documentation.
type signature struct {
	parameters []parameter
}

const typeLetters = "asnblfom" // Array, string, number, boolean, null, function, object, undefined (missing).

// typeLetter returns the letter of v's type in signatures.
func typeLetter(v any) byte {
	switch v.(type) {
	case string:
		return 's'
	case bool:
		return 'b'
	case nil:
		return 'l'
	case *jsontree.Object:
		return 'o'
	case *function, *regex:
		return 'f'
	case undefined:
		return 'm'
	}

	if _, ok := arrayItems(v); ok {
		return 'a'
	}
	return 'n'
}

// parseSignature parses a signature with its angle brackets. It ignores the result type, after the colon.
func parseSignature(text string) (*signature, error) {
	body, ok := strings.CutPrefix(text, "<")
	if !ok || !strings.HasSuffix(text, ">") {
		return nil, syntaxError("S0401", 0, "Malformed function signature "+quote(text))
	}

	body = strings.TrimSuffix(body, ">")

	var s signature
	for i := 0; i < len(body) && body[i] != ':'; {
		letters, width := parameterType(body[i:])
		if width == 0 {
			return nil, syntaxError("S0401", i, "Malformed function signature "+quote(text))
		}
		if strings.Contains(body[i:i+width], "<") {
			return nil, syntaxError("S0402", i, "Choice groups containing parameterized types are not supported")
		}

		p := newParameter(letters)
		i += width
		if i < len(body) && body[i] == '<' {
			end := closingBracket(body[i:])
			if end < 0 || letters != "a" && letters != "f" {
				return nil, syntaxError("S0401", i, "Type parameters can only be applied to functions and arrays")
			}
			p.subtype = body[i+1 : i+end]
			i += end + 1
		}

		if i < len(body) && p.setOption(body[i], letters) {
			i++
		}
		s.parameters = append(s.parameters, p)
	}
	return &s, nil
}

// newParameter returns the parameter of a type without options.
func newParameter(letters string) parameter {
	switch letters {
	case "a": // Any value is accepted, because a single value becomes an array.
		return parameter{types: typeLetters, isArray: true}
	case "f":
		return parameter{types: letters}
	default: // The argument may be undefined.
		return parameter{types: letters + "m"}
	}
}

// setOption sets what an option after a type says. It returns false if c is no option. letters are the letters of the type.
func (p *parameter) setOption(c byte, letters string) bool {
	switch c {
	case '-':
		p.contextTypes, p.optional = letters, true
	case '?':
		p.optional = true
	case '+':
		p.repeated = true
	default:
		return false
	}
	return true
}

// mustSignature does what parseSignature does, for a signature that is valid.
func mustSignature(text string) *signature {
	sig, err := parseSignature(text)
	if err != nil {
		panic(err)
	}
	return sig
}

// parameterType parses the type at the beginning of s. It returns the letters of the accepted types and the length of the
// parsed text, or 0 if there is no type.
func parameterType(s string) (types string, width int) {
	switch c := s[0]; {
	case strings.IndexByte("asnblfo", c) >= 0:
		return s[:1], 1
	case c == 'j':
		return "asnblo", 1
	case c == 'x':
		return "asnblfo", 1
	case c == '(':
		if end := strings.IndexByte(s, ')'); end > 1 {
			return s[1:end], end + 1
		}
	}

	return "", 0
}

// closingBracket returns the index of the > that closes the < at the beginning of s, or -1 if there is none.
func closingBracket(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '<':
			depth++
		case '>':
			depth--
			if depth == 0 {
				return i
			}
		}
	}

	return -1
}

// match finds how many of the arguments belong to each parameter from index i on, when the arguments from index next on have these
// types. It prefers more arguments for an earlier parameter. It also returns the index of the first argument that does not match.
func (s *signature) match(e *evaluation, types []byte, i, next int, counts []int) (mismatch int, ok bool) {
	if i == len(s.parameters) {
		return next, next == len(types)
	}
	if e.step(1) != nil {
		return next, false
	}

	p := s.parameters[i]
	most := 0 // The number of arguments that may belong to the parameter.
	for next+most < len(types) && strings.IndexByte(p.types, types[next+most]) >= 0 && (p.repeated || most == 0) {
		most++
	}
	least := 1
	if p.optional {
		least = 0
	}
	mismatch = next + most
	for n := most; n >= least; n-- {
		counts[i] = n
		at, ok := s.match(e, types, i+1, next+n, counts)
		if ok {
			return 0, true
		}
		mismatch = max(mismatch, at)
	}
	return mismatch, false
}

// bindArgs checks the arguments of the function called name, and returns the arguments for its parameters. The context value v or
// undefined replaces a missing argument. A single value becomes an array if its parameter is an array.
func (s *signature) bindArgs(e *evaluation, name string, args []any, v any) ([]any, error) {
	const few = 8
	var (
		typesArray  [few]byte
		countsArray [few]int
	)
	types, counts := typesArray[:0], countsArray[:]
	for _, arg := range args {
		types = append(types, typeLetter(arg))
	}
	if len(s.parameters) > few {
		counts = make([]int, len(s.parameters))
	}
	if mismatch, ok := s.match(e, types, 0, 0, counts); !ok {
		return nil, evalError("T0410", "Argument "+strconv.Itoa(mismatch+1)+" of function "+quote(name)+" does not match function signature")
	}

	bound := make([]any, 0, max(len(s.parameters), len(args)))
	next := 0 // The index of the next argument.
	for i, p := range s.parameters {
		if counts[i] == 0 {
			if p.contextTypes == "" {
				bound = append(bound, argAt(args, next)) // As in the reference implementation, even if it belongs to the next parameter.
				next++
				continue
			}
			context, err := p.context(v, name, next)
			if err != nil {
				return nil, err
			}
			bound = append(bound, context)
			continue
		}

		for range counts[i] {
			arg, err := p.toArray(e, argAt(args, next), typeAt(types, next), name, next)
			if err != nil {
				return nil, err
			}
			bound = append(bound, arg)
			next++
		}
	}

	return bound, nil
}

// context returns the context value v, which replaces the missing argument at an index from 0.
func (p *parameter) context(v any, name string, index int) (any, error) {
	if a, ok := v.(*array); ok && a.outerWrapper {
		v = a.items[0]
	}
	if strings.IndexByte(p.contextTypes, typeLetter(v)) < 0 && !isUndefined(v) {
		return nil, evalError("T0411", "Context value is not a compatible type with argument "+strconv.Itoa(index+1)+" of function "+quote(name))
	}
	return v, nil
}

// typeAt returns the type letter of argument i.
func typeAt(types []byte, i int) byte {
	if i < len(types) {
		return types[i]
	}
	return 'm'
}

// toArray returns the argument for the parameter p: as an array, whose items have the right type, if p is an array. letter is the
// argument's type letter, index its position from 0, name the function's name.
func (p *parameter) toArray(e *evaluation, arg any, letter byte, name string, index int) (any, error) {
	if !p.isArray || letter == 'm' {
		return arg, nil
	}
	items := itemsOf(arg)
	if p.subtype != "" {
		if err := e.step(len(items)); err != nil {
			return nil, err
		}
		for _, item := range items {
			if typeLetter(item) != p.subtype[0] {
				return nil, evalError("T0412", "Argument "+strconv.Itoa(index+1)+" of function "+quote(name)+
					" must be an array of "+typeNames[p.subtype[0]])
			}
		}
	}

	if letter != 'a' {
		return &array{items: items}, nil
	}
	return arg, nil
}

// typeNames maps a type letter to the plural of the type's name, for error messages.
var typeNames = map[byte]string{
	'a': "arrays", 'b': "booleans", 'f': "functions", 'n': "numbers", 'o': "objects", 's': "strings",
}
