package jsonata

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A datePicture says how a date and time is written (XPath functions 3.1, section 9.8.4).
type datePicture struct {
	parts []datePart
	texts *regexp.Regexp // See pattern. It is made when the picture first parses a text.
}

// A datePart is a literal text or a component of a date.
type datePart struct {
	literal   string
	component byte   // The letter of the component; 0 for a literal.
	names     string // N, n or Nn if the component is a name.
	iso       bool   // The modifier t: no offset is written as Z.
	integer   *integerPicture
	least     int // The width; 0 if none is given.
	most      int
	modulo    float64 // The year is written modulo this number, if it is not 0.
}

// defaultPresentation maps each component to how it is written if the picture does not say so.
var defaultPresentation = map[byte]string{
	'Y': "1", 'M': "1", 'D': "1", 'd': "1", 'F': "n", 'W': "1", 'w': "1", 'X': "1", 'x': "1", 'H': "1", 'h': "1", 'P': "n", 'm': "01",
	's': "01", 'f': "1", 'Z': "01:01", 'z': "01:01", 'C': "n", 'E': "n",
}

// isoPicture is the picture of dates without a picture argument.
const isoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"

// parseDatePicture parses the picture of $fromMillis and $toMillis.
func parseDatePicture(text string) (*datePicture, error) {
	p := &datePicture{}
	for text != "" {
		at := strings.IndexByte(text, '[')
		if at < 0 {
			p.addLiteral(text)
			break
		}
		if strings.HasPrefix(text[at:], "[[") {
			p.addLiteral(text[:at] + "[")
			text = text[at+len("[["):]
			continue
		}
		p.addLiteral(text[:at])
		marker, rest, found := strings.Cut(text[at+1:], "]")
		if !found {
			return nil, evalError("D3135", "No matching closing bracket ']' in date/time picture string")
		}
		text = rest

		part, err := parseDatePart(strings.Join(strings.FieldsFunc(marker, func(r rune) bool { return strings.ContainsRune(" \t\r\n\v\f\u00a0", r) }), ""))
		if err != nil {
			return nil, err
		}
		if n := len(p.parts); n > 0 && part.integer != nil && p.parts[n-1].integer != nil { // Nothing separates the two numbers.
			p.parts[n-1].integer.width = p.parts[n-1].integer.digits
		}
		p.parts = append(p.parts, part)
	}
	return p, nil
}

func (p *datePicture) addLiteral(text string) {
	if text != "" {
		p.parts = append(p.parts, datePart{literal: strings.ReplaceAll(text, "]]", "]")})
	}
}

// parseDatePart parses a component without its brackets.
func parseDatePart(marker string) (datePart, error) {
	if marker == "" {
		return datePart{}, evalError("D3132", "Unknown component specifier \"\" in date/time picture string")
	}
	part := datePart{component: marker[0]}
	presentation, ok := defaultPresentation[part.component]
	if !ok {
		return datePart{}, evalError("D3132", "Unknown component specifier "+quote(marker[:1])+" in date/time picture string")
	}

	modifier, width := marker[1:], ""
	if i := strings.LastIndexByte(modifier, ','); i >= 0 {
		modifier, width = modifier[:i], modifier[i+1:]
	}
	least, most, _ := strings.Cut(width, "-")
	part.least, part.most = widthOf(least), widthOf(most)

	modifier, suffix := cutSuffix(modifier)
	part.iso = suffix == "t"
	presentation = cmp.Or(modifier, presentation)

	switch {
	case presentation[0] == 'n':
		part.names = "n"
		return part, part.checkNames()
	case presentation[0] == 'N':
		part.names = "N"
		if strings.HasPrefix(presentation, "Nn") {
			part.names = "Nn"
		}
		return part, part.checkNames()
	case !strings.ContainsRune("YMDdFWwXxHhmsfZz", rune(part.component)):
		return part, nil
	}

	if suffix == "o" {
		presentation += ";o"
	}
	integer, err := parseIntegerPicture(presentation)
	if err != nil {
		return datePart{}, err
	}
	part.integer = integer
	integer.digits = max(integer.digits, min(part.least, maxDigits))
	if part.component == 'Y' && integer.style == styleDecimal {
		part.shortenYear(strings.Count(presentation, "#"))
	}
	return part, nil
}

// cutSuffix returns a modifier without the letter at its end that says how numbers are written, and that letter.
func cutSuffix(modifier string) (rest, suffix string) {
	last := len(modifier) - 1
	if last < 1 || strings.IndexByte("atco", modifier[last]) < 0 {
		return modifier, ""
	}
	return modifier[:last], modifier[last:]
}

// shortenYear sets how many digits of the year are written: as many as the picture has, if it has at least two. optional is the number
// of its optional digits.
func (p *datePart) shortenYear(optional int) {
	const shortYear = 2
	places := p.integer.digits + optional
	switch {
	case p.most > 0:
		places = p.most
		p.integer.digits = min(places, maxDigits)
	case places < shortYear:
		return
	}
	p.modulo = math.Pow10(places)
}

// checkNames returns an error if the component has no names.
func (p *datePart) checkNames() error {
	if strings.IndexByte("MxFPCEzZ", p.component) < 0 {
		return evalError("D3133", "The 'name' modifier can only be applied to months and days in the date/time picture string, not "+
			quote(string(p.component)))
	}
	return nil
}

// widthOf returns a width, or 0 for * and nothing.
func widthOf(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, maxDigits)
}

// format writes t, whose zone is that of the text.
func (p *datePicture) format(t time.Time) (string, error) {
	var out strings.Builder
	for i := range p.parts {
		part := &p.parts[i]
		if part.component == 0 {
			out.WriteString(part.literal)
			continue
		}
		text, err := part.format(t)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

// format writes one component of t.
func (p *datePart) format(t time.Time) (string, error) {
	switch p.component {
	case 'Z', 'z':
		return p.formatZone(t)
	case 'P':
		text := "am"
		if t.Hour() >= noon {
			text = "pm"
		}
		if p.names == "N" {
			return strings.ToUpper(text), nil
		}
		return text, nil
	case 'C', 'E':
		return "ISO", nil
	}

	value := p.value(t)
	if p.names != "" {
		return p.name(value), nil
	}
	if p.modulo > 0 {
		value = int(math.Mod(float64(value), p.modulo))
	}
	return p.integer.format(float64(value))
}

const (
	noon    = 12
	weekday = 7 // The days of a week.
)

// value returns the number of a component of t.
func (p *datePart) value(t time.Time) int {
	thursday := t.AddDate(0, 0, 4-isoWeekday(t)) // A week belongs to the year and to the month of its Thursday.
	switch p.component {
	case 'Y':
		return t.Year()
	case 'M':
		return int(t.Month())
	case 'D':
		return t.Day()
	case 'd':
		return t.YearDay()
	case 'F':
		return isoWeekday(t)
	case 'X':
		return thursday.Year()
	case 'W':
		return (thursday.YearDay()-1)/weekday + 1
	case 'x':
		return int(thursday.Month())
	case 'w':
		return (thursday.Day()-1)/weekday + 1
	case 'H':
		return t.Hour()
	case 'h':
		return (t.Hour()+noon-1)%noon + 1
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	default:
		return t.Nanosecond() / int(time.Millisecond)
	}
}

// isoWeekday returns 1 for Monday and 7 for Sunday.
func isoWeekday(t time.Time) int { return (int(t.Weekday())+weekday-1)%weekday + 1 }

// name writes the name of a month or a day.
func (p *datePart) name(value int) string {
	text := p.nameList()[value-1]
	switch p.names {
	case "n":
		text = strings.ToLower(text)
	case "N":
		text = strings.ToUpper(text)
	}
	if p.most > 0 && len(text) > p.most {
		text = text[:p.most]
	}
	return text
}

// nameList returns the names of the component's values from 1 on.
func (p *datePart) nameList() []string {
	var names []string
	if p.component == 'F' {
		for day := 1; day <= weekday; day++ {
			names = append(names, time.Weekday(day%weekday).String())
		}
		return names
	}
	for month := time.January; month <= time.December; month++ {
		names = append(names, month.String())
	}
	return names
}

// formatZone writes the offset of t's zone.
func (p *datePart) formatZone(t time.Time) (string, error) {
	_, seconds := t.Zone()
	const (
		perMinute, perHour  = 60, 60
		short, medium, long = 2, 3, 4 // The number of digits.
	)
	minutes := seconds / perMinute
	if minutes == 0 && p.iso {
		return "Z", nil
	}
	sign := "+"
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	hours, minutes := minutes/perHour, minutes%perHour

	if p.integer == nil {
		return "", evalError("D3134", "The timezone integer format specifier cannot have more than four digits")
	}
	var (
		text string
		err  error
	)
	switch digits := p.integer.digits; {
	case p.integer.interval > 0, digits == medium, digits == long:
		text, err = p.integer.format(float64(hours*hundred + minutes))
	case digits <= short:
		text, err = p.integer.format(float64(hours))
		if minutes != 0 {
			text += ":" + twoDigits(minutes)
		}
	default:
		return "", evalError("D3134", "The timezone integer format specifier cannot have more than four digits")
	}
	if p.component == 'z' {
		sign = "GMT" + sign
	}
	return sign + text, err
}

func twoDigits(n int) string {
	const two = 10
	if n < two {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// foldIndex returns the number, from 1, of the name that begins text, or 0.
func foldIndex(names []string, text string, width int) int {
	return 1 + slices.IndexFunc(names, func(name string) bool {
		if width > 0 && utf8.RuneCountInString(name) > width {
			name = name[:width]
		}
		return strings.EqualFold(name, text)
	})
}
