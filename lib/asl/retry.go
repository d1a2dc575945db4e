package asl

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// matches reports whether a Retry or Catch with the given ErrorEquals handles the failure (States Language, "Errors").
//
// Nothing handles States.Runtime that the interpreter raises. States.ALL handles everything else but the
// States.DataLimitExceeded of a state's own output; States.TaskFailed what States.ALL handles but States.Timeout.
func (f *failure) matches(names []string) bool {
	if f.final {
		return false
	}
	for _, name := range names {
		switch {
		case name == f.name && name != "":
			return true
		case name == errorAll && !f.named:
			return true
		case name == errorTaskFailed && f.name != errorTimeout && !f.named:
			return true
		case name == errorHeartbeatTimeout && f.silent:
			return true
		}
	}

	return false
}

// retryAfter returns how long to wait before the next attempt, and whether there is one. tried counts the attempts of each
// retrier.
func (s *scope) retryAfter(f *failure, tried []int) (time.Duration, bool) {
	i := slices.IndexFunc(s.state.retry, func(r retrier) bool { return f.matches(r.errors) })
	if i < 0 || tried[i] >= s.state.retry[i].attempts {
		return 0, false
	}

	r := s.state.retry[i]
	wait := r.interval.Seconds() * math.Pow(r.backoff, float64(tried[i]))
	wait = min(wait, r.maxDelay.Seconds())
	tried[i]++

	if r.jitter {
		wait *= rand.Float64() //nolint:gosec // It spreads load.
	}
	return seconds(wait), true
}

// catcherOf returns the catcher of a failure; nil if there is none.
func (s *scope) catcherOf(f *failure) *catcher {
	i := slices.IndexFunc(s.state.catch, func(c catcher) bool { return f.matches(c.errors) })
	if i < 0 {
		return nil
	}
	return &s.state.catch[i]
}

// output returns the error output: what a catcher sees. A failure that does not say a name or a cause has null there; the
// service gives the cause of a timeout as an empty text.
func (f *failure) output() *jsontree.Object {
	o := jsontree.NewObject("Error", nil, "Cause", nil)
	if f.name != "" {
		o.Set("Error", f.name)
	}
	if f.cause != "" || f.name == errorTimeout {
		o.Set("Cause", f.cause)
	}
	return o
}

// caught returns the outcome of a state whose failure was caught.
func (s *scope) caught(c *catcher, f *failure) (outcome, error) {
	s.errorOutput = f.output()
	s.result = nil
	out := outcome{next: c.next, output: s.errorOutput}
	var err error
	switch {
	case s.state.jsonata && c.output != nil:
		out.output, err = c.output.eval(s, "Catch/Output")
	case !s.state.jsonata:
		s.data = s.errorOutput
		out.output, err = s.withResult(c.resultPath, s.errorOutput)
	}

	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(c.assign, "Catch/Assign"); err != nil {
		return outcome{}, err
	}

	out.output, err = s.limited(out.output, s.state.name)
	return out, err
}
