package asl

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// matches reports whether a Retry or Catch with the names of its ErrorEquals handles the failure (States Language, "Errors"):
//
//   - No name handles a failure that is fatal, such as the States.Runtime that this package raises.
//   - A failure's own name handles it.
//   - States.ALL handles all failures except the States.DataLimitExceeded of a state's own input or output.
//   - States.TaskFailed handles the same failures as States.ALL, except States.Timeout.
//   - States.HeartbeatTimeout handles the States.Timeout of a task that sent no heartbeat in time.
func (f *failure) matches(names []string) bool {
	if f.fatal {
		return false
	}
	for _, name := range names {
		switch {
		case name == f.name && name != "": // The failure of a Fail state without Error has no name.
			return true
		case name == errorAll && !f.nameOnly:
			return true
		case name == errorTaskFailed && f.name != errorTimeout && !f.nameOnly:
			return true
		case name == errorHeartbeatTimeout && f.noHeartbeat:
			return true
		}
	}
	return false
}

// retryAfter returns how long to wait before the next attempt. ok is false if the state is not retried. retries is the number of
// retries by each retrier so far; retryAfter adds the new one.
func (s *stateRun) retryAfter(f *failure, retries []int) (wait time.Duration, ok bool) {
	i := slices.IndexFunc(s.state.retry, func(r retrier) bool { return f.matches(r.errors) })
	if i < 0 {
		return 0, false
	}
	if retries[i] >= s.state.retry[i].attempts {
		s.trace(Step{Kind: StepExhausted, Field: indexed("Retry", i), Error: f.asError()}, nil)
		return 0, false
	}

	r := s.state.retry[i]
	delay := r.interval.Seconds() * math.Pow(r.backoff, float64(retries[i]))
	delay = min(delay, r.maxDelay.Seconds())
	retries[i]++
	wait = seconds(delay)
	if r.jitter {
		wait = s.jitter(wait)
	}
	s.trace(Step{Kind: StepRetried, Field: indexed("Retry", i), Wait: wait, Error: f.asError()}, nil)
	return wait, true
}

// jitter returns the wait of a retrier with jitter; longest is the wait without it.
func (s *stateRun) jitter(longest time.Duration) time.Duration {
	if jitter := s.thread.run.execution.Jitter; jitter != nil {
		return jitter(longest)
	}
	return time.Duration(float64(longest) * rand.Float64())
}

// findCatcher returns the first catcher that handles the failure; nil if there is none.
func (s *stateRun) findCatcher(f *failure) *catcher {
	i := slices.IndexFunc(s.state.catch, func(c catcher) bool { return f.matches(c.errors) })
	if i < 0 {
		return nil
	}
	s.field, s.caught = indexed("Catch", i), f.asError()
	return &s.state.catch[i]
}

// output returns the error output that a catcher receives. A missing name or cause is null; only a timeout's missing cause is an
// empty string.
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

// catchFailure returns the outcome of a state whose failure was caught.
func (s *stateRun) catchFailure(c *catcher, f *failure) (outcome, error) {
	s.errorOutput = f.output()
	s.result = nil
	out := outcome{next: c.next, output: s.errorOutput}
	var err error
	switch {
	case s.state.jsonata && c.output != nil:
		out.output, err = c.output.eval(s, "Catch/Output")
	case !s.state.jsonata:
		s.pathRoot = s.errorOutput
		out.output, err = s.applyResultPath(c.resultPath, s.errorOutput)
	}
	if err != nil {
		return outcome{}, err
	}
	if out.assigned, err = s.evalAssign(c.assign, "Catch/Assign"); err != nil {
		return outcome{}, err
	}

	return out, s.checkSize(out.output)
}
