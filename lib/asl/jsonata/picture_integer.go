package jsonata

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An integerStyle is the way in which a picture writes integers.
type integerStyle int

const (
	styleDecimal integerStyle = iota
	styleLetters
	styleRoman
	styleWords
)

// A letterCase is the case of a picture's letters.
type letterCase int

const (
	caseLower letterCase = iota
	caseUpper
	caseTitle
)

// An integerPicture says how an integer is written (XPath functions 3.1, section 4.6.1).
type integerPicture struct {
	style   integerStyle
	casing  letterCase
	ordinal bool

	zero       rune              // The first digit of the decimal digits.
	digits     int               // The least number of digits.
	separators []digitsSeparator // Of the digit groups, from the right.
	interval   int               // The size of each group, if all groups are separated in the same way. Otherwise it is 0.

	width int // The number of characters that date pictures read; 0 means any number.
}

// A digitsSeparator is a character with so many digits at its right.
type digitsSeparator struct {
	position  int
	character rune
}

// maxPicture is the greatest length of a picture, in bytes.
const maxPicture = 1000

// maxDigits is the greatest number of digits that a picture of a date may require.
const maxDigits = 1000

// parseIntegerPicture parses the picture of $formatInteger.
func parseIntegerPicture(text string) (*integerPicture, error) {
	if len(text) > maxPicture {
		return nil, evalError("D3130", "The picture is too long")
	}
	p := &integerPicture{zero: '0', digits: 1}
	primary := text
	if i := strings.LastIndexByte(text, ';'); i >= 0 {
		primary = text[:i]
		p.ordinal = strings.HasPrefix(text[i+1:], "o")
	}

	switch primary {
	case "A":
		p.style, p.casing = styleLetters, caseUpper
	case "a":
		p.style = styleLetters
	case "I":
		p.style, p.casing = styleRoman, caseUpper
	case "i":
		p.style = styleRoman
	case "W":
		p.style, p.casing = styleWords, caseUpper
	case "w":
		p.style = styleWords
	case "Ww":
		p.style, p.casing = styleWords, caseTitle
	default:
		return p, p.parseDigits(primary)
	}
	return p, nil
}

// zeroOf returns the zero of the decimal digits to which r belongs.
func zeroOf(r rune) (zero rune, ok bool) {
	if !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	for _, span := range unicode.Nd.R16 {
		if r >= rune(span.Lo) && r <= rune(span.Hi) {
			return r - (r-rune(span.Lo))%10, true
		}
	}
	for _, span := range unicode.Nd.R32 {
		if r >= rune(span.Lo) && r <= rune(span.Hi) {
			return r - (r-rune(span.Lo))%10, true
		}
	}
	return 0, false
}

// parseDigits parses a picture of decimal digits, such as #,##0.
func (p *integerPicture) parseDigits(text string) error {
	p.digits, p.zero = 0, 0
	optional, position := 0, 0
	runes := []rune(text)
	slices.Reverse(runes)
	for _, r := range runes {
		zero, isDigit := zeroOf(r)
		switch {
		case isDigit:
			if p.digits > 0 && zero != p.zero {
				return evalError("D3131", "In a decimal digit pattern, all digits must be from the same decimal group")
			}
			p.zero = zero
			p.digits++
			position++
		case r == '#':
			optional++
			position++
		default:
			p.separators = append(p.separators, digitsSeparator{position: position, character: r})
		}
	}
	if p.digits == 0 {
		return evalError("D3130", "Formatting or parsing an integer as a sequence starting with "+quote(text)+" is not supported by this implementation")
	}
	p.interval = p.regularInterval()
	return nil
}

// regularInterval returns the size of the groups if all separators are the same and lie at its multiples. Otherwise it returns 0.
func (p *integerPicture) regularInterval() int {
	if len(p.separators) == 0 {
		return 0
	}
	interval := 0
	for _, s := range p.separators {
		if s.character != p.separators[0].character {
			return 0
		}
		interval = gcd(interval, s.position)
	}
	if interval == 0 {
		return 0
	}
	for i := 1; i <= len(p.separators); i++ {
		if !slices.ContainsFunc(p.separators, func(s digitsSeparator) bool { return s.position == i*interval }) {
			return 0
		}
	}
	return interval
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// format writes an integral number.
func (p *integerPicture) format(x float64) (string, error) {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return "", evalError("D3130", "An integer picture cannot format "+formatNumber(x, false))
	}
	sign := ""
	if x < 0 {
		sign, x = "-", -x
	}
	var text string
	switch p.style {
	case styleLetters:
		text = lettersOf(x, p.casing)
	case styleRoman:
		if x > maxRoman {
			return "", evalError("D3130", "The number is too large for roman numerals")
		}
		text = romanOf(int(x))
		if p.casing == caseUpper {
			text = strings.ToUpper(text)
		}
	case styleWords:
		text = wordsOf(x, p.ordinal)
		switch p.casing {
		case caseUpper:
			text = strings.ToUpper(text)
		case caseTitle:
			text = titleWords(text)
		}
	default:
		text = p.formatDigits(bigInteger(x))
	}
	return sign + text, nil
}

// maxRoman bounds the length of a roman numeral: each thousand is an M.
const maxRoman = 10_000_000

// formatDigits writes decimal digits.
func (p *integerPicture) formatDigits(decimal string) string {
	digits := []rune(strings.Repeat("0", max(0, p.digits-len(decimal))) + decimal)
	for i, r := range digits {
		digits[i] = r - '0' + p.zero
	}

	insert := func(fromRight int, r rune) {
		at := len(digits) - fromRight
		digits = slices.Insert(digits, at, r)
	}
	if p.interval > 0 {
		for n := (len(digits) - 1) / p.interval; n > 0; n-- {
			insert(n*p.interval, p.separators[0].character)
		}
	} else {
		total := len(digits)
		for i := len(p.separators) - 1; i >= 0; i-- { // From the left: an insertion does not move what lies at its right.
			if s := p.separators[i]; s.position <= total {
				insert(s.position, s.character)
			}
		}
	}

	text := string(digits)
	if p.ordinal {
		text += ordinalSuffix(decimal)
	}
	return text
}

// ordinalSuffix returns st, nd, rd or th.
func ordinalSuffix(decimal string) string {
	if len(decimal) > 1 && decimal[len(decimal)-2] == '1' {
		return "th"
	}
	switch decimal[len(decimal)-1] {
	case '1':
		return "st"
	case '2':
		return "nd"
	case '3':
		return "rd"
	default:
		return "th"
	}
}

// parse reads an integer. ok is false if it is none.
func (p *integerPicture) parse(text string) (x float64, ok bool) {
	switch p.style {
	case styleLetters:
		return lettersValue(text, p.casing)
	case styleRoman:
		return romanValue(text, p.casing)
	case styleWords:
		return wordsValue(strings.ToLower(text))
	}

	if p.ordinal {
		text = text[:max(0, len(text)-len("th"))]
	}
	for _, s := range p.separators {
		text = strings.ReplaceAll(text, string(s.character), "")
	}
	var digits strings.Builder
	for _, r := range text {
		if r >= p.zero && r <= p.zero+9 {
			r = r - p.zero + '0'
		}
		digits.WriteRune(r)
	}
	number := leadingInteger.FindString(digits.String())
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	return x, err == nil
}

// leadingInteger matches what JavaScript reads of a text that begins with an integer.
var leadingInteger = regexp.MustCompile(`^\s*[-+]?[0-9]+`)

const letters = 26

// lettersOf writes a number as a, b, … z, aa, ab, ….
func lettersOf(x float64, casing letterCase) string {
	first := 'a'
	if casing == caseUpper {
		first = 'A'
	}
	n, _ := big.NewFloat(x).Int(nil)
	var out []rune
	for n.Sign() > 0 {
		n.Sub(n, big.NewInt(1))
		_, digit := n.DivMod(n, big.NewInt(letters), new(big.Int))
		out = append(out, first+rune(digit.Int64()))
	}
	slices.Reverse(out)
	return string(out)
}

func lettersValue(text string, casing letterCase) (float64, bool) {
	first := 'a'
	if casing == caseUpper {
		first = 'A'
	}
	x := 0.0
	for _, r := range text {
		if r < first || r >= first+letters {
			return 0, false
		}
		x = x*letters + float64(r-first+1)
	}
	return x, text != ""
}

// romanNumerals holds the numerals from the greatest to the least.
var romanNumerals = []struct {
	text  string
	value int
}{
	{"m", 1000}, {"cm", 900}, {"d", 500}, {"cd", 400}, {"c", 100}, {"xc", 90}, {"l", 50}, {"xl", 40}, {"x", 10}, {"ix", 9}, {"v", 5},
	{"iv", 4}, {"i", 1},
}

func romanOf(n int) string {
	var out strings.Builder
	for _, numeral := range romanNumerals {
		for n >= numeral.value {
			out.WriteString(numeral.text)
			n -= numeral.value
		}
	}
	return out.String()
}

func romanValue(text string, casing letterCase) (float64, bool) {
	if casing == caseUpper {
		if strings.ToUpper(text) != text {
			return 0, false
		}
		text = strings.ToLower(text)
	}
	value := map[rune]float64{'m': 1000, 'd': 500, 'c': 100, 'l': 50, 'x': 10, 'v': 5, 'i': 1}
	x, greatest := 0.0, 0.0
	for i := len(text); i > 0; {
		r, size := utf8.DecodeLastRuneInString(text[:i])
		i -= size
		v, ok := value[r]
		if !ok {
			return 0, false
		}
		if v < greatest {
			x -= v
		} else {
			x, greatest = x+v, v
		}
	}
	return x, text != ""
}
