package asl

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// maxWait is the longest wait that Step Functions allows for a path or a timestamp.
const maxWait = time.Duration(math.MaxInt32) * time.Second

// runWait waits for the duration of a Wait state.
func (s *stateRun) runWait(ctx context.Context) error {
	wait, err := s.waitDuration()
	if err != nil {
		return err
	}
	if wait > maxWait {
		return runtimeFailuref("Wait state delay is too long.")
	}
	return sleep(ctx, wait)
}

func (s *stateRun) waitDuration() (time.Duration, error) {
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
			return 0, typeMismatch(w.timestamp, "Timestamp", "string", v)
		}

		t, ok := parseTimestamp(text)
		if !ok {
			return 0, queryFailuref("Timestamp", "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", text)
		}
		return time.Until(t), nil
	default:
		return s.evalWholeSeconds(w.seconds, "Seconds", 0, maxWaitSeconds)
	}
}

// evalWholeSeconds evaluates a field that is a whole number of seconds from low to high.
func (s *stateRun) evalWholeSeconds(t template, field string, low, high int64) (time.Duration, error) {
	v, err := t.eval(s, field)
	if err != nil {
		return 0, err
	}

	n, ok := asInteger(v)
	if !ok {
		return 0, typeMismatch(t, field, typeNumber, v)
	}
	if n < low || n > high {
		return 0, queryFailuref(field, "The field '%s' must be between %d and %d but was: %d", field, low, high, n)
	}

	return time.Duration(n) * time.Second, nil
}

// asInteger returns v as an integer; ok is false if it is not an integer of at most 32 bits.
func asInteger(v any) (n int64, ok bool) {
	f, ok := jsontree.Float(v)
	return int64(f), ok && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32
}

func (s *stateRun) secondsFromPath(ref *reference) (time.Duration, error) {
	v, err := ref.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return 0, runtimeFailuref("The SecondsPath parameter does not reference an input value: %s", ref.text)
	}
	if err != nil {
		return 0, err
	}

	n, err := strconv.ParseInt(formatAsJava(v), 10, 64)
	if err != nil {
		return 0, runtimeFailuref("The SecondsPath parameter cannot be parsed as a long value: %s == %s", ref.text, formatAsJava(v))
	}
	if n < 0 {
		return 0, runtimeFailuref("The SecondsPath parameter references a negative value: %s == %s", ref.text, formatAsJava(v))
	}

	const tooLong = math.MaxInt32 + 1 // More seconds than maxWait, which runWait refuses; a larger n might overflow a Duration.
	return time.Duration(min(n, tooLong)) * time.Second, nil
}

func (s *stateRun) timestampFromPath(ref *reference) (time.Duration, error) {
	v, err := ref.eval(s)
	var missing *missingError
	if errors.As(err, &missing) {
		return 0, runtimeFailuref("The TimestampPath parameter does not reference an input value: %s", ref.text)
	}
	if err != nil {
		return 0, err
	}

	text, _ := v.(string)
	t, ok := parseTimestamp(text)
	if !ok {
		return 0, runtimeFailuref("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s",
			ref.text, formatAsJava(v))
	}
	return time.Until(t), nil
}
