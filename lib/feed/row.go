package feed

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	percent = 100
	// maxETA bounds the estimated remaining time, in milliseconds: a year, the longest that an execution may run.
	maxETA = 365 * 24 * 3600 * 1000
)

// Row is the newest state of one job.
type Row struct {
	// Owner is the owner of the job, see [User]. The id of the job is State.UploadID.
	Owner string
	// Epoch identifies the run of the job. Seq counts the accepted updates of the run from 1. If it is 0, there is no row.
	Epoch string
	Seq   int64
	// EpochFromTime is true if Epoch was made from a time and no update of the run has had an epoch yet. NamedEpoch is the
	// epoch in the updates of the run, if that differs from Epoch because the run, or one before it, began without one.
	EpochFromTime bool
	NamedEpoch    string
	// ID is the id of the last accepted message.
	ID string
	// State is the last accepted state, with a progress that never falls. It does not include the parts, see VisibleState.
	State message.UploadProgress
	// UnknownFields is a JSON object with the fields of the state that this version does not know, or empty. UnknownTerminal is
	// true if the state is terminal with a status that this version does not know. A newer version wrote them.
	UnknownFields   string
	UnknownTerminal bool
	// Unreadable is true if the stored row cannot be decoded except for its epoch and seq. Stores pass such a row to [Apply],
	// which replaces its state, and never return it.
	Unreadable bool

	UpdatedAt time.Time
	Execution string
	// Keys are hashes of the last keys, the newest last.
	Keys []string

	// Parts has the counts by part id, PartsDone and PartsFailed the sums. Scope is zero until there is a part.
	Parts                  map[string]PartCount
	PartsDone, PartsFailed int64
	Scope                  Scope

	// PushedAt, PushedSeq and PushedProgress describe the last claimed push.
	PushedAt       time.Time
	PushedSeq      int64
	PushedProgress float64
}

// PartCount is how many steps of a part are done, and how many of these failed.
type PartCount struct{ Done, Failed int64 }

// Scope is the extent of a job's parallel phase. The first part sets it. Later parts cannot change it, because progress could
// fall then.
type Scope struct {
	// Total is the number of steps of the job.
	Total int64
	// From and To are the progress before the first step and after the last, in percent, rounded to hundredths.
	From, To float64
	// Since is the time of the first update of a part.
	Since time.Time
}

// NewScope returns the scope that the first part sets at a time.
func NewScope(p message.Part, at time.Time) Scope {
	from, to := p.ProgressRange()
	return Scope{Total: p.Total, From: hundredths(from), To: hundredths(to), Since: at.UTC().Truncate(time.Millisecond)}
}

// Terminal reports whether the row's state is final in its run.
func (r Row) Terminal() bool { return r.State.Status.Terminal() || r.UnknownTerminal }

// Expired reports whether the row has expired at a time. Tabs do not receive expired rows.
func (r Row) Expired(at time.Time) bool { return !at.Before(r.ExpiresAt()) }

// ExpiresAt returns when the row expires, in whole seconds: [PointerTTL] after the last update of a running job with an
// execution, [JobTTL] after that of any other.
func (r Row) ExpiresAt() time.Time {
	ttl := JobTTL
	if r.Execution != "" && !r.Terminal() {
		ttl = PointerTTL
	}
	return r.UpdatedAt.Add(ttl).Truncate(time.Second)
}

// Pushed reports whether the push of the row's newest state has been claimed.
func (r Row) Pushed() bool { return r.PushedSeq == r.Seq }

// WithPush returns the row with the push of its newest state recorded at a time.
func (r Row) WithPush(at time.Time) Row {
	r.PushedAt, r.PushedSeq, r.PushedProgress = at.UTC().Truncate(time.Millisecond), r.Seq, hundredths(r.VisibleState().Progress)
	return r
}

// NextPushAt returns when the row's state may be pushed if it is not urgent. It returns now if the last push is recorded in
// the future, because then a clock was ahead and the real time of the push is unknown.
func (r Row) NextPushAt(now time.Time) time.Time {
	switch {
	case r.PushedAt.After(now):
		return now
	case r.VisibleState().Progress-r.PushedProgress >= message.MinPushProgress:
		return r.PushedAt.Add(message.MinPushInterval)
	default:
		return r.PushedAt.Add(message.SlowPushInterval)
	}
}

// pushIsDue reports whether the row's state may be pushed at the time of its update.
func (r Row) pushIsDue() bool { return !r.NextPushAt(r.UpdatedAt).After(r.UpdatedAt) }

// Newer reports whether the row is newer than the state with epoch and seq.
func (r Row) Newer(epoch string, seq int64) bool {
	return r.Epoch > epoch || r.Epoch == epoch && r.Seq > seq
}

// Envelope returns the frame of the row's state.
func (r Row) Envelope() message.Envelope {
	e := message.New(r.VisibleState(), r.ID, r.UpdatedAt)
	e.Epoch, e.Seq = r.Epoch, r.Seq
	if r.UnknownFields != "" {
		if text, err := r.StateJSON(r.VisibleState()); err == nil {
			e.Data = message.Unknown{Name: e.Type, JSON: text}
		}
	}
	return e
}

// StateJSON returns a state as compact JSON, including the unknown fields of the row.
func (r Row) StateJSON(state message.UploadProgress) ([]byte, error) {
	text, err := MarshalData(state)
	if err != nil || r.UnknownFields == "" {
		return text, err
	}
	all := map[string]json.RawMessage{}
	for _, object := range []string{r.UnknownFields, string(text)} { // Known fields replace unknown ones.
		if err := json.Unmarshal([]byte(object), &all); err != nil {
			return nil, fmt.Errorf("decode JSON: %w", err)
		}
	}
	return marshalJSON(all)
}

// VisibleState returns the state that users see. While parts run, its progress and row counts are the sums of the parts.
func (r Row) VisibleState() message.UploadProgress {
	state, scope := r.State, r.Scope
	if scope.Total == 0 || r.Terminal() {
		return state
	}
	done := min(r.PartsDone, scope.Total)
	state.Progress = max(state.Progress, hundredths(scope.From+(scope.To-scope.From)*float64(done)/float64(scope.Total)))
	if state.TotalRows != scope.Total { // The steps of the parts are not rows.
		return state
	}
	state.CurrentRow, state.FailedRows = max(state.CurrentRow, done), max(state.FailedRows, r.PartsFailed)
	if elapsed := r.UpdatedAt.Sub(scope.Since); elapsed >= time.Second && done > 0 && done < scope.Total {
		rate := float64(done) / elapsed.Seconds()
		state.RowsPerSecond = math.Ceil(rate)
		state.ETAMillis = int64(min(float64(scope.Total-done)/rate*1000, maxETA))
	}
	return state
}

// NeedsPointer reports whether a pointer from the execution to the job must be written with the change from before to r.
func (r Row) NeedsPointer(before Row) bool {
	return r.Execution != "" && !r.Terminal() && (r.Seq == 1 || r.Execution != before.Execution || before.Expired(r.UpdatedAt))
}

// Pointer returns the pointer from the row's execution to its job.
func (r Row) Pointer() Pointer {
	return Pointer{Execution: r.Execution, Owner: r.Owner, Job: r.State.UploadID, Epoch: r.Epoch, At: r.UpdatedAt}
}

// hundredths rounds a percentage to two decimals, which all stores represent in the same way.
func hundredths(progress float64) float64 {
	const perPercent = 100
	return math.Round(progress*perPercent) / perPercent
}
