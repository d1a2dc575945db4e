package format

import (
	"strings"
	"unicode"
)

const (
	// replacement stands for a character that must not reach a terminal.
	replacement = '�'
	// maxMarks is the number of combining marks that may follow a character: more would cover other lines.
	maxMarks = 2
	// zeroWidthJoiner joins emoji, and the variation selectors choose their look. Terminals disagree about the width of the
	// result.
	zeroWidthJoiner = '\u200d'
)

// Text returns a text of somebody else so that it is safe on a terminal, in one line. Control characters, also those of
// eight bits, begin commands of terminals, and characters of direction change the order of what follows: they are replaced.
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

// ASCII returns a text with a question mark in place of each character that is not ASCII, for terminals that do not
// understand UTF-8: they would take some of its bytes for control characters.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
