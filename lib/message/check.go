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
	ruleType     = "must be one of upload_progress, notification, error"
	ruleID       = "must not hold control characters or U+FFFD"
)

func tooLong(limit int) string { return fmt.Sprintf("must be at most %d bytes", limit) }

func tooLongAsJSON(limit int) string {
	return fmt.Sprintf("must be at most %d bytes of JSON, where quotes, backslashes and control characters count for more", limit)
}

// ValidID reports whether s may be the id of a user, connection, job or part: 1 to limit bytes of UTF-8, without control
// characters and without U+FFFD. encoding/json decodes all that is not valid Unicode to U+FFFD, so that two ids would
// become one.
func ValidID(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, notInID)
}

func notInID(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }

// ValidName reports whether s may be a name that is shown: text of 1 to limit bytes of JSON.
func ValidName(s string, limit int) bool { return s != "" && utf8.ValidString(s) && fitsJSON(s, limit) }

// Clip returns text as valid UTF-8 that takes at most limit bytes in JSON. A text that was cut ends in "…".
func Clip(text string, limit int) string {
	const mark = "…"
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if fitsJSON(text, limit) {
		return text
	}
	size := len(mark)
	for i, r := range text {
		if size += jsonLen(string(r)); size > limit {
			return text[:i] + mark
		}
	}

	return text
}

// fitsJSON reports whether s takes at most limit bytes in JSON.
func fitsJSON(s string, limit int) bool {
	const longest = 6 // \u0000
	switch {
	case len(s) > limit:
		return false
	case longest*len(s) <= limit:
		return true
	default:
		return jsonLen(s) <= limit
	}
}

// jsonLen returns how many bytes s takes in JSON, without the quotes around it.
func jsonLen(s string) int {
	const quotes = 2
	var b bytes.Buffer
	if err := encode(&b, s); err != nil {
		return math.MaxInt
	}

	return b.Len() - quotes
}

// encode writes v as frames and stores hold it: compact JSON, without escaping what HTML would have escaped.
func encode(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err //nolint:wrapcheck // the caller says what it encodes
	}
	b.Truncate(b.Len() - len("\n"))

	return nil
}

// check gathers broken rules. Its fields are named below path.
type check struct {
	path     string
	problems []Problem
}

func (c *check) that(field string, ok bool, rule string) {
	if !ok {
		c.problems = append(c.problems, Problem{Field: c.path + field, Rule: rule})
	}
}

// text checks a text that must not be empty. One without a limit of its own is bounded by what holds it.
func (c *check) text(field, s string) {
	c.that(field, s != "", "must not be empty")
	c.that(field, utf8.ValidString(s), ruleUTF8)
}

// name checks a text that is shown, with a limit in bytes of JSON.
func (c *check) name(field, s string, limit int) {
	c.text(field, s)
	c.atMost(field, s, limit)
}

// atMost checks a limit in bytes of JSON.
func (c *check) atMost(field, s string, limit int) {
	if len(s) > limit {
		c.that(field, false, tooLong(limit))

		return
	}
	c.that(field, fitsJSON(s, limit), tooLongAsJSON(limit))
}

// id checks an id by the rules of [ValidID].
func (c *check) id(field, s string, limit int) {
	switch {
	case ValidID(s, limit):
	case s == "" || len(s) > limit:
		c.that(field, false, fmt.Sprintf("must be 1 to %d bytes", limit))
	case !utf8.ValidString(s):
		c.that(field, false, ruleUTF8)
	default:
		c.that(field, false, ruleID)
	}
}

// jobID checks the id of a job, whose rules have had texts of their own since the first version.
func (c *check) jobID(field, s string) {
	switch {
	case s == "":
		c.text(field, s)
	case len(s) > MaxID:
		c.that(field, false, tooLong(MaxID))
	default:
		c.id(field, s, MaxID)
	}
}

func (c *check) count(field string, n int64) {
	c.that(field, n >= 0, "must be a number from 0")
	c.that(field, n <= MaxSteps, fmt.Sprintf("must be at most %d", int64(MaxSteps)))
}

func (c *check) oneOf(field, s string, allowed ...string) {
	named := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
	c.that(field, slices.Contains(allowed, s), "must be one of "+strings.Join(named, ", "))
}

// err returns an [*Invalid] with the broken rules, or nil.
func (c *check) err() error {
	if len(c.problems) == 0 {
		return nil
	}

	return &Invalid{Problems: c.problems}
}
