package jsonata

import (
	"time"

	"github.com/xiatechs/jsonata-go/jlib"
	"github.com/xiatechs/jsonata-go/jtypes"
)

// isoMilliseconds is the layout of dates without a picture argument.
const isoMilliseconds = "2006-01-02T15:04:05.000Z07:00"

// dateFunctions returns the functions for dates and times.
func dateFunctions() map[string]definition {
	return map[string]definition{
		"now": {"<s?s?:s>", func(e *evaluation, args []any) (any, error) {
			return formatTime(e.now, argAt(args, 0), argAt(args, 1))
		}},
		"millis": {"<:n>", func(e *evaluation, _ []any) (any, error) { return e.now.UnixMilli(), nil }},
		"fromMillis": {"<n-s?s?:s>", ifDefined(func(args []any) (any, error) {
			return formatTime(time.UnixMilli(int64(numberArg(args, 0, 0))), argAt(args, 1), argAt(args, 2))
		})},
		"toMillis": {"<s-s?:n>", ifDefined(toMillis)},
	}
}

// formatTime formats t by a picture string such as [Y0001]-[M01] in a time zone such as +0100; picture and zone may be undefined.
func formatTime(t time.Time, picture, zone any) (any, error) {
	pictureText, hasPicture := picture.(string)
	offset, hasZone := zone.(string)
	if !hasPicture && !hasZone {
		return t.UTC().Format(isoMilliseconds), nil
	}

	var zoneOption jtypes.OptionalString
	if hasZone {
		zoneOption = jtypes.NewOptionalString(offset)
	}

	formatted, err := jlib.FromMillis(t.UnixMilli(), jtypes.NewOptionalString(pictureText), zoneOption)
	if err != nil {
		return nil, evalError("D3132", err.Error())
	}
	return formatted, nil
}

// toMillis evaluates $toMillis.
func toMillis(args []any) (any, error) {
	s := stringArg(args, 0)
	if picture, ok := argAt(args, 1).(string); ok {
		millis, err := jlib.ToMillis(s, jtypes.NewOptionalString(picture), jtypes.OptionalString{})
		if err != nil {
			return nil, evalError("D3136", err.Error())
		}
		return millis, nil
	}

	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), nil
		}
	}

	return nil, evalError("D3110", "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given "+quote(s))
}
