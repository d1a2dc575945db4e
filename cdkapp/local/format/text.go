package format

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// replacement stands for a character that must not reach a terminal.
	replacement = '�'
	// maxMarks is the number of combining marks that may follow a character. More of them would cover other lines.
	maxMarks = 2
	// zeroWidthJoiner joins several emoji to one. SafeText drops it, because terminals disagree about the width of the joined emoji. For
	// the same reason SafeText drops the variation selectors, which choose between two forms of an emoji.
	zeroWidthJoiner = '\u200d'
)

// SafeText makes a text from outside of this program safe to print on a terminal, in one line. It replaces
//
//   - control characters (also those from U+0080 to U+009F), because they begin commands of terminals
//   - characters that set the direction of writing, because they change the order of the characters after them
//   - other characters that cannot be printed
//
// White space becomes a blank. SafeText drops the characters that the constants of this file describe.
func SafeText(s string) string {
	var b strings.Builder
	marks := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			if marks++; marks > maxMarks || unicode.Is(unicode.Variation_Selector, r) {
				continue
			}
			b.WriteRune(r)
			continue
		case r == zeroWidthJoiner:
			continue
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteRune(replacement)
		}
		marks = 0
	}

	return b.String()
}

// SafeJSON returns a JSON text of the same value, in which the characters that SafeText replaces or drops are escaped, except line ends
// and the blanks of other languages.
func SafeJSON(text []byte) []byte {
	safe := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r == '\n' || unicode.IsPrint(r) && r != zeroWidthJoiner:
			safe = utf8.AppendRune(safe, r)
		case r <= 0xFFFF:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		}
	}
	return safe
}

// ASCII returns a text with a question mark in place of each control character and each character that is not ASCII. It is for
// terminals that do not understand UTF-8, because such a terminal would take some bytes of UTF-8 for control characters.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
