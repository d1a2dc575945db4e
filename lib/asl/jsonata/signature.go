package jsonata

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A parameter is one parameter of a signature.
type parameter struct {
	isArray      bool
	subtype      string // The type letter of an array's items; empty for any type.
	contextTypes string // The type letters of a context value that may replace a missing argument; empty if none may.
}

// A signature is the type of a function, such as <s-nn?:s>: see "Function signatures" in the JSONata documentation.
type signature struct {
	parameters []parameter
	pattern    *regexp.Regexp // Matches the type letters of valid arguments, with one group for each parameter.
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

	var (
		s       signature
		pattern strings.Builder
	)
	pattern.WriteByte('^')
	for i := 0; i < len(body) && body[i] != ':'; {
		letters, width := parameterType(body[i:])
		if width == 0 {
			return nil, syntaxError("S0401", i, "Malformed function signature "+quote(text))
		}

		p := parameter{isArray: letters == "a"}
		i += width
		if i < len(body) && body[i] == '<' {
			end := closingBracket(body[i:])
			if end < 0 {
				return nil, syntaxError("S0401", i, "Malformed function signature "+quote(text))
			}
			p.subtype = body[i+1 : i+end]
			i += end + 1
		}

		class := "[" + letters + "m]" // Matches the type letter of the argument, which may be undefined.
		switch letters {
		case "a": // Any value is accepted, because a single value becomes an array.
			class = "[" + typeLetters + "]"
		case "f":
			class = "f"
		}

		if i < len(body) && strings.IndexByte("-?+", body[i]) >= 0 {
			if body[i] == '-' {
				p.contextTypes = letters
				class += "?" // The argument may be missing.
			} else {
				class += body[i : i+1] // ? and + mean the same in a regular expression.
			}
			i++
		}

		pattern.WriteString("(" + class + ")")
		s.parameters = append(s.parameters, p)
	}

	pattern.WriteByte('$')
	re, err := regexp.Compile(pattern.String())
	if err != nil {
		return nil, syntaxError("S0401", 0, "Malformed function signature "+quote(text))
	}

	s.pattern = re
	return &s, nil
}

// parameterType parses the type at the beginning of s. It returns the letters of the accepted types and the length of the
// parsed text, or 0 if there is no type.
func parameterType(s string) (types string, width int) {
	switch c := s[0]; {
	case strings.IndexByte("asnblfo", c) >= 0:
		return s[:1], 1
	case c == 'u':
		return "bnsl", 1
	case c == 'j':
		return "asnblo", 1
	case c == 'x':
		return "asnblfo", 1
	case c == '(':
		if end := strings.IndexByte(s, ')'); end > 1 && !strings.ContainsAny(s[:end], "<[\\^") {
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

// bindArgs checks the arguments of the function called name, and returns the arguments for its parameters. The context value v or
// undefined replaces a missing argument. A single value becomes an array if its parameter is an array.
func (s *signature) bindArgs(name string, args []any, v any) ([]any, error) {
	types := make([]byte, len(args))
	for i, arg := range args {
		types[i] = typeLetter(arg)
	}

	match := s.pattern.FindSubmatch(types)
	if match == nil {
		return nil, evalError("T0410", "Argument "+strconv.Itoa(s.firstMismatch(types))+" of function "+quote(name)+" does not match function signature")
	}

	bound := make([]any, 0, len(s.parameters))
	next := 0 // The index of the next argument.
	for i, p := range s.parameters {
		matched := match[i+1] // The type letters of the arguments for p: several if p ends in +.
		if len(matched) == 0 {
			if p.contextTypes != "" {
				if strings.IndexByte(p.contextTypes, typeLetter(v)) < 0 && !isUndefined(v) {
					return nil, evalError("T0411", "Context value is not a compatible type with argument "+
						strconv.Itoa(next+1)+" of function "+quote(name))
				}
				bound = append(bound, v)
			} else {
				bound = append(bound, undefined{})
			}

			continue
		}

		for _, letter := range matched {
			arg, err := p.toArray(args[next], letter, name, next)
			if err != nil {
				return nil, err
			}
			bound = append(bound, arg)
			next++
		}
	}

	return bound, nil
}

// toArray returns the argument for the parameter p: as an array, whose items have the right type, if p is an array. letter is the
// argument's type letter, index its position from 0, name the function's name.
func (p parameter) toArray(arg any, letter byte, name string, index int) (any, error) {
	if !p.isArray || letter == 'm' {
		return arg, nil
	}
	items := itemsOf(arg)
	if p.subtype != "" {
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

// firstMismatch returns the number, from 1, of the first argument whose type does not match: it matches more and more groups of the
// pattern, until a group fails.
func (s *signature) firstMismatch(types []byte) int {
	parts := strings.SplitAfter(strings.Trim(s.pattern.String(), "^$"), ")")
	matched := 0 // The number of arguments that match.
	for i := range parts {
		re, err := regexp.Compile("^" + strings.Join(parts[:i+1], ""))
		if err != nil {
			break
		}

		found := re.Find(types)
		if found == nil {
			break
		}
		matched = len(found)
	}

	return matched + 1
}
