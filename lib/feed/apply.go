package feed

import (
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
	// maxKeys is how many idempotency keys the row of a job contains.
	maxKeys = 16
)

// Update is a new state of a job, or of one of its parts.
type Update struct {
	State message.UploadProgress
	// Epoch is normalized. Empty means the epoch of the row, or without a row, one made from At.
	Epoch string
	// Key is the idempotency key. It is not used with a Part. Empty means that the update never counts as a repetition.
	Key string
	// Execution is the ARN of the execution that the job ends with. Empty means none.
	Execution string
	// EndedExecution is the ARN of an ended execution, if State is a terminal state that Herald reports for it. It does not
	// end a job that another execution has.
	EndedExecution string
	// Part is set if the update is that of one part. If the job has a row, only the message of State is used then.
	Part *message.Part
	// ID is the id of the message, a ULID.
	ID string
	At time.Time
}

// Apply returns the row after u and the outcome. If the outcome is not Accepted, it returns row unchanged. A row without Seq
// means that there is none. The only error is [ErrTooManyParts]. The first matching rule applies:
//
//  1. An older epoch → Stale. A newer epoch → the row starts again at Seq 1. An empty epoch is that of the row, or if the row
//     has expired, a new one. These rules hold for expired rows until the store deletes them.
//  2. EndedExecution is set, and another execution has the job or there is no job → Stale.
//  3. The key is one of the last 16, or the ID is that of the last message → Duplicate. This rule does not apply to parts.
//  4. The row is terminal → Ignored.
//  5. A part with fewer done steps than stored → Ignored. With as many, and no more of them failed → Duplicate.
//  6. Otherwise → Accepted. Seq grows by one. Progress never falls: failed and cancelled do not change it, succeeded sets it
//     to 100. The first part of an epoch sets the Scope.
//
// Coalescing: an urgent state, or one whose interval has passed, is marked as pushed in the same write. An update of a part is so
// marked only if it begins the row. Otherwise its push needs ClaimPush, because a store may write the update without reading the row.
func Apply(row Row, u Update) (Row, Outcome, error) {
	relation, epoch := row.relationTo(u)
	switch {
	case relation == olderRun || u.EndedExecution != "" && !row.mayBeEndedBy(u, relation):
		return row, Stale, nil
	case relation == newRun:
		row = Row{Owner: row.Owner}
	case row.Terminal() && row.Unreadable:
		return row, Ignored, nil
	case row.Unreadable: // Only its epoch, seq and execution are known.
		row = Row{Owner: row.Owner, Epoch: row.Epoch, NamedEpoch: row.NamedEpoch, EpochFromTime: row.EpochFromTime, Seq: row.Seq, Execution: row.Execution, Unreadable: true}
	case isRepetition(row, u):
		return row, Duplicate, nil
	case row.Terminal():
		return row, Ignored, nil
	}
	if outcome, err := partOutcome(row, u.Part); err != nil || outcome != Accepted {
		return row, outcome, err
	}
	return nextRow(row, u, epoch), Accepted, nil
}

// mayBeEndedBy reports whether the ended execution of u may end the row's job: no other execution has the job in this run,
// or the row is of an older run.
func (r Row) mayBeEndedBy(u Update, relation runRelation) bool {
	if relation == newRun {
		return r.Seq > 0 && u.Epoch != ""
	}
	return r.Execution == "" || r.Execution == u.EndedExecution
}

// partOutcome returns the outcome of an update of a part by the stored count of the part. Without a part it is Accepted.
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

// isRepetition reports whether u, an update of the row's run, was applied before. It is false for parts.
func isRepetition(row Row, u Update) bool {
	if u.Part != nil {
		return false
	}
	return u.ID != "" && u.ID == row.ID || u.Key != "" && slices.Contains(row.Keys, keyHash(u.Key))
}

// nextRow returns the row after the accepted update u.
func nextRow(row Row, u Update, epoch string) Row {
	first := row.Seq == 0 || row.Unreadable
	next := row.withUpdate(u, epoch)
	next.State = nextState(row, u, first)
	if u.Part == nil && u.EndedExecution == "" { // u replaces the whole state.
		next.UnknownFields = ""
	}
	next.UnknownTerminal, next.Unreadable = false, false
	if u.Part != nil {
		next = next.withPart(*u.Part)
	}
	urgent := first || next.State.Phase != row.State.Phase || next.Terminal()
	if urgent || u.Part == nil && next.pushIsDue() {
		next = next.WithPush(next.UpdatedAt)
	}
	return next
}

// withUpdate returns the row with the fields of u other than the state and the part.
func (r Row) withUpdate(u Update, epoch string) Row {
	switch {
	case r.Seq == 0:
		r.Epoch, r.EpochFromTime = epoch, u.Epoch == ""
		if epoch != u.Epoch {
			r.NamedEpoch = u.Epoch
		}
	case r.adoptsEpoch(u.Epoch):
		r.NamedEpoch, r.EpochFromTime = u.Epoch, false
	}
	r.ID, r.UpdatedAt = u.ID, u.At.UTC().Truncate(time.Millisecond)
	r.Seq++
	if u.Execution != "" {
		r.Execution = u.Execution
	}
	if u.Part == nil && u.Key != "" {
		r.Keys = append(slices.Clone(r.Keys[max(0, len(r.Keys)+1-maxKeys):]), keyHash(u.Key))
	}
	if r.PushedAt.After(r.UpdatedAt) { // The clock of another process is ahead.
		r.PushedAt = r.UpdatedAt
	}
	return r
}

// nextState returns the state to store. first is true if the row has none.
func nextState(row Row, u Update, first bool) message.UploadProgress {
	state, before := u.State, row.VisibleState().Progress
	switch {
	case u.Part != nil && first:
		state.Progress, _ = u.Part.ProgressRange()
		state.RowsPerSecond, state.ETAMillis = 0, 0
	case u.Part != nil:
		state = row.State
		state.Message = u.State.Message
	case state.Status == message.StatusSucceeded:
		state.Progress = percent
	case state.Status.Terminal() && !first:
		state.Progress = before
	default:
		state.Progress = max(before, state.Progress)
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

// keyHash returns what a row stores of an idempotency key: 16 characters of its hash.
func keyHash(key string) string {
	const hashLen = 12
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:hashLen])
}
