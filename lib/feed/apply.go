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
	// keptKeys is how many idempotency keys a job remembers.
	keptKeys = 16
)

// Update is a new state of a job, or of one of its parts.
type Update struct {
	State message.UploadProgress
	// Epoch is normalized; empty is the stored one, or where none is stored, one made from At.
	Epoch string
	// Key makes a repetition known as one, without a Part; empty is never a repetition.
	Key string
	// Execution is the ARN of the workflow that the job ends with; empty is none.
	Execution string
	// EndOf is set where State is the end that the execution of this ARN gives its jobs, as it did not do so itself. It
	// ends no job that another execution has.
	EndOf string
	// Part is set where only a part has moved: then of State nothing but the message counts, once the job has a row.
	Part *message.Part
	// ID is the message's, a ULID.
	ID string
	At time.Time
}

// Apply returns the row that follows u, or row itself where the outcome is not Accepted. A zero row is none. Its error is
// [ErrParts].
//
//  1. An older epoch is Stale, a newer one starts afresh. That holds as long as the row is remembered, also when its life
//     is over: then an empty epoch starts afresh, too, and otherwise it is the row's.
//  2. The end of an execution is Stale where another execution has the job, or there is no job.
//  3. A key that is among the last 16 is a Duplicate, and so is the ID of the message that came last. Of a part neither
//     counts: rule 5 knows its repetitions.
//  4. What follows a terminal state is Ignored.
//  5. The done steps of a part never fall: fewer are Ignored, as many are a Duplicate, unless more of them have failed.
//  6. All else is Accepted: Seq grows by one, and progress never falls. Failed and cancelled keep the progress, succeeded
//     sets it to 100. What the first part says of the whole holds for the epoch.
//
// The push of what is urgent, or whose turn it is, is recorded in the same step. A part's is not, as its store may write
// the part without knowing the row: it takes a Claim, unless the part begins the row.
func Apply(row Row, u Update) (Row, Outcome, error) {
	where, epoch := row.place(u)
	switch {
	case where == earlierRun, u.EndOf != "" && !row.endsWith(u, where):
		return row, Stale, nil
	case where == newRun:
		row = Row{Owner: row.Owner}
	case row.Terminal() && row.Unreadable:
		return row, Ignored, nil
	case row.Unreadable: // its place in the order is all that is known
		row = Row{Owner: row.Owner, Epoch: row.Epoch, Run: row.Run, Unnamed: row.Unnamed, Seq: row.Seq, Execution: row.Execution, Unreadable: true}
	case repeats(row, u):
		return row, Duplicate, nil
	case row.Terminal():
		return row, Ignored, nil
	}
	if outcome, err := partOutcome(row, u.Part); err != nil || outcome != Accepted {
		return row, outcome, err
	}

	return follow(row, u, epoch), Accepted, nil
}

// endsWith reports whether the row's job is one that the execution of an end may end: in its run no other execution has
// the job, or only an earlier run of the job is known.
func (r Row) endsWith(u Update, where place) bool {
	if where == newRun {
		return r.Seq > 0 && u.Epoch != ""
	}

	return r.Execution == "" || r.Execution == u.EndOf
}

// partOutcome returns what becomes of a part's update by what is known of the part; without a part it is Accepted.
func partOutcome(row Row, p *message.Part) (Outcome, error) {
	if p == nil {
		return Accepted, nil
	}
	had, known := row.Parts[p.ID]
	switch {
	case !known && len(row.Parts) >= MaxParts:
		return "", ErrParts
	case known && p.Done < had.Done:
		return Ignored, nil
	case known && p.Done == had.Done && p.Failed <= had.Failed:
		return Duplicate, nil
	default:
		return Accepted, nil
	}
}

// repeats reports whether the row holds u already, which is of the row's epoch.
func repeats(row Row, u Update) bool {
	if u.Part != nil {
		return false
	}

	return u.ID != "" && u.ID == row.ID || u.Key != "" && slices.Contains(row.Keys, keyHash(u.Key))
}

// follow returns the row after u, which is accepted.
func follow(row Row, u Update, epoch string) Row {
	fresh := row.Seq == 0 || row.Unreadable
	next := row.after(u, epoch)
	next.State = nextState(row, u, fresh)
	if u.Part == nil && u.EndOf == "" { // the state is all new
		next.Unknown = ""
	}
	next.UnknownEnd, next.Unreadable = false, false
	if u.Part != nil {
		next = next.withPart(*u.Part)
	}
	urgent := fresh || next.State.Phase != row.State.Phase || next.Terminal()
	if urgent || u.Part == nil && !next.NextPushAt(next.UpdatedAt).After(next.UpdatedAt) {
		next = next.Claimed(next.UpdatedAt)
	}

	return next
}

// after returns the row with all that u says beside the state.
func (r Row) after(u Update, epoch string) Row {
	switch {
	case r.Seq == 0:
		r.Epoch, r.Unnamed = epoch, u.Epoch == ""
		if epoch != u.Epoch {
			r.Run = u.Epoch
		}
	case r.takesIn(u.Epoch):
		r.Run, r.Unnamed = u.Epoch, false
	}
	r.ID, r.UpdatedAt = u.ID, u.At.UTC().Truncate(time.Millisecond)
	r.Seq++
	if u.Execution != "" {
		r.Execution = u.Execution
	}
	if u.Part == nil && u.Key != "" {
		r.Keys = append(slices.Clone(r.Keys[max(0, len(r.Keys)+1-keptKeys):]), keyHash(u.Key))
	}
	if r.PushedAt.After(r.UpdatedAt) { // by a clock that is ahead
		r.PushedAt = r.UpdatedAt
	}

	return r
}

// nextState returns the state to store; fresh says that the row has none.
func nextState(row Row, u Update, fresh bool) message.UploadProgress {
	state, before := u.State, row.Shown().Progress
	switch {
	case u.Part != nil && fresh:
		state.Progress, _ = u.Part.ProgressRange()
		state.RowsPerSecond, state.ETAMillis = 0, 0
	case u.Part != nil:
		state = row.State
		state.Message = u.State.Message
	case state.Status == message.StatusSucceeded:
		state.Progress = percent
	case state.Status.Terminal() && !fresh:
		state.Progress = before
	default:
		state.Progress = max(before, state.Progress)
	}

	return state
}

// withPart returns the row with what a part has done since it was heard of last.
func (r Row) withPart(p message.Part) Row {
	had := r.Parts[p.ID]
	r.Parts = maps.Clone(r.Parts)
	if r.Parts == nil {
		r.Parts = map[string]Count{}
	}
	failed := max(had.Failed, p.Failed)
	r.Parts[p.ID] = Count{Done: p.Done, Failed: failed}
	r.PartsDone += p.Done - had.Done
	r.PartsFailed += failed - had.Failed
	if r.Whole.Total == 0 {
		r.Whole = WholeOf(p, r.UpdatedAt)
	}

	return r
}

// keyHash returns what a row keeps of a key: 16 characters, whatever the key's length.
func keyHash(key string) string {
	const kept = 12
	sum := sha256.Sum256([]byte(key))

	return base64.RawURLEncoding.EncodeToString(sum[:kept])
}
