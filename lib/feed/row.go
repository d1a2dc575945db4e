package feed

import (
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// When a state may be pushed that is not urgent.
const (
	// MinInterval is the least time between two pushes of a job.
	MinInterval = 250 * time.Millisecond
	// SlowInterval is the least time between two pushes when progress moved under MinStep.
	SlowInterval = 2 * time.Second
	// MinStep is the movement, in percent, that is worth a push after MinInterval.
	MinStep = 1.0
)

const percent = 100

// Row is the newest state of one job.
type Row struct {
	// Owner is whose job it is, such as [User] returns; the job's id is State.UploadID.
	Owner string
	// Epoch says which run of the job this is; Seq counts its accepted updates from 1. A zero Seq is no row.
	Epoch string
	Seq   int64
	// ID is that of the message which came last.
	ID string
	// State is what came last, with a progress that never falls; what the parts have done is not in it, see Shown.
	State     message.UploadProgress
	UpdatedAt time.Time
	Execution string
	// Keys are hashes of the last keys, the newest last.
	Keys []string

	// Parts counts by part; the others are their sums, and what parts said of the whole.
	Parts                  map[string]Count
	PartsDone, PartsFailed int64
	PartsTotal             int64
	PartsFrom, PartsTo     float64
	// PartsSince is when the first part was heard of.
	PartsSince time.Time

	// PushedAt, PushedSeq and PushedProgress are of the push that was claimed last.
	PushedAt       time.Time
	PushedSeq      int64
	PushedProgress float64
}

// Count is what a part has done.
type Count struct{ Done, Failed int64 }

// Expired reports whether the row's life was over at a time.
func (r Row) Expired(at time.Time) bool { return !at.Before(r.ExpiresAt()) }

// ExpiresAt returns when the row's life ends, in whole seconds.
func (r Row) ExpiresAt() time.Time { return r.UpdatedAt.Add(JobLife).Truncate(time.Second) }

// Pushed reports whether the push of the row's newest state has been claimed.
func (r Row) Pushed() bool { return r.PushedSeq == r.Seq }

// Turn returns when the row's state may be pushed, if it is not urgent.
func (r Row) Turn() time.Time {
	if r.Shown().Progress-r.PushedProgress >= MinStep {
		return r.PushedAt.Add(MinInterval)
	}

	return r.PushedAt.Add(SlowInterval)
}

// Newer reports whether the row comes after a position in the job's history.
func (r Row) Newer(epoch string, seq int64) bool {
	return r.Epoch > epoch || r.Epoch == epoch && r.Seq > seq
}

// Envelope returns the frame of the row's state.
func (r Row) Envelope() message.Envelope {
	e := message.New(r.Shown(), r.ID, r.UpdatedAt)
	e.Epoch, e.Seq = r.Epoch, r.Seq

	return e
}

// Shown returns the state as users see it: while parts work, the progress and the rows are their sums.
func (r Row) Shown() message.UploadProgress {
	s := r.State
	if r.PartsTotal == 0 || s.Status.Terminal() {
		return s
	}
	done := min(r.PartsDone, r.PartsTotal)
	sum := r.PartsFrom + (r.PartsTo-r.PartsFrom)*float64(done)/float64(r.PartsTotal)
	s.Progress = max(s.Progress, math.Round(sum*percent)/percent)
	if s.TotalRows != r.PartsTotal { // the parts' steps are no rows
		return s
	}
	s.CurrentRow, s.FailedRows = max(s.CurrentRow, done), max(s.FailedRows, r.PartsFailed)
	if elapsed := r.UpdatedAt.Sub(r.PartsSince); elapsed >= time.Second && done > 0 && done < r.PartsTotal {
		rate := float64(done) / elapsed.Seconds()
		s.RowsPerSecond = math.Ceil(rate)
		s.ETAMillis = int64(float64(r.PartsTotal-done) / rate * 1000)
	}

	return s
}
