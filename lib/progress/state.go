package progress

import (
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// state is what there is to publish at one moment.
type state struct {
	phase   Phase
	began   time.Time
	version int64
	done    int64
	failed  int64
	status  message.Status
	text    string
	closing bool
	errors  []message.Error
}

// take returns the newest state, and with it the errors that wait.
func (r *Reporter) take() state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := state{
		phase: r.phase, began: r.began, version: r.version, status: r.status, text: r.text, closing: r.closing,
		done: r.done.Load(), failed: r.failed.Load(), errors: r.errors,
	}
	if r.status.Terminal() {
		s.done, s.failed = r.endDone, r.endFailed
	}
	r.errors = nil

	return s
}

// changed reports whether s would show the user anything that old did not.
func (s state) changed(old state) bool {
	return s.version != old.version || s.done != old.done || s.failed != old.failed
}

// progress returns the job's progress in percent.
func (s state) progress() float64 {
	if s.status == message.StatusSucceeded {
		return 100
	}
	p := s.phase
	if p.Steps <= 0 {
		return p.From
	}
	done := min(max(s.done, 0), p.Steps)

	return p.From + (p.To-p.From)*float64(done)/float64(p.Steps)
}

// stepsFor returns the number of done steps at which the progress has moved by percent since s; with 0, the next step.
func (s state) stepsFor(percent float64) int64 {
	p := s.phase
	switch {
	case s.status.Terminal():
		return never
	case percent == 0:
		return s.done + 1
	case p.Steps <= 0 || p.To <= p.From:
		return never
	}
	steps := math.Ceil(percent / (p.To - p.From) * float64(p.Steps))
	if steps >= float64(p.Steps)+1 {
		return never
	}

	return s.done + max(int64(steps), 1)
}

// part returns how far the part that c reports is, or nil where it is the whole job that s says something of.
func (s state) part(c Config) *message.Part {
	p := s.phase
	if c.Part == "" || p.Steps <= 0 || s.status.Terminal() {
		return nil
	}
	done := min(max(s.done, 0), p.Steps)

	return &message.Part{ID: c.Part, Done: done, Total: p.Steps, Failed: min(max(s.failed, 0), done), From: p.From, To: p.To}
}

// data returns the message of s at the time now, with a progress of at least floor.
func (s state) data(c Config, floor float64, now time.Time) message.UploadProgress {
	p := s.phase
	d := message.UploadProgress{
		UploadID: c.UploadID, FileName: c.FileName,
		Progress: max(floor, math.Round(s.progress()*100)/100),
		Message:  p.Name, Phase: p.Name, Status: s.status,
		CurrentRow: p.CurrentRow, TotalRows: p.TotalRows, FailedRows: s.failed,
	}
	switch {
	case s.text != "":
		d.Message = s.text
	case p.Text != nil:
		d.Message = p.Text(s.done, p.Steps)
	}
	if !p.Rows {
		return d
	}
	d.CurrentRow, d.TotalRows = s.done, p.Steps
	elapsed, moved := now.Sub(s.began), s.done-p.Done
	if elapsed > 0 && moved > 0 && !s.status.Terminal() {
		rate := float64(moved) / elapsed.Seconds()
		d.RowsPerSecond = math.Ceil(rate)
		d.ETAMillis = int64(float64(max(p.Steps-s.done, 0)) / rate * 1000)
	}

	return d
}
