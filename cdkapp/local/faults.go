package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/local"
)

// maxDelay is the largest latency and the largest lag.
const maxDelay = time.Hour

// faultFlag is the value of the flag -faults.
type faultFlag struct {
	local.Faults

	logs time.Duration // The longest delay of a log line of a watched workflow.
	lag  time.Duration // How long the indexes of connections lag behind their table.
}

// Set reads a list such as "gone=0.01,throttled=0.1,latency=50ms,lag=1s,seed=1".
func (f *faultFlag) Set(list string) error {
	*f = faultFlag{}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form name=value", item)
		}
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if err := f.set(name, value); err != nil {
			return err
		}
	}

	return f.Validate()
}

// set sets one fault.
func (f *faultFlag) set(name, value string) (err error) {
	switch name {
	case "gone":
		f.Gone, err = parseShare(name, value)
	case "throttled":
		f.Throttled, err = parseShare(name, value)
	case "latency":
		f.Latency, err = parseDelay(name, value)
	case "lag":
		f.lag, err = parseDelay(name, value)
	case "logs":
		f.logs, err = parseDelay(name, value)
	case "seed":
		if f.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = fmt.Errorf("seed must be a number such as 1, not %q", value)
		}
	default:
		err = fmt.Errorf("unknown fault %q; the faults are gone, throttled, latency, lag, logs and seed", name)
	}

	return err
}

// parseShare parses a share of the posts, and leaves it to Validate to check the range. For a number that is too large, ParseFloat
// returns ErrRange and an infinity: parseShare returns the infinity, and Validate refuses it.
func parseShare(name, value string) (float64, error) {
	number, err := strconv.ParseFloat(value, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return 0, fmt.Errorf("%s must be a number from 0 to 1, not %q", name, value)
	}
	return number, nil
}

// parseDelay parses a duration up to maxDelay.
func parseDelay(name, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxDelay {
		return 0, fmt.Errorf("%s must be a duration from 0s to 1h such as 50ms, not %q", name, value)
	}
	return d, nil
}

// String returns an empty text, so that the flag package prints no default for the flag. Without the flag there are no faults.
func (f *faultFlag) String() string { return "" }
