package pipeline

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reader reads typed values from a CDK context. If a value has another type, it adds an error to its checker.
type reader struct {
	checker

	context map[string]any
}

// store stores the value of a setting, or its default if the context has none.
func (r *reader) store(s setting, all *Settings) {
	switch field := s.field(all).(type) {
	case *string:
		fallback, _ := s.fallbackFor(all.StackName).(string)
		*field = r.stringValue(s.key, fallback)
	case *[]string:
		*field = r.stringList(s.key)
	case *float64:
		fallback, _ := s.fallback.(float64)
		*field = r.floatValue(s.key, fallback)
	case *int:
		fallback, _ := s.fallback.(int)
		*field = r.intValue(s.key, fallback)
	case **int:
		fallback, _ := s.fallback.(int)
		*field = r.intOrNil(s.key, fallback)
	case *bool:
		*field = r.boolValue(s.key, false)
	case **bool:
		fallback, _ := s.fallback.(bool)
		*field = r.boolOrNil(s.key, fallback)
	case *[]WatchedStateMachine:
		*field = r.watchedList(s.key)
	}
}

// value returns the value of a key, without spaces around text. It returns false if there is no value or only empty text.
func (r *reader) value(key string) (any, bool) {
	value, ok := r.context[key]
	if text, isText := value.(string); isText {
		text = strings.TrimSpace(text)
		return text, text != ""
	}
	return value, ok && value != nil
}

func (r *reader) stringValue(key, fallback string) string {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	text, ok := value.(string)
	if !ok {
		r.addf("%s: %v is not text", key, value)
		return fallback
	}
	return text
}

func (r *reader) stringList(key string) []string {
	value, ok := r.value(key)
	if !ok {
		return nil
	}
	var parts []string
	switch value := value.(type) {
	case string:
		parts = strings.Split(value, ",")
	case []any:
		for _, part := range value {
			text, isText := part.(string)
			if !isText {
				r.addf("%s: %v in the list is not text", key, part)
			}
			parts = append(parts, strings.Split(text, ",")...)
		}
	default:
		r.addf("%s: %v is neither a list nor comma-separated text", key, value)
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" })
}

func (r *reader) floatValue(key string, fallback float64) float64 {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	switch value := value.(type) {
	case float64:
		return value
	case string:
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			return number
		}
	}
	r.addf("%s: %v is not a number", key, value)
	return fallback
}

func (r *reader) intValue(key string, fallback int) int {
	number := r.floatValue(key, float64(fallback))
	if number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		r.addf("%s: %v is not a whole number", key, number)
		return fallback
	}
	return int(number)
}

// intOrNil returns the whole number of a key, or nil if it is the default.
func (r *reader) intOrNil(key string, fallback int) *int {
	number := r.intValue(key, fallback)
	if number == fallback {
		return nil
	}
	return &number
}

func (r *reader) boolValue(key string, fallback bool) bool {
	value, ok := r.value(key)
	if !ok {
		return fallback
	}
	switch value {
	case true, "true":
		return true
	case false, "false":
		return false
	}
	r.addf("%s: %v is neither true nor false", key, value)
	return fallback
}

// boolOrNil returns the boolean of a key, or nil if it is the default.
func (r *reader) boolOrNil(key string, fallback bool) *bool {
	value := r.boolValue(key, fallback)
	if value == fallback {
		return nil
	}
	return &value
}

// plainKey matches the keys that must be settings of Herald, because each key of the CDK itself contains a colon, a slash or a hyphen.
var plainKey = regexp.MustCompile(`^[^:/-]+$`)

// refuseUnknown adds an error for each key that looks like a setting and is none.
func (r *reader) refuseUnknown() {
	all := settings()
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = s.key
	}
	slices.Sort(known)
	for _, key := range slices.Sorted(maps.Keys(r.context)) {
		if plainKey.MatchString(key) && !slices.Contains(known, key) {
			r.addf("%s: unknown setting; the settings are %s", key, strings.Join(known, ", "))
		}
	}
}
