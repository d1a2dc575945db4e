package feed

import (
	"encoding/json"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	percent = 100
	// maxETA bounds an estimate of the time left, in milliseconds: a year, as long as an execution may run.
	maxETA = 365 * 24 * 3600 * 1000
)

// Row is the newest state of one job.
type Row struct {
	// Owner is whose job it is, such as [User] returns; the job's id is State.UploadID.
	Owner string
	// Epoch says which run of the job this is; Seq counts its accepted updates from 1. A zero Seq is no row.
	Epoch string
	Seq   int64
	// Unnamed says that no update of the run has named an epoch yet: Epoch was made from a time. Run is the epoch that
	// updates name where that is not Epoch, as the run began unnamed, or followed one that did.
	Unnamed bool
	Run     string
	// ID is that of the message which came last.
	ID string
	// State is what came last, with a progress that never falls; what the parts have done is not in it, see Shown.
	State message.UploadProgress
	// Unknown is a JSON object with the state's fields that this version does not know, or empty. UnknownEnd says that the
	// state is terminal, with a status that this version does not know. A newer version wrote them.
	Unknown    string
	UnknownEnd bool
	// Unreadable says that a row is stored that cannot be read, but for its place in the order of states. No store returns
	// such a row: it is for [Apply], which begins the state anew.
	Unreadable bool

	UpdatedAt time.Time
	Execution string
	// Keys are hashes of the last keys, the newest last.
	Keys []string

	// Parts counts by part, PartsDone and PartsFailed are the sums. Whole is zero until there is a part.
	Parts                  map[string]Count
	PartsDone, PartsFailed int64
	Whole                  Whole

	// PushedAt, PushedSeq and PushedProgress are of the push that was claimed last.
	PushedAt       time.Time
	PushedSeq      int64
	PushedProgress float64
}

// Count is what a part has done.
type Count struct{ Done, Failed int64 }

// Whole is what the first part of a job said of all: progress would fall if a later one could change it.
type Whole struct {
	// Total is the number of the job's steps.
	Total int64
	// From and To are the progress before the first step and after the last, in percent to hundredths.
	From, To float64
	// Since is when the first part was heard of.
	Since time.Time
}

// WholeOf returns what a part says of the whole at a time.
func WholeOf(p message.Part, at time.Time) Whole {
	from, to := p.ProgressRange()

	return Whole{Total: p.Total, From: hundredths(from), To: hundredths(to), Since: at.UTC().Truncate(time.Millisecond)}
}

// Terminal reports whether nothing follows the row's state in its run.
func (r Row) Terminal() bool { return r.State.Status.Terminal() || r.UnknownEnd }

// Expired reports whether the row's life was over at a time: tabs do not see it any more.
func (r Row) Expired(at time.Time) bool { return !at.Before(r.ExpiresAt()) }

// ExpiresAt returns when the row's life ends, in whole seconds: [JobLife] after its last update, or [PointerLife] where the
// end of an execution is to end the job, however long that is silent.
func (r Row) ExpiresAt() time.Time {
	life := JobLife
	if r.Execution != "" && !r.Terminal() {
		life = PointerLife
	}

	return r.UpdatedAt.Add(life).Truncate(time.Second)
}

// ForgottenAt returns when a store may delete the row, in whole seconds: [JobMemory] after its life.
func (r Row) ForgottenAt() time.Time { return r.ExpiresAt().Add(JobMemory) }

// Pushed reports whether the push of the row's newest state has been claimed.
func (r Row) Pushed() bool { return r.PushedSeq == r.Seq }

// Claimed returns the row with the push of its newest state recorded at a time.
func (r Row) Claimed(at time.Time) Row {
	r.PushedAt, r.PushedSeq, r.PushedProgress = at.UTC().Truncate(time.Millisecond), r.Seq, hundredths(r.Shown().Progress)

	return r
}

// NextPushAt returns when the row's state may be pushed, if it is not urgent. A push that is recorded for later than now
// was so by a clock that is ahead: nobody knows how long ago it was, and the state may be pushed now.
func (r Row) NextPushAt(now time.Time) time.Time {
	switch {
	case r.PushedAt.After(now):
		return now
	case r.Shown().Progress-r.PushedProgress >= message.MinPushProgress:
		return r.PushedAt.Add(message.MinPushInterval)
	default:
		return r.PushedAt.Add(message.SlowPushInterval)
	}
}

// Newer reports whether the row comes after a position in the job's history.
func (r Row) Newer(epoch string, seq int64) bool {
	return r.Epoch > epoch || r.Epoch == epoch && r.Seq > seq
}

// Envelope returns the frame of the row's state.
func (r Row) Envelope() message.Envelope {
	e := message.New(r.Shown(), r.ID, r.UpdatedAt)
	e.Epoch, e.Seq = r.Epoch, r.Seq
	if r.Unknown != "" {
		if text, err := r.StateJSON(r.Shown()); err == nil {
			e.Data = message.Unknown{Name: e.Type, JSON: text}
		}
	}

	return e
}

// StateJSON returns a state as compact JSON, with the fields of the row's state that this version does not know.
func (r Row) StateJSON(state message.UploadProgress) ([]byte, error) {
	text, err := JSON(state)
	if err != nil || r.Unknown == "" {
		return text, err
	}
	all := map[string]json.RawMessage{}
	for _, object := range []string{r.Unknown, string(text)} { // what is known counts
		if err := json.Unmarshal([]byte(object), &all); err != nil {
			return nil, err //nolint:wrapcheck // the caller says what it encodes
		}
	}

	return encode(all)
}

// Shown returns the state as users see it: while parts work, the progress and the rows are their sums.
func (r Row) Shown() message.UploadProgress {
	s, w := r.State, r.Whole
	if w.Total == 0 || r.Terminal() {
		return s
	}
	done := min(r.PartsDone, w.Total)
	s.Progress = max(s.Progress, hundredths(w.From+(w.To-w.From)*float64(done)/float64(w.Total)))
	if s.TotalRows != w.Total { // the parts' steps are no rows
		return s
	}
	s.CurrentRow, s.FailedRows = max(s.CurrentRow, done), max(s.FailedRows, r.PartsFailed)
	if elapsed := r.UpdatedAt.Sub(w.Since); elapsed >= time.Second && done > 0 && done < w.Total {
		rate := float64(done) / elapsed.Seconds()
		s.RowsPerSecond = math.Ceil(rate)
		s.ETAMillis = int64(min(float64(w.Total-done)/rate*1000, maxETA))
	}

	return s
}

// Points reports whether the step from before to r is one after which a pointer must lead from the row's execution to its
// job.
func (r Row) Points(before Row) bool {
	return r.Execution != "" && !r.Terminal() && (r.Seq == 1 || r.Execution != before.Execution || before.Expired(r.UpdatedAt))
}

// Pointer returns the pointer from the row's execution to its job.
func (r Row) Pointer() Pointer {
	return Pointer{Execution: r.Execution, Owner: r.Owner, Job: r.State.UploadID, Epoch: r.Epoch, At: r.UpdatedAt}
}

// hundredths returns a percentage to two decimals, which every store keeps alike.
func hundredths(progress float64) float64 {
	const parts = 100

	return math.Round(progress*parts) / parts
}
