package pipeline

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reader takes typed values out of a context.
type reader struct {
	checker

	context map[string]any
}

// store stores the value of a setting, or its default if the context has none.
func (r *reader) store(s setting, all *Settings) {
	switch field := s.field(all).(type) {
	case *string:
		fallback, _ := s.fallback.(string)
		*field = r.text(s.key, fallback)
	case *[]string:
		*field = r.list(s.key)
	case *float64:
		fallback, _ := s.fallback.(float64)
		*field = r.number(s.key, fallback)
	case *int:
		fallback, _ := s.fallback.(int)
		*field = r.whole(s.key, fallback)
	case **int:
		fallback, _ := s.fallback.(int)
		*field = r.unless(s.key, fallback)
	case *bool:
		*field = r.flag(s.key, false)
	case inverted:
		*field.flag = !r.flag(s.key, true)
	}
}

// value returns what key holds, and false when that is nothing or empty text.
func (r *reader) value(key string) (any, bool) {
	value, ok := r.context[key]
	if text, isText := value.(string); isText {
		text = strings.TrimSpace(text)
		return text, text != ""
	}
	return value, ok && value != nil
}

func (r *reader) text(key, fallback string) string {
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

func (r *reader) list(key string) []string {
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

func (r *reader) number(key string, fallback float64) float64 {
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

func (r *reader) whole(key string, fallback int) int {
	number := r.number(key, float64(fallback))
	if number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		r.addf("%s: %v is not a whole number", key, number)
		return fallback
	}
	return int(number)
}

// unless returns the whole number that key holds, nil if that is the default.
func (r *reader) unless(key string, fallback int) *int {
	number := r.whole(key, fallback)
	if number == fallback {
		return nil
	}
	return &number
}

func (r *reader) flag(key string, fallback bool) bool {
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

// plainKey matches keys that can only be meant as settings: the CDK's own hold a colon, a slash or a hyphen.
var plainKey = regexp.MustCompile(`^[A-Za-z]+$`)

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
