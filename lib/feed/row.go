package feed

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// percent is the progress of a job that has succeeded.
	percent = 100
	// maxETA bounds the estimated remaining time, in milliseconds. It is a year, the longest time that an execution may run.
	maxETA = 365 * 24 * 3600 * 1000
)

// Row is the newest state of one job.
type Row struct {
	// Owner is the owner of the job, see [User]. The id of the job is State.UploadID.
	Owner string
	// Epoch identifies the run of the job.
	Epoch string
	// Seq counts the accepted updates of the run from 1. If Seq is 0, the job has no row.
	Seq int64
	// EpochFromTime is true if Epoch was made from a time and no update of the run has had an epoch yet.
	EpochFromTime bool
	// NamedEpoch is the epoch in the updates of the run, if it differs from Epoch. It differs if the run, or a run before it,
	// began without an epoch. Otherwise it is empty.
	NamedEpoch string
	// ID is the id of the last accepted message.
	ID string
	// Type is the type of the last accepted state. Empty means [message.TypeUploadProgress]. A job may change its type: the last
	// state decides.
	Type message.Type
	// Attempt is the highest attempt that a state of the run has named. Zero means that none has. The states of parts do not
	// change it, except one that begins or continues the run.
	Attempt int64
	// ExpectEvery and EndAfter are those that the last state of the run had that named them, see [message.UploadProgress].
	ExpectEvery, EndAfter int64
	// StalledSeq is the Seq with which the run was last marked as stalled. The run is stalled if it is still Seq.
	StalledSeq int64
	// State is the last accepted state, whatever its type, except that its progress never falls. It does not include the parts, see VisibleState.
	State message.UploadProgress
	// UnknownFields is a JSON object with the fields of the state that a newer version of Herald wrote and this version does not
	// know. Empty means that there are none.
	UnknownFields string
	// UnknownTerminal is true if a newer version wrote a terminal state with a status that this version does not know.
	UnknownTerminal bool
	// Unreadable is true if the stored row cannot be decoded, except for its epoch and seq, and maybe its execution and the attempt that
	// has failed. Stores pass such a row to [Apply], which replaces its state. They never return it to callers.
	Unreadable bool

	UpdatedAt time.Time
	// SentAt is the latest time at which a stored state of the run was sent, by the clocks of the senders. It is zero if no state
	// has such a time. The states of parts do not change it, except the first state of a run.
	SentAt time.Time
	// Execution is the ARN of the execution that the job ends with. Empty means none.
	Execution string
	// Keys are hashes of the idempotency keys of the last updates, the newest last.
	Keys []string

	// Parts has the counts of each part by its id. PartsDone and PartsFailed are the sums of these counts.
	Parts                  map[string]PartCount
	PartsDone, PartsFailed int64
	// Scope is zero until the run has a part.
	Scope Scope

	// PushedAt, PushedSeq and PushedProgress are the time, the seq and the visible progress of the last claimed push.
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
	// From is the progress before the first step, To the progress after the last one. Both are in percent, rounded to hundredths.
	From, To float64
	// Since is the time of the first update of a part.
	Since time.Time
}

// NewScope returns the scope that p sets if it is the first part of a run, in an update of the time at.
func NewScope(p message.Part, at time.Time) Scope {
	from, to := p.ProgressRange()
	return Scope{Total: p.Total, From: hundredths(from), To: hundredths(to), Since: at.UTC().Truncate(time.Millisecond)}
}

// Terminal reports whether the row's state is final in its run.
func (r Row) Terminal() bool { return r.State.Status.Terminal() || r.UnknownTerminal }

// Expired reports whether the row has expired at a time. Tabs do not receive expired rows.
func (r Row) Expired(at time.Time) bool { return !at.Before(r.ExpiresAt()) }

// ExpiresAt returns when the row expires, in whole seconds: [PointerTTL] after the last update if the job runs and has an
// execution, otherwise [JobTTL] after it, or JobTTL after EndAfter.
func (r Row) ExpiresAt() time.Time {
	ttl := JobTTL
	switch {
	case r.Terminal():
	case r.Execution != "":
		ttl = PointerTTL
	default:
		ttl += time.Duration(r.EndAfter) * time.Second
	}
	return r.UpdatedAt.Add(ttl).Truncate(time.Second)
}

// Pushed reports whether a push of the row's state has been claimed.
func (r Row) Pushed() bool { return r.PushedSeq == r.Seq }

// WithPush returns the row with a push of its state at a time.
func (r Row) WithPush(at time.Time) Row {
	r.PushedAt, r.PushedSeq, r.PushedProgress = at.UTC().Truncate(time.Millisecond), r.Seq, hundredths(r.VisibleState().Progress)
	return r
}

// NextPushAt returns when the row's state may be pushed if it is not urgent. It returns now if the recorded time of the last push is
// in the future. Then the clock of the process that pushed was ahead, and the real time of the push is unknown.
func (r Row) NextPushAt(now time.Time) time.Time {
	// The users see a stalled job, and there is news of it.
	tookBackStall := r.StalledSeq > 0 && r.PushedSeq == r.StalledSeq && !r.Stalled()
	switch {
	case r.PushedAt.After(now), tookBackStall:
		return now
	case r.VisibleState().Progress-r.PushedProgress >= message.MinPushProgress:
		return r.PushedAt.Add(message.MinPushInterval)
	default:
		return r.PushedAt.Add(message.SlowPushInterval)
	}
}

// pushIsDue reports whether the row's state may be pushed at the time of the last update.
func (r Row) pushIsDue() bool { return !r.NextPushAt(r.UpdatedAt).After(r.UpdatedAt) }

// Newer reports whether the row is newer than the state with epoch and seq.
func (r Row) Newer(epoch string, seq int64) bool {
	return r.Epoch > epoch || r.Epoch == epoch && r.Seq > seq
}

// Envelope returns the frame of the row's state.
func (r Row) Envelope() message.Envelope {
	data := message.AsType(r.Type, r.VisibleState())
	e := message.New(data, r.ID, r.UpdatedAt)
	e.Epoch, e.Seq = r.Epoch, r.Seq
	if r.UnknownFields != "" {
		if text, err := r.StateJSON(data); err == nil {
			e.Data = message.Unknown{Name: e.Type, JSON: text}
		}
	}
	return e
}

// StateJSON returns the data of a state as compact JSON, including the unknown fields of the row.
func (r Row) StateJSON(state message.Data) ([]byte, error) {
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

// Stalled reports whether the job is marked as stalled. Every update removes the mark, because it changes Seq.
func (r Row) Stalled() bool { return r.StalledSeq > 0 && r.StalledSeq == r.Seq && !r.Terminal() }

// shownStatus returns the status that users see.
func (r Row) shownStatus() message.Status {
	if r.Stalled() {
		return message.StatusStalled
	}
	return r.State.Status
}

// expectEvery returns after how many seconds without news the job counts as stalled, or 0. A job that is queued or waiting is expected
// to be silent, unless the state says so itself.
func (r Row) expectEvery() int64 {
	silent := r.State.Status == message.StatusQueued || r.State.Status == message.StatusWaiting
	if r.State.ExpectEvery > 0 || silent || r.Terminal() {
		return r.State.ExpectEvery
	}
	return r.ExpectEvery
}

// IsOverdue reports whether the job must be marked as stalled at a time: there was no news of it for longer than expected.
func (r Row) IsOverdue(at time.Time) bool {
	every := r.expectEvery()
	overdue := every > 0 && at.Sub(r.UpdatedAt) > time.Duration(every)*time.Second
	return overdue && !r.Terminal() && r.shownStatus() != message.StatusStalled
}

// IsAbandoned reports whether the job must end as failed at a time: there was no news of it for longer than EndAfter.
func (r Row) IsAbandoned(at time.Time) bool {
	return r.EndAfter > 0 && !r.Terminal() && at.Sub(r.UpdatedAt) > time.Duration(r.EndAfter)*time.Second
}

// VisibleState returns the state that users see. While parts run, its progress and row counts are the sums of the parts.
func (r Row) VisibleState() message.UploadProgress {
	state, scope := r.State, r.Scope
	if r.Terminal() {
		return state
	}
	state.Status, state.ExpectEvery, state.EndAfter = r.shownStatus(), r.expectEvery(), r.EndAfter
	if scope.Total == 0 {
		return state
	}
	done := min(r.PartsDone, scope.Total)
	state.Progress = max(state.Progress, hundredths(scope.From+(scope.To-scope.From)*float64(done)/float64(scope.Total)))
	if state.TotalRows != scope.Total { // The steps of the parts are not rows.
		return state
	}
	state.CurrentRow, state.FailedRows = max(state.CurrentRow, done), max(state.FailedRows, r.PartsFailed)
	// In the first second the rate would be a guess.
	if elapsed := r.UpdatedAt.Sub(scope.Since); elapsed >= time.Second && done > 0 && done < scope.Total {
		rate := float64(done) / elapsed.Seconds()
		state.RowsPerSecond = math.Ceil(rate)
		state.ETAMillis = int64(min(float64(scope.Total-done)/rate*1000, maxETA))
	}
	return state
}

// HasPointer reports whether the job has a [Pointer] while it runs, by which the sweeper finds it: it has an execution, or a time after
// which it counts as stalled or ends.
func (r Row) HasPointer() bool { return r.Execution != "" || r.ExpectEvery > 0 || r.EndAfter > 0 }

// NeedsPointer reports whether the store must write a [Pointer] when it replaces the row before by r: the job runs and has a pointer,
// and the update begins a run, is the first that needs a pointer, names another execution, or came after before had ended or expired.
func (r Row) NeedsPointer(before Row) bool {
	if !r.HasPointer() || r.Terminal() {
		return false
	}
	return r.Seq == 1 || !before.HasPointer() || r.Execution != before.Execution || before.Terminal() || before.Expired(r.UpdatedAt)
}

// Pointer returns the pointer from the row's execution to its job, or the one without an execution.
func (r Row) Pointer() Pointer {
	return Pointer{Execution: r.Execution, Owner: r.Owner, Job: r.State.UploadID, Epoch: r.Epoch, Attempt: r.Attempt, At: r.UpdatedAt}
}

// hundredths rounds a percentage to two decimals, so that each store returns exactly the number that was stored.
func hundredths(progress float64) float64 {
	const perPercent = 100
	return math.Round(progress*perPercent) / perPercent
}
