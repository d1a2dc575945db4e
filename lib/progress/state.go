package progress

import (
	"cmp"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// state is a snapshot of a Reporter. Its fields have the meaning of the Reporter's.
type state struct {
	phase   Phase
	began   time.Time
	version int64
	done    int64
	failed  int64
	status  message.Status
	text    string
	result  string
	listed  message.Steps
	closing bool
}

// snapshot returns the newest state.
func (r *Reporter) snapshot() state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := state{
		phase: r.phase, began: r.began, version: r.version, status: r.status, text: r.text, result: r.result, closing: r.closing, listed: r.listed,
		done: r.done.Load(), failed: r.failed.Load(),
	}
	if r.status.Terminal() {
		s.done, s.failed = r.endDone, r.endFailed
	}
	return s
}

// nextError removes and returns the oldest pending error, and reports whether there was one.
func (r *Reporter) nextError() (pendingError, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errors) == 0 {
		return pendingError{}, false
	}
	e := r.errors[0]
	r.errors = r.errors[1:]
	return e, true
}

// requeueError puts e back as the oldest pending error.
func (r *Reporter) requeueError(e pendingError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append([]pendingError{e}, r.errors...)
}

// hasErrors reports whether there is a pending error.
func (r *Reporter) hasErrors() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.errors) > 0
}

// takeFlushed removes and returns the channels of the calls of Flush that wait.
func (r *Reporter) takeFlushed() []chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	flushed := r.flushed
	r.flushed = nil
	return flushed
}

// refuse records the error of a request that was refused.
func (r *Reporter) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == nil {
		r.refused = err
	}
}

// changed reports whether the user would see another state with s than with old.
func (s state) changed(old state) bool {
	return s.version != old.version || s.done != old.done || s.failed != old.failed || s.listed != old.listed
}

// progress returns the job's progress in percent.
func (s state) progress() float64 {
	if s.status == message.StatusSucceeded {
		return maxProgress
	}
	p := s.phase
	from, to := p.window()
	if p.Steps <= 0 {
		return from
	}
	return from + (to-from)*float64(s.steps())/float64(p.Steps)
}

// maxProgress is the largest progress, that of a job that has succeeded.
const maxProgress = 100 // percent

// window returns From and To within 0 to 100, with a To that is not less than From.
func (p Phase) window() (from, to float64) {
	from = clamp(p.From, 0)
	return from, clamp(p.To, from)
}

// clamp limits x to low to 100; NaN becomes low.
func clamp(x, low float64) float64 {
	if !(x >= low) { // true for NaN
		return low
	}
	return min(x, maxProgress)
}

// seconds returns a time in whole seconds, limited to low to high, or 0 if there is none.
func seconds(d time.Duration, low, high int64) int64 {
	if d <= 0 {
		return 0
	}
	return min(max(int64(d/time.Second), low), high)
}

// count limits n to the counts that a message may have: 0 to MaxSteps.
func count(n int64) int64 { return min(max(n, 0), message.MaxSteps) }

// steps returns the number of done steps, limited to 0 to the number of all steps.
func (s state) steps() int64 { return min(max(s.done, 0), s.phase.Steps) }

// stepsUntil returns the number of done steps at which the progress will have moved by moved percent since s. If moved is 0, it returns
// one more step than s has.
func (s state) stepsUntil(moved float64) int64 {
	p := s.phase
	switch {
	case s.status.Terminal():
		return never
	case moved == 0:
		return s.done + 1
	case p.Steps <= 0 || p.To <= p.From:
		return never
	}
	steps := math.Ceil(moved / (p.To - p.From) * float64(p.Steps))
	if steps >= float64(p.Steps)+1 { // more than the phase has; such a float64 may also be too large for an int64
		return never
	}
	return s.done + max(int64(steps), 1)
}

// part returns the progress of the part that c names, or nil if s must be published as a state of the whole job.
func (s state) part(c Config) *message.Part {
	p := s.phase
	from, to := p.window()
	validSteps := p.Steps > 0 && p.Steps <= message.MaxSteps
	if c.Part == "" || !validSteps || s.status.Terminal() {
		return nil
	}
	if to == 0 { // A Part cannot say this, because its To of 0 means 100.
		return nil
	}
	return &message.Part{ID: c.Part, Done: s.steps(), Total: p.Steps, Failed: min(max(s.failed, 0), s.steps()), From: from, To: to}
}

// jobID returns the id of the job.
func (c Config) jobID() string { return cmp.Or(c.JobID, c.UploadID) }

// asData returns a state as data of the job's type.
func (c Config) asData(s message.UploadProgress) message.Data {
	if c.JobID != "" {
		return message.AsType(message.TypeJobProgress, s)
	}
	return s
}

// shownStatus returns the status of the job: its end, or else what it does in the phase.
func (s state) shownStatus() message.Status {
	if s.status.Terminal() || s.phase.Status.Terminal() {
		return s.status
	}
	return s.phase.Status
}

// data returns the state s at the time now, with a progress of at least floor.
func (s state) data(c Config, floor float64, now time.Time) message.UploadProgress {
	const perPercent = 100 // the progress has two decimal places
	p := s.phase
	name := c.FileName
	if c.JobID != "" {
		name = c.Title
	}
	d := message.UploadProgress{
		UploadID: c.jobID(), FileName: name,
		Progress: max(floor, math.Round(s.progress()*perPercent)/perPercent),
		Message:  s.message(), Phase: p.Name, Status: s.shownStatus(),
		CurrentRow: count(p.CurrentRow), TotalRows: count(p.TotalRows), FailedRows: count(s.failed), Steps: s.listed,
	}
	if d.Attempt = min(max(c.Attempt, 0), message.MaxAttempt); d.Attempt > 0 && c.MaxAttempts > 0 {
		d.Of = min(max(c.MaxAttempts, d.Attempt), message.MaxAttempt)
	}
	if s.status.Terminal() {
		d.Result = s.result
	}
	if !s.status.Terminal() {
		d.ExpectEvery = seconds(c.ExpectEvery, message.MinExpectEvery, message.MaxExpectEvery)
		d.EndAfter = seconds(c.EndAfter, max(message.MinEndAfter, d.ExpectEvery+1), message.MaxEndAfter)
	}
	if !p.Rows {
		return d.Truncated()
	}
	d.CurrentRow, d.TotalRows = count(s.done), count(p.Steps)
	elapsed, moved := now.Sub(s.began), s.done-p.Done // since the phase began in this process
	if elapsed > 0 && moved > 0 && !s.status.Terminal() {
		rate := float64(moved) / elapsed.Seconds()
		d.RowsPerSecond = math.Ceil(rate)
		// In milliseconds. The min is for float64 values that are too large for an int64.
		d.ETAMillis = count(int64(min(float64(max(p.Steps-s.done, 0))/rate*1000, message.MaxSteps)))
	}
	return d.Truncated()
}

// message returns the text of s. It is never empty, because the notifier refuses a state without a message.
func (s state) message() string {
	text := s.text
	if text == "" && s.phase.Text != nil {
		text = s.phase.Text(s.done, s.phase.Steps)
	}
	switch fallback := cmp.Or(text, s.phase.Name); {
	case fallback != "":
		return fallback
	case s.status == message.StatusSucceeded:
		return "Done"
	case s.status == message.StatusFailed:
		return "Failed"
	case s.status == message.StatusCancelled:
		return "Stopped"
	default:
		return "Working"
	}
}
