package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

// request is a decoded request: a normalized [message.Request], and what the later steps need to know about its message.
type request struct {
	message.Request

	// isState is true if the message is the state of a job, of any type; state is that state. Otherwise the message is a note: a
	// notification or an error.
	isState bool
	state   message.UploadProgress
	// stored is true if the message is for the feed: there is a feed, and the target is a user, not a connection.
	stored bool
	// frame has the id and the time of the message. If the message is for the feed, the feed may return another frame to post.
	frame message.Envelope
	// stalled and onlySeq are set only in a request of the sweeper, see [feed.Update].
	stalled bool
	onlySeq int64
	// endedExecution is set only in a request of the sweeper: the ARN of the execution whose end made the sweeper end the job.
	endedExecution string
}

// newRequest returns the request for a normalized message.Request. It does not check the message's size or epoch.
func (n *Notifier) newRequest(r message.Request) (request, error) {
	now := n.now()
	id, err := broadcast.NewID(now)
	if err != nil {
		return request{}, err
	}
	state, isState := message.AsUploadProgress(r.Message)

	return request{
		Request: r, isState: isState, state: state, stored: r.UserID != "" && n.Feed != nil,
		frame: message.New(r.Message, id, now),
	}, nil
}

// accept returns the request for a normalized message.Request, after the checks that need the clock or the feed. It returns a
// [*message.Invalid] if the epoch is too far ahead or the message is too large to be stored, and a [*message.TooLarge] if
// the message is too large to be posted. Errors name fields with path before them: the path of the message in the input.
func (n *Notifier) accept(normalized message.Request, path string) (request, error) {
	if err := n.checkEpoch(normalized); err != nil {
		return request{}, err
	}
	if normalized.SentAt.After(n.now().Add(message.MaxSentAhead)) { // The sender's clock is wrong, so the order is unknown.
		normalized.SentAt = time.Time{}
	}
	r, err := n.newRequest(normalized)
	if err != nil || !r.stored { // the size of a message that is only posted is checked when its frame is encoded
		return r, err
	}

	return r, r.frame.CheckSize(path)
}

// ruleAhead is the rule for the epoch of a request.
var ruleAhead = fmt.Sprintf("must be at most %.0f minutes ahead of the notifier's clock", message.MaxEpochAhead.Minutes())

// checkEpoch returns a [*message.Invalid] if the normalized epoch of r is too far ahead of the clock.
func (n *Notifier) checkEpoch(r message.Request) error {
	start, _, _ := strings.Cut(r.Epoch, "#")
	latest := n.now().Add(message.MaxEpochAhead)
	if start > (message.Time{Time: latest}).String() { // both are times of the same form, which sort as texts
		return invalid("epoch", ruleAhead)
	}

	return nil
}
