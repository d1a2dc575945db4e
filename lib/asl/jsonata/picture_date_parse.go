package jsonata

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pattern returns the regular expression of the texts that the picture writes, with a group for each component.
func (p *datePicture) pattern() (*regexp.Regexp, error) {
	var out strings.Builder
	out.WriteString("(?i)^")
	for i := range p.parts {
		part := &p.parts[i]
		if part.component == 0 {
			out.WriteString(regexp.QuoteMeta(part.literal))
			continue
		}
		out.WriteString("(" + part.pattern() + ")")
	}
	out.WriteString("$")
	re, err := regexp.Compile(out.String())
	if err != nil {
		return nil, evalError("D3136", "The date/time picture string is too large")
	}
	return re, nil
}

// pattern returns the regular expression of one component.
func (p *datePart) pattern() string {
	switch {
	case p.component == 'Z', p.component == 'z':
		text := "[-+][0-9]+"
		if p.integer != nil && len(p.integer.separators) == 1 {
			text += regexp.QuoteMeta(string(p.integer.separators[0].character)) + "[0-9]+"
		}
		if p.component == 'z' {
			return "GMT" + text
		}
		return text
	case p.integer == nil:
		return "[a-zA-Z]+"
	}

	switch p.integer.style {
	case styleLetters:
		return "[a-zA-Z]+"
	case styleRoman:
		return "[MDCLXVI]+"
	case styleWords:
		words := []string{"and", "[\\-, ]"}
		for word := range wordValues {
			words = append(words, word)
		}
		slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // A longer word comes first: seventy, then seven.
		return "(?:" + strings.Join(words, "|") + ")+"
	}

	var digits strings.Builder
	digits.WriteString("[0-9")
	if zero := p.integer.zero; zero != '0' {
		digits.WriteString(string(zero) + "-" + string(zero+9))
	}
	for _, s := range p.integer.separators {
		digits.WriteString(regexp.QuoteMeta(string(s.character)))
	}
	digits.WriteString("]")
	if p.integer.width > 0 {
		digits.WriteString("{" + strconv.Itoa(min(p.integer.width, maxDigits)) + "}")
	} else {
		digits.WriteString("+")
	}
	if p.integer.ordinal {
		digits.WriteString("(?:th|st|nd|rd)")
	}
	return digits.String()
}

// parse reads a date and time. Components that are missing before the first one are those of now. ok is false if the text does not
// match the picture.
func (p *datePicture) parse(text string, now time.Time) (millis int64, ok bool, err error) {
	if p.texts == nil {
		if p.texts, err = p.pattern(); err != nil {
			return 0, false, err
		}
	}
	groups := p.texts.FindStringSubmatch(text)
	if groups == nil {
		return 0, false, nil
	}

	values := map[byte]int{}
	for i := range p.parts {
		part := &p.parts[i]
		if part.component == 0 {
			continue
		}
		groups = groups[1:]
		value, ok := part.parse(groups[0])
		if !ok {
			return 0, false, nil
		}
		values[part.component] = value
	}
	if len(values) == 0 {
		return 0, false, nil
	}
	return dateOf(values, now)
}

// parse reads one component.
func (p *datePart) parse(text string) (value int, ok bool) {
	switch {
	case p.component == 'Z', p.component == 'z':
		return p.parseZone(strings.TrimPrefix(strings.ToUpper(text), "GMT"))
	case p.component == 'P':
		if strings.EqualFold(text, "pm") {
			return 1, true
		}
		return 0, true
	case p.component == 'C', p.component == 'E':
		return 0, true
	case p.integer == nil:
		value = foldIndex(p.nameList(), text, p.most)
		return value, value > 0
	}

	if p.integer.style == styleRoman || p.integer.style == styleLetters {
		if text = strings.ToLower(text); p.integer.casing == caseUpper {
			text = strings.ToUpper(text)
		}
	}
	x, ok := p.integer.parse(text)
	const largest = 1 << 40
	return int(max(-largest, min(x, largest))), ok
}

// parseZone reads an offset, in minutes.
func (p *datePart) parseZone(text string) (minutes int, ok bool) {
	const perHour, short = 60, 2
	sign := 1
	if strings.HasPrefix(text, "-") {
		sign = -1
	}
	digits := text[1:]
	hours, rest := digits, ""
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		hours, rest = digits[:i], strings.TrimLeft(digits[i:], ":.-, ")
	} else if len(digits) > short {
		hours, rest = digits[:len(digits)-short], digits[len(digits)-short:]
	}
	h, err := strconv.Atoi(hours)
	if err != nil {
		return 0, false
	}
	m := 0
	if rest != "" {
		if m, err = strconv.Atoi(rest); err != nil {
			return 0, false
		}
	}
	return sign * (h*perHour + m), true
}

func errUnderspecified() *Error {
	return evalError("D3136", "The date/time picture string is missing specifiers required to parse the timestamp")
}

// complete sets the components that are missing: before the first one that is given, to those of now; after the last one, to the
// beginning. It returns false if one is missing between two others.
func complete(values map[byte]int, components string, now time.Time) bool {
	started, ended := false, false
	for _, c := range []byte(components) {
		_, isGiven := values[c]
		switch {
		case isGiven && ended:
			return false
		case isGiven:
			started = true
		case started:
			ended = true
			if strings.IndexByte("MDd", c) >= 0 {
				values[c] = 1
			}
		case c == 'P':
			values[c] = now.Hour() / noon
		default:
			part := datePart{component: c}
			values[c] = part.value(now)
		}
	}
	return true
}

// dateOf returns the time of the components, in milliseconds.
func dateOf(values map[byte]int, now time.Time) (millis int64, ok bool, err error) {
	has := func(components string) bool {
		return strings.ContainsFunc(components, func(r rune) bool { _, ok := values[byte(r)]; return ok })
	}
	if has("XxWw") || has("F") && !has("YMDd") {
		return 0, false, errUnderspecified()
	}

	components := "YMD"
	if has("d") && !has("MD") {
		components = "Yd"
	}
	if has("hP") {
		components += "Phmsf"
	} else {
		components += "Hmsf"
	}

	if !complete(values, components, now) {
		return 0, false, errUnderspecified()
	}

	hour := values['H']
	if has("h") {
		hour = values['h']%noon + noon*values['P']
	}
	month, day := values['M'], values['D']
	if strings.HasPrefix(components, "Yd") {
		month, day = 1, values['d']
	}
	const furthestYear = 275_760 // Of JavaScript's dates.
	year := values['Y']
	if year > furthestYear || year < -furthestYear {
		return 0, false, evalError("D3136", "The date is out of range")
	}
	const century, firstYear = 100, 1900
	if year >= 0 && year < century { // As in JavaScript, a year of two digits is one of the 20th century.
		year += firstYear
	}
	t := time.Date(year, time.Month(month), day, hour, values['m'], values['s'], values['f']*int(time.Millisecond), time.UTC)
	return t.UnixMilli() - int64(values['Z']+values['z'])*time.Minute.Milliseconds(), true, nil
}
