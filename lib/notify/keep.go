package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// StoreTimeout bounds what the feed may take, tries included: the rest of the delivery's budget is for posting.
const StoreTimeout = 2 * time.Second

// errLost says that the feed did not take a message.
var errLost = errors.New("notify: message not stored")

// kept is what became of a message in the feed.
type kept struct {
	outcome feed.Outcome
	seq     int64
	// frame is what the tabs are to see; post says whether they are to see it now.
	frame message.Envelope
	post  bool
	// lost is an errLost where the feed failed.
	lost error
}

func (k kept) output(report broadcast.Report) Output {
	return Output{Report: report, Seq: k.seq, Stored: k.outcome.Posts(), Outcome: k.outcome}
}

// keep stores a message for a user. Its error says that nothing is to be posted.
func (n *Notifier) keep(ctx context.Context, r message.Request, endOf string) (kept, error) {
	now := n.now()
	id, err := broadcast.NewID(now)
	if err != nil {
		return kept{}, err //nolint:wrapcheck // it says what it is
	}
	k := kept{frame: message.New(r.Message, id, now)}
	if state, ok := message.AsUploadProgress(r.Message); ok {
		u := feed.Update{State: state, Epoch: r.Epoch, Key: r.Key, EndOf: endOf, Part: r.Part, ID: id, At: now}
		if n.follows(r.Execution) {
			u.Execution = r.Execution
		}

		return n.keepState(ctx, feed.User(r.UserID), u, k)
	}

	return n.keepNote(ctx, feed.User(r.UserID), feed.Note{ID: id, At: now, Data: r.Message, Key: r.Key}, k), nil
}

// keepNote stores a notification or an error. What the feed does not take is posted as it is.
func (n *Notifier) keepNote(ctx context.Context, owner string, note feed.Note, k kept) kept {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	added, outcome, err := n.Feed.Add(ctx, owner, note)
	if err != nil { // it has its own id: adding it again is safe
		added, outcome, err = n.Feed.Add(ctx, owner, note)
	}
	k.post = true
	if err != nil {
		n.log().WarnContext(ctx, "note not stored", "messageId", note.ID, "err", err)
		k.lost = fmt.Errorf("%w: %w", errLost, err)

		return k
	}
	k.outcome, k.frame = outcome, added.Envelope()

	return k
}

// keepState stores the state of a job, and waits for its turn to be pushed if that is near. What the feed cannot store is
// posted without a place in the order, except:
//
//   - a terminal state, which must be stored;
//   - the state of a part, which says too little of the job;
//   - a state that lost to too many other writers of the job: the tabs get theirs, which may be newer.
func (n *Notifier) keepState(ctx context.Context, owner string, u feed.Update, k kept) (kept, error) {
	row, outcome, err := n.apply(ctx, owner, u)
	switch {
	case errors.Is(err, feed.ErrParts):
		return k, invalid("part.id", fmt.Sprintf("must be one of at most %d of a job", feed.MaxParts))
	case errors.Is(err, feed.ErrContention):
		return k, err
	case err != nil:
		n.log().WarnContext(ctx, "state not stored", "messageId", u.ID, "uploadId", u.State.UploadID, "err", err)
		k.lost = fmt.Errorf("%w: %w", errLost, err)
		if u.State.Status.Terminal() || u.Part != nil {
			return k, k.lost
		}
		k.post = true

		return k, nil
	}
	k.outcome, k.seq = outcome, row.Seq
	switch {
	case outcome == feed.Accepted && !row.Pushed():
		row, k.post = n.turn(ctx, row)
	default:
		k.post = outcome.Posts()
	}
	n.expected.keep(row)
	if k.post {
		k.frame = row.Envelope()
	}

	return k, nil
}

// apply carries out u. After a failure that may have been none it finds out.
func (n *Notifier) apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, StoreTimeout)
	defer cancel()
	row, outcome, err := n.Feed.Apply(ctx, owner, u)
	if err == nil || errors.Is(err, feed.ErrParts) || errors.Is(err, feed.ErrContention) {
		return row, outcome, err //nolint:wrapcheck // it says what it is
	}
	if u.Key != "" || u.Part != nil || u.State.Status.Terminal() { // it is known when it comes again
		return n.Feed.Apply(ctx, owner, u) //nolint:wrapcheck // as above
	}
	if row, readErr := n.Feed.Job(ctx, owner, u.State.UploadID); readErr == nil && row.ID == u.ID {
		return row, feed.Accepted, nil
	}

	return row, outcome, err //nolint:wrapcheck // as above
}
