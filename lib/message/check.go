package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	ruleRequired = "is required"
	ruleUTF8     = "must be valid UTF-8"
	ruleID       = "must not hold control characters or U+FFFD"
)

// ruleType returns the rule of the types that a producer may send.
func ruleType() string {
	return "must be one of " + namesOf(func(k kind) bool { return k != kindControl })
}

var ruleMaxSteps = fmt.Sprintf("must be at most %d", int64(MaxSteps))

func maxBytesRule(limit int) string { return fmt.Sprintf("must be at most %d bytes", limit) }

func maxJSONBytesRule(limit int) string {
	return fmt.Sprintf("must be at most %d bytes of JSON, where quotes, backslashes and control characters count for more", limit)
}

// ValidID reports whether s may be the id of a user, connection, job or part: 1 to limit bytes of UTF-8 without control
// characters and without U+FFFD. encoding/json decodes invalid Unicode to U+FFFD, so different ids would become equal.
func ValidID(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, forbiddenInID)
}

func forbiddenInID(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

// ValidName reports whether s may be a displayed name: valid UTF-8 of 1 to limit bytes of JSON.
func ValidName(s string, limit int) bool { return s != "" && utf8.ValidString(s) && fitsJSON(s, limit) }

// Truncate returns text as valid UTF-8 of at most limit bytes in JSON. A truncated text ends in "…", so limit must be at least
// the three bytes of "…".
func Truncate(text string, limit int) string {
	const ellipsis = "…"
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if fitsJSON(text, limit) {
		return text
	}
	size := len(ellipsis)
	for i, r := range text {
		if size += jsonLen(string(r)); size > limit {
			return text[:i] + ellipsis
		}
	}

	return text // never reached: a text that does not fit exceeds the limit within the loop
}

// fitsJSON reports whether s takes at most limit bytes in JSON.
func fitsJSON(s string, limit int) bool {
	const maxEscape = 6 // JSON uses at most six bytes for one byte: \u0000
	switch {
	case len(s) > limit:
		return false
	case maxEscape*len(s) <= limit:
		return true
	default:
		return jsonLen(s) <= limit
	}
}

// jsonLen returns how many bytes s takes in JSON, without the quotes around it. A text that cannot be encoded exceeds every
// limit.
func jsonLen(s string) int {
	const quotes = 2
	var b bytes.Buffer
	if err := encodeJSON(&b, s); err != nil {
		return math.MaxInt
	}
	return b.Len() - quotes
}

// encodeJSON writes v as compact JSON without HTML escapes, the form of frames and stored data.
func encodeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	b.Truncate(b.Len() - len("\n")) // Encode writes a line break at the end
	return nil
}

// validator collects broken rules. It prefixes field names with path.
type validator struct {
	path     string
	problems []Problem
}

// require records that field breaks rule, unless ok.
func (v *validator) require(field string, ok bool, rule string) {
	if !ok {
		v.problems = append(v.problems, Problem{Field: v.path + field, Rule: rule})
	}
}

// requireText requires valid UTF-8 that is not empty. It does not limit the length of s: the size of the whole message is limited.
func (v *validator) requireText(field, s string) {
	v.require(field, s != "", "must not be empty")
	v.require(field, utf8.ValidString(s), ruleUTF8)
}

// requireName requires a displayed text with a limit in bytes of JSON.
func (v *validator) requireName(field, s string, limit int) {
	v.requireText(field, s)
	v.maxJSONBytes(field, s, limit)
}

// maxJSONBytes requires at most limit bytes in JSON.
func (v *validator) maxJSONBytes(field, s string, limit int) {
	switch {
	case len(s) > limit:
		v.require(field, false, maxBytesRule(limit))
	case !fitsJSON(s, limit):
		v.require(field, false, maxJSONBytesRule(limit))
	}
}

// requireID requires an id that follows the rules of [ValidID].
func (v *validator) requireID(field, s string, limit int) {
	switch {
	case ValidID(s, limit):
	case s == "" || len(s) > limit:
		v.require(field, false, fmt.Sprintf("must be 1 to %d bytes", limit))
	case !utf8.ValidString(s):
		v.require(field, false, ruleUTF8)
	default:
		v.require(field, false, ruleID)
	}
}

// requireJobID requires the id of a job, by the rules of [ValidID]. Its error texts differ from those of requireID: they are the
// texts of the first version, which callers know.
func (v *validator) requireJobID(field, s string) {
	switch {
	case s == "":
		v.requireText(field, s)
	case len(s) > MaxID:
		v.require(field, false, maxBytesRule(MaxID))
	default:
		v.requireID(field, s, MaxID)
	}
}

func (v *validator) requireCount(field string, n int64) {
	v.require(field, n >= 0, "must be a number from 0")
	v.require(field, n <= MaxSteps, ruleMaxSteps)
}

// requireOneOf requires that s is one of the allowed texts. The error does not list the empty text, even if it is allowed.
func (v *validator) requireOneOf(field, s string, allowed ...string) {
	if slices.Contains(allowed, s) {
		return
	}
	nonEmpty := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
	v.require(field, false, "must be one of "+strings.Join(nonEmpty, ", "))
}

// err returns an [*Invalid] with all broken rules, or nil.
func (v *validator) err() error {
	if len(v.problems) == 0 {
		return nil
	}
	return &Invalid{Problems: v.problems}
}
