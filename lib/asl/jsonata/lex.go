package jsonata

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsonata/ecmaregexp"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A tokenKind is the class of a token.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenOperator
	tokenName
	tokenVariable
	tokenValue // A string, number, true, false or null.
	tokenRegex
)

// A token is a lexical element of an expression.
type token struct {
	kind  tokenKind
	text  string // The operator, or the name without its $ or backquotes. Of other tokens, a text for error messages.
	value any    // Of tokenValue and tokenRegex.
	pos   int    // The byte offset in the expression.
}

// A lexer splits an expression into tokens.
type lexer struct {
	text      string
	pos       int
	regexSize int // The size of all regular expressions so far.
}

// The operators that are words.
const (
	operatorAnd = "and"
	operatorOr  = "or"
	operatorIn  = "in"
)

const (
	blanks        = " \t\n\r\v"
	twoCharacters = ".. := != >= <= ** ~> ?: ??" // The operators of two characters, separated by blanks.
	oneCharacter  = ".[]{}()@#;:?+-*/%|=<>^&!~," // The operators of one character.
)

// isBlank and endsName hold, for each byte, whether it is white space, and whether it ends a name.
var isBlank, endsName = byteSet(blanks), byteSet(blanks + oneCharacter)

// byteSet returns which bytes occur in chars.
func byteSet(chars string) (set [256]bool) {
	for _, c := range []byte(chars) {
		set[c] = true
	}
	return set
}

// skipBlanks advances past white space and comments.
func (l *lexer) skipBlanks() error {
	for {
		for l.pos < len(l.text) && isBlank[l.text[l.pos]] {
			l.pos++
		}
		if !strings.HasPrefix(l.text[l.pos:], "/*") {
			return nil
		}

		end := strings.Index(l.text[l.pos:], "*/")
		if end < 0 {
			return syntaxError("S0106", l.pos, "Comment has no closing tag")
		}
		l.pos += end + len("*/")
	}
}

// A slashMeaning says what a slash is: it depends on the token before it.
type slashMeaning int

const (
	slashDivides     slashMeaning = iota // After an operand, a slash is the operator /.
	slashBeginsRegex                     // Where an operand is expected, a slash begins a regular expression.
)

// next returns the next token. slash is the meaning of a slash at its beginning.
func (l *lexer) next(slash slashMeaning) (token, error) {
	if err := l.skipBlanks(); err != nil {
		return token{}, err
	}

	start := l.pos
	if start == len(l.text) {
		return token{kind: tokenEnd, text: "(end)", pos: start}, nil
	}

	rest := l.text[start:]
	switch c := rest[0]; {
	case c == '/' && slash == slashBeginsRegex:
		return l.regex()
	case len(rest) > 1 && rest[1] != ' ' && strings.Contains(twoCharacters, rest[:2]): // A blank in twoCharacters is only a separator.
		l.pos += 2
		return token{kind: tokenOperator, text: rest[:2], pos: start}, nil
	case c == '!' || c == '~':
		return token{}, syntaxError("S0204", start, "Unknown operator: "+quote(rest[:1]))
	case strings.IndexByte(oneCharacter, c) >= 0:
		l.pos++
		return token{kind: tokenOperator, text: rest[:1], pos: start}, nil
	default:
		return l.operand(c)
	}
}

// operand reads a token that begins with c and is no operator.
func (l *lexer) operand(c byte) (token, error) {
	switch {
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '`':
		return l.quotedName()
	case c >= '0' && c <= '9':
		return l.number()
	default:
		return l.name()
	}
}

// quotedName reads a name in backquotes.
func (l *lexer) quotedName() (token, error) {
	start := l.pos
	name, _, found := strings.Cut(l.text[start+1:], "`")
	if !found {
		return token{}, syntaxError("S0105", start, "Quoted property name must be terminated with a backquote (`)")
	}
	l.pos += len("`" + name + "`")
	return token{kind: tokenName, text: name, pos: start}, nil
}

// numberPattern matches a JSON number without its sign, at the beginning of a text.
var numberPattern = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?`)

// number reads a number.
func (l *lexer) number() (token, error) {
	text := numberPattern.FindString(l.text[l.pos:])
	start := l.pos
	l.pos += len(text)

	value := jsontree.Number(text)
	if f, ok := value.(float64); ok {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return token{}, syntaxError("S0102", start, "Number out of range: "+text)
		}
		value = numberValue(f)
	}

	return token{kind: tokenValue, text: text, value: value, pos: start}, nil
}

// name reads a name, a variable, or a word with a meaning, such as and or true.
func (l *lexer) name() (token, error) {
	start := l.pos
	for l.pos < len(l.text) && !endsName[l.text[l.pos]] {
		l.pos++
	}

	text := l.text[start:l.pos]
	if variable, ok := strings.CutPrefix(text, "$"); ok {
		return token{kind: tokenVariable, text: variable, pos: start}, nil
	}

	switch text {
	case "":
		return token{}, syntaxError("S0204", start, "Unknown operator: "+l.text[start:start+1])
	case operatorAnd, operatorOr, operatorIn:
		return token{kind: tokenOperator, text: text, pos: start}, nil
	case "true", "false":
		return token{kind: tokenValue, text: text, value: text == "true", pos: start}, nil
	case "null":
		return token{kind: tokenValue, text: text, pos: start}, nil
	default:
		return token{kind: tokenName, text: text, pos: start}, nil
	}
}

// escapes are the characters that may follow a backslash in a string, in addition to u.
const escapes = `"'\/bfnrt`

// quoted reads a string in quotes.
func (l *lexer) quoted(quote byte) (token, error) {
	const escaped = "\"'\\/\b\f\n\r\t" // For each character of escapes, the character that the escape stands for.
	start := l.pos
	var b strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		switch c := l.text[i]; c {
		case quote:
			l.pos = i + 1
			return token{kind: tokenValue, text: "(string)", value: b.String(), pos: start}, nil
		case '\\':
			i++
			if i == len(l.text) {
				break
			}
			if at := strings.IndexByte(escapes, l.text[i]); at >= 0 {
				b.WriteByte(escaped[at])
				continue
			}

			r, size, ok := unicodeEscape(l.text[i:])
			if !ok {
				if l.text[i] == 'u' {
					return token{}, syntaxError("S0104", i, "The escape sequence \\u must be followed by 4 hex digits")
				}
				return token{}, syntaxError("S0103", i, "Unsupported escape sequence: \\"+l.text[i:i+1])
			}

			b.WriteRune(r)
			i += size - 1
		default:
			b.WriteByte(c)
		}
	}

	return token{}, syntaxError("S0101", start, "String literal must be terminated by a matching quote")
}

// unicodeEscape decodes u and four hexadecimal digits at the beginning of s. If they are a high surrogate of UTF-16, it also
// decodes the escape of the low surrogate that must follow. It returns the character and the length of the decoded text. ok is false
// if s does not begin with such an escape.
func unicodeEscape(s string) (r rune, size int, ok bool) {
	const (
		width = len("u0000")
		high  = 0xD800  // The first high surrogate.
		low   = 0xDC00  // The first low surrogate.
		end   = 0xE000  // The first character after the surrogates.
		shift = 10      // The bits of a character in each surrogate.
		plane = 0x10000 // The first character that needs two surrogates.
	)

	if len(s) < width || s[0] != 'u' {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(s[1:width], 16, 32)
	if err != nil {
		return 0, 0, false
	}

	r = rune(n)
	isHighSurrogate := r >= high && r < low
	if !isHighSurrogate || len(s) < width+1 || s[width] != '\\' {
		return r, width, true
	}
	if second, size, ok := unicodeEscape(s[width+1:]); ok && second >= low && second < end {
		return (r-high)<<shift + (second - low) + plane, width + 1 + size, true
	}

	return utf8.RuneError, width, true
}

// regex reads a regular expression between slashes, and its flags.
func (l *lexer) regex() (token, error) {
	start := l.pos
	for i, depth := start+1, 0; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			i++
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '/':
			if depth != 0 {
				continue // As in the reference implementation, a slash in brackets does not end the expression.
			}
			l.pos = i + 1
			for l.pos < len(l.text) && strings.IndexByte("im", l.text[l.pos]) >= 0 {
				l.pos++
			}
			return l.compileRegex(l.text[start+1:i], l.text[i+1:l.pos], start)
		}
	}

	return token{}, syntaxError("S0302", start, "No terminating / in regular expression")
}

// compileRegex returns the token of a regular expression. flags may contain i and m.
func (l *lexer) compileRegex(pattern, flags string, pos int) (token, error) {
	if pattern == "" {
		return token{}, syntaxError("S0301", pos, "Empty regular expressions are not allowed")
	}
	re, err := ecmaregexp.Compile(pattern, flags)
	if err != nil {
		return token{}, fmt.Errorf("%w: %w", syntaxError("S0303", pos, "Invalid regular expression /"+pattern+"/"), err)
	}
	const maxSize = 100_000 // Of all regular expressions together.
	if l.regexSize += re.Size(); l.regexSize > maxSize {
		return token{}, syntaxError("S0303", pos, "The regular expressions are too large")
	}
	return token{kind: tokenRegex, text: pattern, value: &regex{re}, pos: pos}, nil
}
