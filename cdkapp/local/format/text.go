package format

import (
	"strings"
	"unicode"
)

const (
	// replacement stands for a character that must not reach a terminal.
	replacement = '�'
	// maxMarks is the number of combining marks that may follow a character. More of them would cover other lines.
	maxMarks = 2
	// zeroWidthJoiner joins several emoji to one. Text drops it, because terminals disagree about the width of the joined emoji. For
	// the same reason Text drops the variation selectors, which choose between two forms of an emoji.
	zeroWidthJoiner = '\u200d'
)

// Text makes a text from outside of this program safe to print on a terminal, in one line. It replaces
//
//   - control characters (also those from U+0080 to U+009F), because they begin commands of terminals
//   - characters that set the direction of writing, because they change the order of the characters after them
//   - other characters that cannot be printed
//
// White space becomes a blank. Text drops the characters that the constants of this file describe.
func Text(s string) string {
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
