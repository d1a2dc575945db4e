package asl

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// longestWait is the longest time a Wait state can wait for.
const longestWait = time.Duration(math.MaxInt32) * time.Second

// waitState runs a Wait state.
func (s *scope) waitState() error {
	wait, err := s.waitTime()
	if err != nil {
		return err
	}
	if wait > longestWait {
		return runtimef("Wait state delay is too long.")
	}
	return s.sleep(wait)
}

func (s *scope) waitTime() (time.Duration, error) {
	w := s.state.wait
	switch {
	case w.secondsPath != nil:
		return s.secondsFromPath(w.secondsPath)
	case w.timestampPath != nil:
		return s.timestampFromPath(w.timestampPath)
	case w.timestamp != nil:
		v, err := w.timestamp.eval(s, "Timestamp")
		if err != nil {
			return 0, err
		}

		text, ok := v.(string)
		if !ok {
			return 0, mismatch(w.timestamp, "Timestamp", "string", v)
		}

		t, err := parseTimestamp(text)
		if err != nil {
			return 0, queryf("Timestamp", "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", text)
		}
		return time.Until(t), nil
	default:
		return s.number(w.seconds, "Seconds", 0, maxWaitSeconds)
	}
}

// number evaluates a field that is a whole number of seconds.
func (s *scope) number(t template, field string, least, most int64) (time.Duration, error) {
	v, err := t.eval(s, field)
	if err != nil {
		return 0, err
	}

	n, ok := wholeNumber(v)
	if !ok {
		return 0, mismatch(t, field, typeNumber, v)
	}
	if n < least || n > most {
		return 0, queryf(field, "The field '%s' must be between %d and %d but was: %d", field, least, most, n)
	}

	return time.Duration(n) * time.Second, nil
}

// wholeNumber returns v as an integer and whether it is one.
func wholeNumber(v any) (int64, bool) {
	f, ok := jsontree.Float(v)
	return int64(f), ok && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32
}

func (s *scope) secondsFromPath(ref *reference) (time.Duration, error) {
	v, err := ref.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return 0, runtimef("The SecondsPath parameter does not reference an input value: %s", ref.text)
	}
	if err != nil {
		return 0, err
	}

	n, err := strconv.ParseInt(display(v), 10, 64)
	if err != nil {
		return 0, runtimef("The SecondsPath parameter cannot be parsed as a long value: %s == %s", ref.text, display(v))
	}
	if n < 0 {
		return 0, runtimef("The SecondsPath parameter references a negative value: %s == %s", ref.text, display(v))
	}

	return time.Duration(min(n, math.MaxInt32+1)) * time.Second, nil
}

func (s *scope) timestampFromPath(ref *reference) (time.Duration, error) {
	v, err := ref.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return 0, runtimef("The TimestampPath parameter does not reference an input value: %s", ref.text)
	}
	if err != nil {
		return 0, err
	}

	text, _ := v.(string)
	t, err := parseTimestamp(text)
	if err != nil {
		return 0, runtimef("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
			ref.text, display(v))
	}
	return time.Until(t), nil
}
