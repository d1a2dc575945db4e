package jsonata

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A decimalFormat holds the symbols of pictures of numbers (XPath functions 3.1, section 4.7.1).
type decimalFormat struct {
	symbols map[string]string
	zero    rune
}

// defaultSymbols are the symbols that the third argument of $formatNumber may replace.
var defaultSymbols = map[string]string{
	"decimal-separator": ".", "grouping-separator": ",", "exponent-separator": "e", "infinity": "Infinity", "minus-sign": "-",
	"NaN": "NaN", "percent": "%", "per-mille": "\u2030", "zero-digit": "0", "digit": "#", "pattern-separator": ";",
}

// newDecimalFormat returns the format with the symbols of an object; o may be nil.
func newDecimalFormat(o *jsontree.Object) decimalFormat {
	f := decimalFormat{symbols: map[string]string{}}
	for name, symbol := range defaultSymbols {
		f.symbols[name] = symbol
		if o == nil {
			continue
		}
		if own, ok := o.Get(name); ok {
			if text, ok := own.(string); ok && text != "" {
				f.symbols[name] = text
			}
		}
	}
	f.zero, _ = utf8.DecodeRuneInString(f.symbols["zero-digit"])
	return f
}

// formatNumberPicture evaluates $formatNumber.
func formatNumberPicture(e *evaluation, args []any) (any, error) {
	o, _ := argAt(args, 2).(*jsontree.Object)
	f := newDecimalFormat(o)
	x, picture := numberArg(args, 0, 0), stringArg(args, 1)
	if len(picture) > maxPicture {
		return nil, evalError("D3080", "The picture string is too long")
	}
	if err := e.step(len(picture)); err != nil {
		return nil, err
	}

	subpictures := strings.Split(picture, f.symbols["pattern-separator"])
	const most = 2 // One for numbers from 0 on, one for negative numbers.
	if len(subpictures) > most {
		return nil, evalError("D3080", "The picture string must only contain a maximum of two sub-pictures")
	}
	parsed := make([]subpicture, 0, most)
	for _, text := range subpictures {
		s, err := f.parse(text)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, s)
	}

	s := parsed[0]
	if x < 0 {
		if len(parsed) == 1 {
			s.prefix = f.symbols["minus-sign"] + s.prefix
		} else {
			s = parsed[1]
		}
		x = -x
	}
	text := f.format(s, x)
	return text, e.reserve(len(text))
}

// A subpicture is a part of a picture of numbers.
type subpicture struct {
	prefix, suffix   string
	multiplier       int // 1, or 100 for percent, or 1000 for per-mille.
	leastInteger     int // The least number of digits before the decimal separator.
	scaling          int // The number of those digits if there is an exponent.
	leastFraction    int
	mostFraction     int
	leastExponent    int // 0 means that there is no exponent.
	integerGroups    []int
	groupInterval    int // The size of all groups of the integer part, or 0.
	fractionalGroups []int
}

// isActive reports whether r is not part of a prefix or suffix.
func (f decimalFormat) isActive(r rune) bool {
	text := string(r)
	return f.isDigit(r) || text == f.symbols["decimal-separator"] || text == f.symbols["grouping-separator"] || text == f.symbols["digit"]
}

// isDigit reports whether r is a decimal digit of the format.
func (f decimalFormat) isDigit(r rune) bool { return r >= f.zero && r < f.zero+10 }

// parse checks and parses a subpicture.
func (f decimalFormat) parse(text string) (subpicture, error) {
	first := strings.IndexFunc(text, f.isActive)
	if first < 0 {
		first = len(text)
	}
	last := first // The end of the active part: an exponent separator between digits belongs to it.
	if i := strings.LastIndexFunc(text, f.isActive); i >= 0 {
		_, size := utf8.DecodeRuneInString(text[i:])
		last = i + size
	}

	s := subpicture{prefix: text[:first], suffix: text[last:], multiplier: 1}
	active := text[first:last]
	mantissa, exponent, hasExponent := strings.Cut(active, f.symbols["exponent-separator"])
	integer, fraction, hasFraction := strings.Cut(mantissa, f.symbols["decimal-separator"])
	parts := splitSubpicture{
		text: text, active: active, mantissa: mantissa, exponent: exponent, hasExponent: hasExponent,
		integer: integer, fraction: fraction, hasFraction: hasFraction,
	}
	if err := f.check(parts); err != nil {
		return subpicture{}, err
	}

	switch {
	case strings.Contains(text, f.symbols["percent"]):
		s.multiplier = hundred
	case strings.Contains(text, f.symbols["per-mille"]):
		s.multiplier = thousand
	}

	s.integerGroups = f.groups(integer, true)
	s.groupInterval = regularInterval(s.integerGroups)
	s.fractionalGroups = f.groups(fraction, false)
	s.leastInteger = f.countDigits(integer)
	s.scaling = s.leastInteger
	s.leastFraction = f.countDigits(fraction)
	s.mostFraction = s.leastFraction + strings.Count(fraction, f.symbols["digit"])
	if s.leastInteger == 0 && s.mostFraction == 0 {
		if hasExponent {
			s.leastFraction, s.mostFraction = 1, 1
		} else {
			s.leastInteger = 1
		}
	}
	if hasExponent && s.leastInteger == 0 && strings.Contains(integer, f.symbols["digit"]) {
		s.leastInteger = 1
	}
	if s.leastInteger == 0 && s.leastFraction == 0 {
		s.leastFraction = 1
	}
	if hasExponent {
		s.leastExponent = f.countDigits(exponent)
	}
	return s, nil
}

func (f decimalFormat) countDigits(text string) int {
	n := 0
	for _, r := range text {
		if f.isDigit(r) {
			n++
		}
	}
	return n
}

// A splitSubpicture is a subpicture and its parts.
type splitSubpicture struct {
	text, active, mantissa, exponent string
	hasExponent                      bool
	integer, fraction                string
	hasFraction                      bool
}

// A pictureRule is a rule that a subpicture may break.
type pictureRule struct {
	isBroken      bool
	code, message string
}

// check returns an error if a subpicture breaks a rule.
func (f decimalFormat) check(s splitSubpicture) error {
	count := func(symbol string) int { return strings.Count(s.text, f.symbols[symbol]) }
	grouping, digit := f.symbols["grouping-separator"], f.symbols["digit"]
	isSign := func(r rune) bool { return f.isDigit(r) || string(r) == digit }
	isPassive := func(r rune) bool { return !f.isActive(r) }
	hasPercent := count("percent") > 0 || count("per-mille") > 0
	const passive = "The sub-picture must not contain a passive character that is preceded by an active character and that is followed by " +
		"another active character"

	for _, rule := range []pictureRule{
		{s.active == "", "D3086", passive},
		{count("decimal-separator") > 1, "D3081", "The sub-picture must not contain more than one instance of the 'decimal-separator' character"},
		{count("percent") > 1, "D3082", "The sub-picture must not contain more than one instance of the 'percent' character"},
		{count("per-mille") > 1, "D3083", "The sub-picture must not contain more than one instance of the 'per-mille' character"},
		{count("percent") > 0 && count("per-mille") > 0, "D3084", "The sub-picture must not contain both a 'percent' and a 'per-mille' character"},
		{!strings.ContainsFunc(s.mantissa, isSign), "D3085", "The mantissa part of a sub-picture must contain at least one character that is " +
			"either an 'optional digit character' or a member of the 'decimal digit family'"},
		{strings.ContainsFunc(s.mantissa, isPassive), "D3086", passive},
		{s.hasFraction && (strings.HasSuffix(s.integer, grouping) || strings.HasPrefix(s.fraction, grouping)), "D3087", "The sub-picture must " +
			"not contain a 'grouping-separator' character that appears adjacent to a 'decimal-separator' character"},
		{!s.hasFraction && strings.HasSuffix(s.integer, grouping), "D3088", "The sub-picture must not contain a 'grouping-separator' at the end " +
			"of the integer part"},
		{strings.Contains(s.text, grouping+grouping), "D3089", "The sub-picture must not contain two adjacent instances of the " +
			"'grouping-separator' character"},
		{f.digitThen(s.integer, digit), "D3090", "The integer part of the sub-picture must not contain a member of the 'decimal digit family' " +
			"that is followed by an instance of the 'optional digit character'"},
		{f.thenDigit(s.fraction, digit), "D3091", "The fractional part of the sub-picture must not contain an instance of the 'optional digit " +
			"character' that is followed by a member of the 'decimal digit family'"},
		{s.hasExponent && s.exponent != "" && hasPercent, "D3092", "A sub-picture that contains a 'percent' or 'per-mille' character must not " +
			"contain a character treated as an 'exponent-separator'"},
		{s.hasExponent && f.countDigits(s.exponent) != max(1, utf8.RuneCountInString(s.exponent)), "D3093", "The exponent part of the sub-picture " +
			"must comprise either one or more characters that are members of the 'decimal digit family'"},
	} {
		if rule.isBroken {
			return evalError(rule.code, rule.message)
		}
	}
	return nil
}

// digitThen reports whether the symbol comes after a digit.
func (f decimalFormat) digitThen(part, symbol string) bool {
	at := strings.IndexFunc(part, f.isDigit)
	return at >= 0 && strings.Contains(part[at:], symbol)
}

// thenDigit reports whether the symbol comes before a digit.
func (f decimalFormat) thenDigit(part, symbol string) bool {
	at := strings.LastIndexFunc(part, f.isDigit)
	return at >= 0 && strings.Contains(part[:at], symbol)
}

// groups returns the number of digits at the right of each grouping separator, or at its left in the fractional part.
func (f decimalFormat) groups(part string, fromRight bool) []int {
	var positions []int
	grouping := f.symbols["grouping-separator"]
	for at := strings.Index(part, grouping); at >= 0; {
		side := part[:at]
		if fromRight {
			side = part[at:]
		}
		n := 0
		for _, r := range side {
			if f.isDigit(r) || string(r) == f.symbols["digit"] {
				n++
			}
		}
		positions = append(positions, n)
		next := strings.Index(part[at+len(grouping):], grouping)
		if next < 0 {
			break
		}
		at += len(grouping) + next
	}
	return positions
}

// regularInterval returns the size of the groups if they all have the same size. Otherwise it returns 0.
func regularInterval(positions []int) int {
	interval := 0
	for _, p := range positions {
		interval = gcd(interval, p)
	}
	for i := 1; i <= len(positions) && interval > 0; i++ {
		if !slices.Contains(positions, i*interval) {
			return 0
		}
	}
	return interval
}

// format writes a number that is not negative.
func (f decimalFormat) format(s subpicture, x float64) string {
	switch {
	case math.IsNaN(x):
		return s.prefix + f.symbols["NaN"] + s.suffix
	case math.IsInf(x, 0):
		return s.prefix + f.symbols["infinity"] + s.suffix
	}

	x *= float64(s.multiplier)
	exponent := 0
	if s.leastExponent > 0 && x != 0 { // The mantissa has so many digits before the decimal separator as the picture.
		_, power, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
		magnitude, _ := strconv.Atoi(power)
		exponent = magnitude + 1 - s.scaling
		x = shiftDecimalPoint(x, -exponent)
	}

	text := strconv.FormatFloat(shiftDecimalPoint(math.RoundToEven(shiftDecimalPoint(x, s.mostFraction)), -s.mostFraction), 'f', s.mostFraction, 64)
	integer, fraction, _ := strings.Cut(text, ".")
	integer = strings.TrimLeft(integer, "0")
	fraction = strings.TrimRight(fraction, "0")
	integer = strings.Repeat("0", max(0, s.leastInteger-len(integer))) + integer
	fraction += strings.Repeat("0", max(0, s.leastFraction-len(fraction)))

	var out strings.Builder
	out.WriteString(s.prefix)
	for i := range len(integer) {
		right := len(integer) - i
		if i > 0 && f.isSeparated(s, right) {
			out.WriteString(f.symbols["grouping-separator"])
		}
		out.WriteRune(rune(integer[i]-'0') + f.zero)
	}
	if fraction != "" {
		out.WriteString(f.symbols["decimal-separator"])
	}
	for i := range len(fraction) {
		if slices.Contains(s.fractionalGroups, i) {
			out.WriteString(f.symbols["grouping-separator"])
		}
		out.WriteRune(rune(fraction[i]-'0') + f.zero)
	}
	if s.leastExponent > 0 {
		out.WriteString(f.symbols["exponent-separator"])
		if exponent < 0 {
			out.WriteString(f.symbols["minus-sign"])
			exponent = -exponent
		}
		digits := strconv.Itoa(exponent)
		for _, r := range strings.Repeat("0", max(0, s.leastExponent-len(digits))) + digits {
			out.WriteRune(r - '0' + f.zero)
		}
	}
	out.WriteString(s.suffix)
	return out.String()
}

// isSeparated reports whether a grouping separator comes before the last digits of the integer part.
func (f decimalFormat) isSeparated(s subpicture, digits int) bool {
	if s.groupInterval > 0 {
		return digits%s.groupInterval == 0
	}
	return slices.Contains(s.integerGroups, digits)
}
