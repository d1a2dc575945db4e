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
	MaxParts = 256
	// keptKeys is how many idempotency keys a job remembers.
	keptKeys = 16
)

// Update is a new state of a job, or of one of its parts.
type Update struct {
	State message.UploadProgress
	// Epoch is normalized; empty is the stored one.
	Epoch string
	// Key makes a repetition known as one; empty is never a repetition.
	Key string
	// Execution is the ARN of the workflow that the job ends with; empty is none.
	Execution string
	// Part is set where only a part has moved: then of State nothing but the message counts, once the job has a row.
	Part *message.Part
	// ID is the message's, a ULID.
	ID string
	At time.Time
}

// Apply returns the row that follows u, or row itself where the outcome is not Accepted. A zero row, or one whose life is
// over, is none. Its error is [ErrParts].
//
//  1. An older epoch is Stale, a newer one starts afresh; an empty one is the row's.
//  2. A key that is among the last 16 is a Duplicate.
//  3. What follows a terminal state is Ignored.
//  4. The done steps of a part never fall: fewer are Ignored, as many are a Duplicate.
//  5. All else is Accepted: Seq grows by one, and progress never falls. Failed and cancelled keep the progress, succeeded
//     sets it to 100.
//
// The push of what is urgent, or whose turn it is, is recorded in the same step.
func Apply(row Row, u Update) (Row, Outcome, error) {
	fresh := row.Seq == 0 || row.Expired(u.At)
	if fresh {
		row = Row{Owner: row.Owner}
	}
	epoch := u.Epoch
	if epoch == "" {
		epoch = row.Epoch
	}
	switch {
	case epoch < row.Epoch:
		return row, Stale, nil
	case epoch > row.Epoch:
		fresh = true
		row = Row{Owner: row.Owner}
	case u.Key != "" && slices.Contains(row.Keys, keyHash(u.Key)):
		return row, Duplicate, nil
	case row.State.Status.Terminal():
		return row, Ignored, nil
	}
	if u.Part != nil {
		if had, ok := row.Parts[u.Part.ID]; ok && u.Part.Done <= had.Done {
			if u.Part.Done < had.Done {
				return row, Ignored, nil
			}

			return row, Duplicate, nil
		}
		if _, ok := row.Parts[u.Part.ID]; !ok && len(row.Parts) == MaxParts {
			return row, "", ErrParts
		}
	}
	next := row
	next.Epoch, next.ID, next.UpdatedAt = epoch, u.ID, u.At.UTC().Truncate(time.Millisecond)
	next.Seq++
	if u.Execution != "" {
		next.Execution = u.Execution
	}
	if u.Key != "" {
		next.Keys = append(slices.Clone(row.Keys[max(0, len(row.Keys)+1-keptKeys):]), keyHash(u.Key))
	}
	next.State = nextState(row, u, fresh)
	if u.Part != nil {
		next.addPart(*u.Part)
	}
	urgent := fresh || next.State.Phase != row.State.Phase || next.State.Status.Terminal()
	if urgent || !next.Turn().After(next.UpdatedAt) {
		next.PushedAt, next.PushedSeq, next.PushedProgress = next.UpdatedAt, next.Seq, next.Shown().Progress
	}

	return next, Accepted, nil
}

// nextState returns the state to store.
func nextState(row Row, u Update, fresh bool) message.UploadProgress {
	state, before := u.State, row.Shown().Progress
	switch {
	case u.Part != nil && fresh:
		state.Progress, _ = u.Part.Window()
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

// addPart counts what a part has done since it was heard of last.
func (r *Row) addPart(p message.Part) {
	had := r.Parts[p.ID]
	r.Parts = maps.Clone(r.Parts)
	if r.Parts == nil {
		r.Parts = map[string]Count{}
	}
	failed := max(had.Failed, p.Failed)
	r.Parts[p.ID] = Count{Done: p.Done, Failed: failed}
	r.PartsDone += p.Done - had.Done
	r.PartsFailed += failed - had.Failed
	r.PartsTotal = p.Total
	r.PartsFrom, r.PartsTo = p.Window()
	if r.PartsSince.IsZero() {
		r.PartsSince = r.UpdatedAt
	}
}

// keyHash returns what a row keeps of a key: 16 characters, whatever the key's length.
func keyHash(key string) string {
	const kept = 12
	sum := sha256.Sum256([]byte(key))

	return base64.RawURLEncoding.EncodeToString(sum[:kept])
}
