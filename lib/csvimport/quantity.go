package csvimport

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// groupDigits is the number of digits between two thousands separators.
const groupDigits = 3

// thousandsSeparators are the characters that may separate thousands: a comma, the blanks of spreadsheets (also the no-break space, its
// narrow form and the thin space), and the apostrophes of Switzerland. A point is not among them, see parseQuantity.
const thousandsSeparators = ", \u00a0\u202f\u2009'\u2019"

// parseQuantity parses a number from 1 to MaxQuantity. It returns 0 and the reason if the text is no such number. The text may have
//
//   - one of the thousandsSeparators before each group of three digits, the same one everywhere: 1,000
//   - a point and zeros at the end: 2.0
//
// A point and exactly three zeros, as in 1.000, is refused: in some countries it means one, in others a thousand. So is any other point
// before three digits.
func parseQuantity(text []byte) (int64, string) {
	if n, ok := parseDigits(text); ok {
		return inRange(n)
	}
	whole, fraction, hasPoint := bytes.Cut(text, []byte{'.'})
	digits, grouped := joinGroups(whole)
	n, ok := parseDigits(digits)
	switch {
	case !ok:
		return 0, reasonQuantity
	case !hasPoint:
		return inRange(n)
	case len(fraction) == groupDigits && !grouped && isDigits(fraction):
		return 0, reasonPoint
	case len(fraction) == 0 || len(bytes.Trim(fraction, "0")) > 0:
		return 0, reasonQuantity
	default:
		return inRange(n)
	}
}

// inRange returns n if it is a quantity, otherwise 0 and the reason.
func inRange(n int64) (int64, string) {
	if n < 1 || n > MaxQuantity {
		return 0, reasonQuantity
	}
	return n, ""
}

// parseDigits returns the number that is written in digits only, or MaxQuantity+1 if it is larger.
func parseDigits(digits []byte) (int64, bool) {
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), MaxQuantity+1)
	}
	return n, len(digits) > 0
}

// isDigits reports whether the text has digits only.
func isDigits(text []byte) bool {
	_, ok := parseDigits(text)
	return ok
}

// joinGroups returns the digits of a number without its thousands separators, and whether it has some. It returns nil if they are not
// where they should be. The first group must not begin with a zero: 0,500 is no thousands.
func joinGroups(number []byte) ([]byte, bool) {
	at := bytes.IndexFunc(number, func(r rune) bool { return r < '0' || r > '9' })
	if at < 0 {
		return number, false
	}
	r, size := utf8.DecodeRune(number[at:])
	if at == 0 || at > groupDigits || number[0] == '0' || r == utf8.RuneError || !strings.ContainsRune(thousandsSeparators, r) {
		return nil, false
	}
	digits := append([]byte(nil), number[:at]...)
	for group := range bytes.SplitSeq(number[at+size:], number[at:at+size]) {
		if len(group) != groupDigits {
			return nil, false
		}
		digits = append(digits, group...)
	}
	return digits, true
}
