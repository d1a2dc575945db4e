package jsonata

import (
	"cmp"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/xiatechs/jsonata-go/jlib"
	"github.com/xiatechs/jsonata-go/jtypes"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A decimalFormat is the third argument of $formatNumber: it maps names of symbols, such as minus-sign, to the symbols.
type decimalFormat map[string]any

// symbol returns a symbol, or fallback if the format does not set it.
func (f decimalFormat) symbol(name, fallback string) string {
	s, _ := f[name].(string)
	return cmp.Or(s, fallback)
}

// format formats a number as a picture says (XPath functions 3.1, section 4.7).
func (f decimalFormat) format(x float64, picture string) (string, error) {
	text, err := jlib.FormatNumber(x, picture, jtypes.NewOptionalValue(reflect.ValueOf(map[string]any(f))))
	if err != nil {
		return "", evalError("D3080", err.Error())
	}
	return text, nil
}

// formatNumberPicture evaluates $formatNumber.
func formatNumberPicture(args []any) (any, error) {
	f := decimalFormat{}
	if o, ok := argAt(args, 2).(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			f[key], _ = o.Get(key)
		}
	}

	x, picture := numberArg(args, 0, 0), stringArg(args, 1)
	if x > 0 || !strings.Contains(picture, f.exponentSeparator()) {
		return f.format(x, picture)
	}
	return f.formatWithExponent(x, picture)
}

func (f decimalFormat) exponentSeparator() string { return f.symbol("exponent-separator", "e") }

// formatWithExponent formats a number that is not positive, by a picture with an exponent: the library's loops would not end. It
// formats -x, and 0 without the exponent.
func (f decimalFormat) formatWithExponent(x float64, picture string) (string, error) {
	sign := ""
	positive, negative, _ := strings.Cut(picture, f.symbol("pattern-separator", ";"))
	switch {
	case x == 0:
		picture = positive
	case negative != "":
		picture = negative
	default:
		sign, picture = f.symbol("minus-sign", "-"), positive
	}

	if x != 0 {
		text, err := f.format(-x, picture)
		return sign + text, err
	}

	if text, err := f.format(1, picture); err != nil { // The picture is invalid.
		return text, err
	}
	mantissa, rest, found := strings.Cut(picture, f.exponentSeparator())
	hasDigits := strings.ContainsFunc(mantissa, func(r rune) bool { return f.isDigit(r) || string(r) == f.symbol("digit", "#") })
	if !found || !hasDigits { // A separator before the digits belongs to the prefix of the number.
		return f.format(0, picture)
	}

	suffix := strings.TrimLeftFunc(rest, f.isDigit)
	digits := utf8.RuneCountInString(rest) - utf8.RuneCountInString(suffix)
	text, err := f.format(0, mantissa)
	return text + f.exponentSeparator() + strings.Repeat(f.symbol("zero-digit", "0"), digits) + suffix, err
}

// isDigit reports whether r is a decimal digit of the format.
func (f decimalFormat) isDigit(r rune) bool {
	zero, _ := utf8.DecodeRuneInString(f.symbol("zero-digit", "0"))
	return r >= zero && r < zero+10
}
