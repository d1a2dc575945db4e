package notify

import (
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
)

// request is a decoded request: normalized, with what the other steps need to know of its message.
type request struct {
	message.Request

	// isState is true if the message is the state of a job; state is that state. Otherwise the message is a note: a
	// notification or an error.
	isState bool
	state   message.UploadProgress
	// stored is true if the feed stores the message: it is for a user, and there is a feed.
	stored bool
	// frame has the id and the time of the message. If the feed stores the message, it may return another frame to post.
	frame message.Envelope
	// endedExecution is the ARN of the execution whose end this is, where the sweeper reports it. Otherwise it is empty.
	endedExecution string
}

// newRequest makes a request from a normalized one. It checks nothing.
func (n *Notifier) newRequest(r message.Request) (request, error) {
	now := n.now()
	id, err := broadcast.NewID(now)
	if err != nil {
		return request{}, err
	}
	state, isState := r.Message.(message.UploadProgress)

	return request{
		Request: r, isState: isState, state: state, stored: r.UserID != "" && n.Feed != nil,
		frame: message.New(r.Message, id, now),
	}, nil
}

// accept makes a request from a normalized one, and checks what needs the clock or the feed. It returns a
// [*message.Invalid] if the epoch is too far ahead or the message is too large to be stored, and a [*message.TooLarge] if
// the message is too large to be posted. path is that of the message in the input.
func (n *Notifier) accept(normalized message.Request, path string) (request, error) {
	if err := n.checkEpoch(normalized.Epoch); err != nil {
		return request{}, err
	}
	r, err := n.newRequest(normalized)
	if err != nil || !r.stored { // if the message is only posted, its size is checked when the frame is encoded
		return r, err
	}

	return r, r.frame.CheckSize(path)
}

// checkEpoch returns a [*message.Invalid] if an epoch is too far ahead of the clock.
func (n *Notifier) checkEpoch(epoch string) error {
	start, _, _ := strings.Cut(epoch, "#")
	if start > (message.Time{Time: n.now().Add(message.MaxEpochAhead)}).String() {
		return invalid("epoch", fmt.Sprintf("must be at most %.0f minutes ahead of the notifier's clock", message.MaxEpochAhead.Minutes()))
	}

	return nil
}
