package jsonata

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// dateFunctions returns the functions for dates and times.
func dateFunctions() map[string]definition {
	return map[string]definition{
		"now": {"<s?s?:s>", func(e *evaluation, args []any) (any, error) {
			return e.formatTime(float64(e.now().UnixMilli()), argAt(args, 0), argAt(args, 1))
		}},
		"millis": {"<:n>", func(e *evaluation, _ []any) (any, error) { return e.now().UnixMilli(), nil }},
		"fromMillis": {"<n-s?s?:s>", ifDefined(func(e *evaluation, args []any) (any, error) {
			return e.formatTime(numberArg(args, 0, 0), argAt(args, 1), argAt(args, 2))
		})},
		"toMillis": {"<s-s?:n>", ifDefined(toMillis)},
	}
}

// datePicture returns the parsed picture.
func (e *evaluation) datePicture(text string) (*datePicture, error) {
	if p, ok := e.pictures[text]; ok {
		return p, nil
	}
	if len(text) > maxPicture {
		return nil, evalError("D3135", "The date/time picture string is too long")
	}
	if err := e.step(len(text)); err != nil {
		return nil, err
	}
	p, err := parseDatePicture(text)
	if err != nil {
		return nil, err
	}
	const most = 16 // Few expressions have more pictures.
	if e.pictures == nil || len(e.pictures) >= most {
		e.pictures = map[string]*datePicture{}
	}
	e.pictures[text] = p
	return p, nil
}

// maxMillis is the furthest time that JavaScript represents.
const maxMillis = 8.64e15

// formatTime formats a time by a picture string such as [Y0001]-[M01] in a time zone such as +0100; picture and zone may be undefined.
func (e *evaluation) formatTime(millis float64, picture, zone any) (any, error) {
	if math.IsNaN(millis) || math.Abs(millis) > maxMillis {
		return nil, evalError("D3110", "The number of milliseconds is out of range: "+formatNumber(millis, false))
	}
	text, ok := picture.(string)
	if !ok {
		text = isoPicture
	}
	p, err := e.datePicture(text)
	if err != nil {
		return nil, err
	}

	t := time.UnixMilli(int64(math.Trunc(millis))).UTC()
	if zoneText, ok := zone.(string); ok {
		offset, err := strconv.Atoi(strings.TrimSpace(zoneText))
		const perHour = 60
		if err != nil || offset < -maxOffset || offset > maxOffset {
			return nil, evalError("D3134", "Invalid time zone "+quote(zoneText))
		}
		t = t.In(time.FixedZone("", (offset/hundred*perHour+offset%hundred)*perHour))
	}
	formatted, err := p.format(t)
	if err != nil {
		return nil, err
	}
	return formatted, e.reserve(len(formatted))
}

// maxOffset is the greatest offset of a time zone, in hours and minutes.
const maxOffset = 9959

// isoPattern matches the dates that $toMillis accepts without a picture.
var isoPattern = regexp.MustCompile(`^[0-9]{4}(-[01][0-9])*(-[0-3][0-9])*(T[0-2][0-9]:[0-5][0-9]:[0-5][0-9])*(\.[0-9]+)?([+-][0-2][0-9]:?[0-5][0-9]|Z)?$`)

// toMillis evaluates $toMillis.
func toMillis(e *evaluation, args []any) (any, error) {
	s := stringArg(args, 0)
	if picture, ok := argAt(args, 1).(string); ok {
		p, err := e.datePicture(picture)
		if err != nil {
			return nil, err
		}
		if err := e.step(len(s)); err != nil {
			return nil, err
		}
		millis, ok, err := p.parse(s, e.now().UTC())
		if err != nil || !ok {
			return undefined{}, err
		}
		return millis, nil
	}

	if t, ok := parseISO(s); ok {
		return t.UnixMilli(), nil
	}
	return nil, evalError("D3110", "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given "+quote(s))
}

// parseISO parses a date as JavaScript does: each month may have 31 days, which end in the next month, and a day may end at 24:00:00.
func parseISO(s string) (t time.Time, ok bool) {
	if !isoPattern.MatchString(s) {
		return time.Time{}, false
	}
	days := 0 // To be added to the text.
	if midnight := strings.Replace(s, "T24:00:00", "T00:00:00", 1); midnight != s {
		s, days = midnight, 1
	}
	const dayFrom, dayTo, mostDays = len("2006-01-"), len("2006-01-02"), 31
	if len(s) >= dayTo {
		if day, err := strconv.Atoi(s[dayFrom:dayTo]); err == nil && day > 0 && day <= mostDays {
			s, days = s[:dayFrom]+"01"+s[dayTo:], days+day-1
		}
	}

	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.AddDate(0, 0, days), true
		}
	}
	return time.Time{}, false
}
