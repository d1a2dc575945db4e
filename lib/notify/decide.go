package notify

import (
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// decision is what happens to a request.
type decision struct {
	recipients broadcast.Recipients
	// stored is true if the feed stores the message: it is for a user, and there is a feed.
	stored bool
	// prefetch is true if the connections are read while the store works. It is false if the message will probably stay in
	// the feed for the next push: then the connections are read only if it is posted after all.
	prefetch bool
	// followed is the output's.
	followed *bool
}

// decide decides what happens to a valid request.
func (n *Notifier) decide(r message.Request) decision {
	if r.ConnectionID != "" {
		return decision{recipients: n.Broadcaster.Connection(r.ConnectionID), followed: notFollowed(r)}
	}
	d := decision{recipients: n.Broadcaster.User(r.UserID), stored: n.Feed != nil, followed: notFollowed(r)}
	if !d.stored {
		return d
	}
	d.prefetch = !n.mayCoalesce(r)
	if _, isState := message.AsUploadProgress(r.Message); isState && r.Execution != "" {
		followed := n.follows(r.Execution)
		d.followed = &followed
	}

	return d
}

// notFollowed returns false if the request names an execution, and nil if it names none.
func notFollowed(r message.Request) *bool {
	if r.Execution == "" {
		return nil
	}

	return new(bool)
}

// follows reports whether the sweeper will hear of the end of an execution.
func (n *Notifier) follows(arn string) bool {
	x, ok := message.ParseExecution(arn)

	return ok && !x.Express && (n.Account == "" || n.Account == x.Account) && (n.Region == "" || n.Region == x.Region)
}

// mayCoalesce reports whether the state of r will probably wait for the next push. It is a guess: another process may have
// pushed the job since.
func (n *Notifier) mayCoalesce(r message.Request) bool {
	if r.Part != nil { // most states of parts wait
		return true
	}
	state, ok := message.AsUploadProgress(r.Message)
	if !ok || state.Status.Terminal() {
		return false
	}
	row, ok := n.pushes.find(feed.User(r.UserID), state.UploadID)
	if !ok || r.Epoch != "" && r.Epoch != row.Epoch || state.Phase != row.State.Phase {
		return false
	}
	row.State = state
	now := n.now()

	return now.Before(row.NextPushAt(now))
}

// checkEpoch returns a [*message.Invalid] if the epoch of r is too far ahead of the clock.
func (n *Notifier) checkEpoch(r message.Request) error {
	start, _, _ := strings.Cut(r.Epoch, "#")
	if start > (message.Time{Time: n.now().Add(message.MaxEpochAhead)}).String() {
		return invalid("epoch", fmt.Sprintf("must be at most %.0f minutes ahead of the notifier's clock", message.MaxEpochAhead.Minutes()))
	}

	return nil
}

// checkSize returns a [*message.TooLarge] if the message is too large to be posted, a [*message.Invalid] if it is too large
// to be stored. The size of a message that is not stored is checked when its frame is encoded.
func (n *Notifier) checkSize(r message.Request) error {
	if r.UserID == "" || n.Feed == nil {
		return nil
	}

	return message.New(r.Message, ulid.Zero.String(), n.now()).CheckSize("")
}
