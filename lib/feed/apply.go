package feed

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// MaxParts is how many parts a job may have.
	MaxParts = message.MaxParts
	// maxKeys is how many idempotency keys a job's row has at most. A new key replaces the oldest.
	maxKeys = 16
)

// Update is a new state of a job, or of one of its parts.
type Update struct {
	// Type is the type of the state. Empty means [message.TypeUploadProgress].
	Type  message.Type
	State message.UploadProgress
	// Epoch is normalized. Empty means that the update has no epoch: it belongs to the run of the row. If there is no row, or
	// the row has expired, the update begins a run whose epoch is made from At.
	Epoch string
	// Key is the idempotency key. It is not used with a Part. Empty means that only the ID can show that the update is a
	// repetition.
	Key string
	// Execution is the ARN of the execution that the job ends with. Empty means none.
	Execution string
	// EndedExecution is set if Herald itself reports that an execution has ended: it is the ARN of that execution, and State is
	// terminal. The update does not end a job that belongs to another execution.
	EndedExecution string
	// Stalled is set if Herald itself reports that there was no news of the job for longer than expected. Of State, only
	// the id of the job counts. The row then shows the status stalled until the next update, and keeps the time of the last one.
	Stalled bool
	// OnlySeq is set if the update is about one state of the row: its Seq. If the row has another state, the update is Stale.
	OnlySeq int64
	// Part is set if the update reports one part of the job. If the job has a row, Apply then uses only the message of State.
	Part *message.Part
	// SentAt is when the sender made the state, by its own clock. The zero value means that the order is unknown.
	SentAt time.Time
	// ID is the id of the message, a ULID.
	ID string
	At time.Time
}

// Apply returns the row after u and the outcome. If the outcome is not Accepted, it returns row unchanged. A row whose Seq is 0
// means that the job has no row. The only error is [ErrTooManyParts]. The first matching rule applies:
//
//  1. The epoch is older than the epoch of the row → Stale. The epoch is newer → the row starts again at Seq 1, and rules 2 and
//     7 apply. An update without an epoch belongs to the run of the row, or begins a new run if the row has expired. An expired
//     row counts for this rule until the store deletes it.
//  2. EndedExecution is set, and the job belongs to another execution or does not exist → Stale. OnlySeq is set, and the row has
//     another Seq → Stale, unless the message is a repetition.
//  3. The key is one of the last 16, or the ID is that of the last message → Duplicate. This rule does not apply to parts.
//  4. The attempt is lower than an attempt that a state of the run has named → Stale. An update without an attempt belongs to the
//     newest attempt.
//  5. The row is terminal → Ignored. But if an attempt has failed, a later attempt continues the run by rule 7.
//  6. The part has fewer done steps than the stored part → Ignored. It has as many, and not more failed ones → Duplicate.
//  7. Otherwise → Accepted. Seq grows by one. Progress never falls: failed and cancelled do not change it, succeeded sets it
//     to 100. The first part of an epoch sets the Scope. A running state that was sent before the newest stored state of its run
//     and attempt does not replace that state: only its progress counts. If a part was sent before that state, its message does not count.
//     The steps of the run stay until a state of the whole job names other ones. If they do not fit a new state, the oldest go.
//
// Coalescing: an urgent state, or one whose interval has passed, is marked as pushed in the same write. An update of a part is
// marked only if it begins the row or the run. Any other update of a part needs ClaimPush, because a store may write it without
// reading the row.
func Apply(row Row, u Update) (Row, Outcome, error) {
	relation, epoch := row.relationTo(u)
	if outcome := row.outcomeOf(u, relation); outcome != Accepted {
		return row, outcome, nil
	}
	switch {
	case relation == newRun:
		row = Row{Owner: row.Owner}
	case row.Unreadable: // The run goes on with the fields that could be decoded.
		row = Row{
			Owner: row.Owner, Epoch: row.Epoch, NamedEpoch: row.NamedEpoch, EpochFromTime: row.EpochFromTime, Seq: row.Seq,
			Execution: row.Execution, Unreadable: true,
		}
	}
	if u.Stalled {
		return row.withStall(u), Accepted, nil
	}
	if outcome, err := partOutcome(row, u.Part); err != nil || outcome != Accepted {
		return row, outcome, err
	}
	return nextRow(row, u, epoch), Accepted, nil
}

// withStall returns the row with the mark that the job is stalled.
func (r Row) withStall(u Update) Row {
	r.Seq++
	r.ID, r.StalledSeq = u.ID, r.Seq
	return r.WithPush(u.At)
}

// outcomeOf returns the outcome of u by the rules up to that of the end. relation is that of u to the row.
func (r Row) outcomeOf(u Update, relation runRelation) Outcome {
	switch {
	case relation == olderRun:
		return Stale
	case u.EndedExecution != "" && !r.mayBeEndedBy(u, relation):
		return Stale
	case u.OnlySeq > 0 && (relation == newRun || r.Unreadable):
		return Stale
	case relation == newRun:
		return Accepted
	case r.Unreadable && r.Terminal() && !r.isRetriedBy(u): // An unreadable row has no keys and no ID to find a repetition by.
		return Ignored
	case r.Unreadable:
		return Accepted
	default:
		return r.outcomeInRun(u)
	}
}

// outcomeInRun returns the outcome of u, which is in the run of the row, by the same rules.
func (r Row) outcomeInRun(u Update) Outcome {
	switch {
	case isRepetition(r, u):
		return Duplicate
	case u.OnlySeq > 0 && u.OnlySeq != r.Seq:
		return Stale
	case u.State.Attempt > 0 && u.State.Attempt < r.Attempt:
		return Stale
	case r.Terminal() && !r.isRetriedBy(u):
		return Ignored
	default:
		return Accepted
	}
}

// typeToStore returns the type of u as a row has it.
func (u Update) typeToStore() message.Type {
	if u.Type == message.TypeUploadProgress {
		return ""
	}
	return u.Type
}

// isRetriedBy reports whether an attempt has ended the row's job as failed, and u is of a later attempt.
func (r Row) isRetriedBy(u Update) bool {
	return r.State.Status == message.StatusFailed && r.State.Attempt > 0 && u.State.Attempt > r.State.Attempt
}

// mayBeEndedBy reports whether the ended execution of u may end the row's job. relation is that of u to the row.
func (r Row) mayBeEndedBy(u Update, relation runRelation) bool {
	if relation == newRun {
		// The end may begin a run only if the job exists and the end names the run.
		return r.Seq > 0 && u.Epoch != ""
	}
	// In the row's run, the job must have no execution or this one.
	return r.Execution == "" || r.Execution == u.EndedExecution
}

// partOutcome compares an update of a part with the stored part. It returns Accepted if p is nil.
func partOutcome(row Row, p *message.Part) (Outcome, error) {
	if p == nil {
		return Accepted, nil
	}
	stored, exists := row.Parts[p.ID]
	switch {
	case !exists && len(row.Parts) >= MaxParts:
		return "", ErrTooManyParts
	case exists && p.Done < stored.Done:
		return Ignored, nil
	case exists && p.Done == stored.Done && p.Failed <= stored.Failed:
		return Duplicate, nil
	default:
		return Accepted, nil
	}
}

// isRepetition reports whether u, an update in the row's run, has been applied to the row. It is false for parts.
func isRepetition(row Row, u Update) bool {
	if u.Part != nil {
		return false
	}
	return u.ID != "" && u.ID == row.ID || u.Key != "" && slices.Contains(row.Keys, keyHash(u.Key))
}

// nextRow returns the row after the accepted update u, which belongs to the run with an epoch.
func nextRow(row Row, u Update, epoch string) Row {
	first := row.Seq == 0 || row.Unreadable // There is no state before u.
	next := row.withUpdate(u, epoch, first)
	next.State = nextState(row, u, first)
	if first || u.Part == nil && !row.Supersedes(u) {
		next.Type = u.typeToStore()
	}
	// A worker that sends a state replaces all of it. A part or the report of an execution's end leaves the fields of a newer version.
	if u.Part == nil && u.EndedExecution == "" && !row.Supersedes(u) {
		next.UnknownFields = ""
	}
	next.UnknownTerminal, next.Unreadable = false, false
	if u.Part != nil {
		next = next.withPart(*u.Part)
	}
	// A store may write a part without reading the row, even one that ends a stall.
	onlyCounts := u.Part != nil && !row.Terminal()
	if first || !onlyCounts && (next.isUrgentAfter(row) || next.pushIsDue()) {
		next = next.WithPush(next.UpdatedAt)
	}
	return next
}

// isUrgentAfter reports whether the users must see the row at once, after row.
func (r Row) isUrgentAfter(row Row) bool {
	return r.State.Phase != row.State.Phase || r.shownStatus().Other(row.shownStatus()) || r.Terminal()
}

// Supersedes reports whether the row, which is of the run of u, has a state that was sent after u, so that u does not replace it.
// An end is never superseded, nor is the state of a whole job in a later attempt.
func (r Row) Supersedes(u Update) bool {
	laterAttempt := u.Part == nil && u.State.Attempt > r.Attempt
	return r.Seq > 0 && !u.SentAt.IsZero() && u.SentAt.Before(r.SentAt) && !u.State.Status.Terminal() && !laterAttempt
}

// withUpdate returns the row with all of u except its state and its part. epoch is the epoch of the run of u. first is true if the
// row has no state before u.
func (r Row) withUpdate(u Update, epoch string, first bool) Row {
	superseded := r.Supersedes(u)
	if r.Execution == "" || !superseded {
		r.Execution = cmp.Or(u.Execution, r.Execution)
	}
	if first || u.Part == nil && !superseded {
		r.ExpectEvery, r.EndAfter = cmp.Or(u.State.ExpectEvery, r.ExpectEvery), cmp.Or(u.State.EndAfter, r.EndAfter)
	}
	if u.Part == nil || first || r.Terminal() {
		r = r.withOrder(u)
	}
	switch {
	case r.Seq == 0: // u begins the run.
		r.Epoch, r.EpochFromTime = epoch, u.Epoch == ""
		if epoch != u.Epoch {
			r.NamedEpoch = u.Epoch
		}
	case r.adoptsEpoch(u.Epoch):
		r.NamedEpoch, r.EpochFromTime = u.Epoch, false
	}
	r.ID, r.UpdatedAt = u.ID, u.At.UTC().Truncate(time.Millisecond)
	r.Seq++
	if u.Part == nil && u.Key != "" {
		r = r.withKey(u.Key)
	}
	if r.PushedAt.After(r.UpdatedAt) { // The process that pushed last has a clock that is ahead.
		r.PushedAt = r.UpdatedAt
	}
	return r
}

// withKey returns the row with one more idempotency key.
func (r Row) withKey(key string) Row {
	dropped := max(0, len(r.Keys)+1-maxKeys) // the oldest keys, so that the new one has a place
	r.Keys = append(slices.Clone(r.Keys[dropped:]), keyHash(key))
	return r
}

// withOrder returns the row with the attempt of u and the time when it was sent, if they are later. The states of parts have no
// influence on the order, except one that begins or continues the run.
func (r Row) withOrder(u Update) Row {
	if u.State.Attempt > r.Attempt {
		r.Attempt, r.SentAt = u.State.Attempt, time.Time{}
	}
	if u.SentAt.After(r.SentAt) {
		r.SentAt = u.SentAt.UTC().Truncate(time.Millisecond)
	}
	return r
}

// nextState returns the state to store after u. first is true if the row has no state before u.
func nextState(row Row, u Update, first bool) message.UploadProgress {
	state, before := u.State, row.VisibleState().Progress
	switch {
	case u.Part != nil && first:
		state.Progress, _ = u.Part.ProgressRange() // The job begins where the parallel phase begins.
		state.RowsPerSecond, state.ETAMillis = 0, 0
	case row.Supersedes(u):
		state = row.State
		if u.Part == nil {
			state.Progress = max(before, u.State.Progress)
		}
	case u.Part != nil:
		state = row.State
		state.Message = u.State.Message
		if row.Terminal() { // a part of a later attempt
			state.Status, state.Attempt, state.Of, state.Result = "", u.State.Attempt, u.State.Of, ""
		}
	case state.Status == message.StatusSucceeded:
		state.Progress = percent
	case state.Status.Terminal() && !first:
		state.Progress = before
	default:
		state.Progress = max(before, state.Progress)
	}
	if state.Steps == "" {
		state = state.WithSteps(row.State.Steps)
	}
	return state
}

// withPart returns the row with the new counts of a part.
func (r Row) withPart(p message.Part) Row {
	stored := r.Parts[p.ID]
	r.Parts = maps.Clone(r.Parts)
	if r.Parts == nil {
		r.Parts = map[string]PartCount{}
	}
	failed := max(stored.Failed, p.Failed)
	r.Parts[p.ID] = PartCount{Done: p.Done, Failed: failed}
	r.PartsDone += p.Done - stored.Done
	r.PartsFailed += failed - stored.Failed
	if r.Scope.Total == 0 {
		r.Scope = NewScope(p, r.UpdatedAt)
	}
	return r
}

// keyHash returns the form in which a row stores an idempotency key: the first 12 bytes of its SHA-256 as 16 characters.
func keyHash(key string) string {
	const hashLen = 12
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:hashLen])
}
