package jsonata

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A parameter is one parameter of a signature.
type parameter struct {
	isArray bool
	subtype string // The type of an array's items; empty for any.
	context string // The types that the context value may have when it stands in for the argument; empty if it may not.
}

// A signature is the type of a function, such as <s-nn?:s>: see "Function signatures" in the JSONata documentation.
type signature struct {
	parameters []parameter
	pattern    *regexp.Regexp
}

const letters = "asnblfom" // array, string, number, boolean, null, function, object, missing

func letterOf(v any) byte {
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

	if _, ok := asArray(v); ok {
		return 'a'
	}
	return 'n'
}

// parseSignature reads the text of a signature, angle brackets included. What follows the colon is not checked.
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
		choice, width := parameterType(body[i:])
		if width == 0 {
			return nil, syntaxError("S0401", i, "Malformed function signature "+quote(text))
		}

		p := parameter{isArray: choice == "a"}
		i += width
		if i < len(body) && body[i] == '<' {
			end := closing(body[i:])
			if end < 0 {
				return nil, syntaxError("S0401", i, "Malformed function signature "+quote(text))
			}
			p.subtype = body[i+1 : i+end]
			i += end + 1
		}

		class := "[" + choice + "m]"
		if choice == "a" {
			class = "[" + letters + "]"
		}
		if choice == "f" {
			class = "f"
		}

		if i < len(body) && strings.IndexByte("-?+", body[i]) >= 0 {
			if body[i] == '-' {
				p.context = choice
				class += "?"
			} else {
				class += body[i : i+1]
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

// parameterType returns the letters of the types at the beginning of s, and the width of what it read.
func parameterType(s string) (string, int) {
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

// closing returns the index of the bracket that closes the one at the beginning of s.
func closing(s string) int {
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

// check returns the arguments as the function named name takes them: with the context value v for one that is left out,
// and single values made arrays.
func (s *signature) check(name string, args []any, v any) ([]any, error) {
	types := make([]byte, len(args))
	for i, arg := range args {
		types[i] = letterOf(arg)
	}

	match := s.pattern.FindSubmatch(types)
	if match == nil {
		return nil, evalError("T0410", "Argument "+strconv.Itoa(s.mismatch(types))+" of function "+quote(name)+" does not match function signature")
	}

	checked := make([]any, 0, len(s.parameters))
	next := 0
	for i, p := range s.parameters {
		matched := match[i+1]
		if len(matched) == 0 {
			if p.context != "" {
				if strings.IndexByte(p.context, letterOf(v)) < 0 && !isUndefined(v) {
					return nil, evalError("T0411", "Context value is not a compatible type with argument "+
						strconv.Itoa(next+1)+" of function "+quote(name))
				}
				checked = append(checked, v)
			} else {
				checked = append(checked, undefined{})
			}

			continue
		}

		for _, letter := range matched {
			arg, err := p.convert(args[next], letter, name, next)
			if err != nil {
				return nil, err
			}
			checked = append(checked, arg)
			next++
		}
	}

	return checked, nil
}

// convert makes an array of a single argument where one is due.
func (p parameter) convert(arg any, letter byte, name string, index int) (any, error) {
	if !p.isArray || letter == 'm' {
		return arg, nil
	}
	items := listOf(arg)
	if p.subtype != "" {
		for _, item := range items {
			if letterOf(item) != p.subtype[0] {
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

var typeNames = map[byte]string{
	'a': "arrays", 'b': "booleans", 'f': "functions", 'n': "numbers", 'o': "objects", 's': "strings",
}

// mismatch returns the number, from 1, of the first argument that does not fit.
func (s *signature) mismatch(types []byte) int {
	parts := strings.SplitAfter(strings.Trim(s.pattern.String(), "^$"), ")")
	fits := 0
	for i := range parts {
		re, err := regexp.Compile("^" + strings.Join(parts[:i+1], ""))
		if err != nil {
			break
		}

		found := re.Find(types)
		if found == nil {
			break
		}

		fits = len(found)
	}

	return fits + 1
}
