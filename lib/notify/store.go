package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// StoreTimeout bounds the requests to the feed, retries included. The rest of the budget is for posting.
const StoreTimeout = 2 * time.Second

// errNotStored means that the feed failed to store a message.
var errNotStored = errors.New("notify: message not stored")

// storeResult is the result of the store step.
type storeResult struct {
	outcome feed.Outcome
	seq     int64
	// frame is what the tabs get; postNow is true if they get it now.
	frame   message.Envelope
	postNow bool
	// storeErr is an errNotStored if the feed failed, and the message is posted all the same.
	storeErr error
}

// store stores the message, if it is for the feed. After an error nothing is posted.
func (n *Notifier) store(ctx context.Context, r request, d decision) (storeResult, error) {
	result := storeResult{frame: r.frame, postNow: true}
	if !r.stored {
		return result, nil
	}
	owner, id, now := feed.User(r.UserID), r.frame.ID, r.frame.Timestamp.Time
	if !r.isState {
		return n.storeNote(ctx, owner, feed.Note{ID: id, At: now, Data: r.Message, Key: r.Key}, result), nil
	}
	u := feed.Update{State: r.state, Epoch: r.Epoch, Key: r.Key, EndedExecution: r.endedExecution, Part: r.Part, ID: id, At: now}
	if d.followed != nil && *d.followed {
		u.Execution = r.Execution
	}

	return n.storeState(ctx, owner, u, result)
}

// storeNote stores a notification or an error. A note that the feed fails to store is posted all the same.
func (n *Notifier) storeNote(ctx context.Context, owner string, note feed.Note, result storeResult) storeResult {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	added, outcome, err := n.Feed.Add(ctx, owner, note)
	if err != nil { // the note has its own id: adding it again is safe
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

// storeState stores the state of a job, and waits until it may be pushed if that is soon. A state that the feed fails to
// store is posted without seq, except:
//
//   - an end, which must be stored;
//   - the state of a part, which shows too little of the job;
//   - a state that lost to too many other writers of the job: the tabs get their states, which may be newer.
func (n *Notifier) storeState(ctx context.Context, owner string, u feed.Update, result storeResult) (storeResult, error) {
	row, outcome, err := n.apply(ctx, owner, u)
	switch {
	case errors.Is(err, feed.ErrTooManyParts):
		return result, invalid("part.id", fmt.Sprintf("must be one of at most %d of a job", feed.MaxParts))
	case errors.Is(err, feed.ErrContention):
		return result, err
	case err != nil:
		n.log().WarnContext(ctx, "state not stored", "messageId", u.ID, "uploadId", u.State.UploadID, "err", err)
		result.storeErr = fmt.Errorf("%w: %w", errNotStored, err)
		if u.State.Status.Terminal() || u.Part != nil {
			return result, result.storeErr
		}

		return result, nil
	}
	result.outcome, result.seq = outcome, row.Seq
	if outcome == feed.Accepted && !row.Pushed() {
		row, result.postNow = n.waitToPush(ctx, row)
	} else {
		result.postNow = outcome.ShouldPost()
	}
	n.pushes.store(row)
	if result.postNow {
		result.frame = row.Envelope()
	}

	return result, nil
}

// apply applies u. If a try fails, the update may have been applied all the same; apply tries again or finds out.
func (n *Notifier) apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	row, outcome, err := n.Feed.Apply(ctx, owner, u)
	if err == nil || errors.Is(err, feed.ErrTooManyParts) || errors.Is(err, feed.ErrContention) {
		return row, outcome, err
	}
	if u.Key != "" || u.Part != nil || u.State.Status.Terminal() { // the feed recognises a second try
		return n.Feed.Apply(ctx, owner, u)
	}
	if row, readErr := n.Feed.Job(ctx, owner, u.State.UploadID); readErr == nil && row.ID == u.ID {
		return row, feed.Accepted, nil
	}

	return row, outcome, err
}
