package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// StoreTimeout bounds the requests to the feed for one message, retries included. The rest of the budget is for posting.
const StoreTimeout = 2 * time.Second

// errNotStored means that the feed failed to store a message.
var errNotStored = errors.New("notify: message not stored")

// storeResult is the result of the store step. outcome and seq are zero if the message was not stored.
type storeResult struct {
	outcome feed.Outcome
	seq     int64
	// frame is the frame for the tabs; postNow is true if it is posted now.
	frame   message.Envelope
	postNow bool
	// pending is true if the message was stored, and waits for the next push or sync.
	pending bool
	// storeErr wraps errNotStored if the feed failed to store the message. The message is posted all the same.
	storeErr error
}

// store stores the message, if it is for the feed. If it returns an error, nothing is posted.
func (n *Notifier) store(ctx context.Context, r request, d decision) (storeResult, error) {
	result := storeResult{frame: r.frame, postNow: true}
	if !r.stored {
		return result, nil
	}
	owner, id, now := feed.User(r.UserID), r.frame.ID, r.frame.Timestamp.Time
	if !r.isState {
		return n.storeNote(ctx, owner, feed.Note{ID: id, At: now, Data: r.Message, Key: r.Key}, result), nil
	}
	u := feed.Update{
		Type: r.Message.Type(), State: r.state, Epoch: r.Epoch, Key: r.Key, EndedExecution: r.endedExecution, Stalled: r.stalled, OnlySeq: r.onlySeq, Part: r.Part, SentAt: r.SentAt, ID: id, At: now,
	}
	if d.followed != nil && *d.followed {
		u.Execution = r.Execution
	}

	return n.storeState(ctx, owner, u, r.NoWait, result)
}

// storeNote stores a notification or an error. A note that the feed fails to store is posted all the same.
func (n *Notifier) storeNote(ctx context.Context, owner string, note feed.Note, result storeResult) storeResult {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	added, outcome, err := n.Feed.Add(ctx, owner, note)
	if err != nil { // a second try is safe: a note with the same id is stored once
		added, outcome, err = n.Feed.Add(ctx, owner, note)
	}
	if err != nil {
		n.log().WarnContext(ctx, "note not stored", "messageId", note.ID, "err", err)
		result.storeErr = fmt.Errorf("%w: %w", errNotStored, err)

		return result
	}
	result.outcome, result.frame = outcome, added.Envelope()

	return result
}

// mustBeStored reports whether a state that the feed fails to store is an error: an end; the state of a part, because it shows too
// little of the job; and the mark that a job is stalled, because the next sweep makes it.
func mustBeStored(u feed.Update) bool { return u.State.Status.Terminal() || u.Part != nil || u.Stalled }

// storeState stores the state of a job. If the state may be pushed soon, it waits until then, unless noWait is true. A state that the
// feed fails to store is posted without seq, except these, for which storeState returns an error:
//
//   - a state that [mustBeStored];
//   - a state that too many other writers of the job overtook ([feed.ErrContention]), because the tabs get the states of those
//     writers, which may be newer.
func (n *Notifier) storeState(
	ctx context.Context, owner string, u feed.Update, noWait bool, result storeResult,
) (storeResult, error) {
	row, outcome, err := n.apply(ctx, owner, u)
	switch {
	case errors.Is(err, feed.ErrTooManyParts):
		return result, invalid("part.id", fmt.Sprintf("must be one of at most %d of a job", feed.MaxParts))
	case errors.Is(err, feed.ErrContention):
		return result, err
	case err != nil:
		n.log().WarnContext(ctx, "state not stored", "messageId", u.ID, "uploadId", u.State.UploadID, "err", err)
		result.storeErr = fmt.Errorf("%w: %w", errNotStored, err)
		if mustBeStored(u) {
			return result, result.storeErr
		}

		return result, nil
	}
	result.outcome, result.seq = outcome, row.Seq
	// A caller that does not wait sends a pending state again. If it is a part's, it is a duplicate.
	pendingAgain := outcome == feed.Duplicate && noWait && u.Part != nil
	if outcome == feed.Accepted || pendingAgain {
		var push pushDecision
		row, push = n.waitToPush(ctx, row, noWait)
		result.postNow = push == pushNow || push == isPushed && outcome == feed.Accepted
		// The other parts of the job will push a state whose push is far away.
		result.pending = push == pushSoon || push == pushLater && u.Part == nil
	} else {
		result.postNow = outcome.ShouldPost() // Duplicate: the first try may not have posted
	}
	n.lastRows.store(row) // for the guess of mayCoalesce about the next state
	if result.postNow {
		result.frame = row.Envelope()
	}

	return result, nil
}

// apply applies u to the feed. If the feed returns an error, it may have applied u all the same. Then apply tries again if the feed
// recognizes a second try, and otherwise reads the job's row to find out.
func (n *Notifier) apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	row, outcome, err := n.Feed.Apply(ctx, owner, u)
	if err == nil || errors.Is(err, feed.ErrTooManyParts) || errors.Is(err, feed.ErrContention) {
		return row, outcome, err
	}
	if u.Key != "" || u.Part != nil || u.State.Status.Terminal() { // the feed recognizes a second try: by the key, by the part's counts, or by the ID of the last message
		return n.Feed.Apply(ctx, owner, u)
	}
	if row, readErr := n.Feed.Job(ctx, owner, u.State.UploadID); readErr == nil && row.ID == u.ID {
		return row, feed.Accepted, nil
	}

	return row, outcome, err
}
