// Package notify is the notifier: the task that a workflow, an operator or a worker calls to tell a user something.
//
// A job's state is stored, and pushed to the user's tabs as often as they can use it, whichever worker it comes from:
//
//	a run's first state, phase change, terminal   at once
//	progress moved by 1 % or more                 250 ms after the job's push before, at the soonest
//	progress moved by less                        2 s after it; up to 250 ms before, it stays stored until the next push
//
// A push always carries the newest state, so that of several states which wait one push tells all.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Feed is what the notifier keeps messages in.
type Feed interface {
	feed.Jobs
	feed.Notes
}

// Notifier validates, stores and delivers messages. It may be used concurrently; several may share a feed.
type Notifier struct {
	Broadcaster *broadcast.Broadcaster
	// Feed makes messages durable before they are posted. A nil Feed keeps nothing: then a message reaches whoever is
	// connected.
	Feed Feed
	// Account and Region are where the workflows run whose ends the sweeper hears of: an account's id, such as 123456789012,
	// and a Region's name. An execution elsewhere is not followed. Where one is empty, any counts as the same.
	Account, Region string
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	expected expected
}

// Output is the task's result. Its MessageID is that of the frame which was posted, or the message's own.
type Output struct {
	broadcast.Report

	// Seq is the position of the job's state in its epoch; 0 for all else.
	Seq int64 `json:"seq,omitzero"`
	// Stored says whether the message outlives a closed tab.
	Stored bool `json:"stored"`
	// Outcome is what the feed made of the message, where it was asked.
	Outcome feed.Outcome `json:"outcome,omitzero"`
	// Followed is there where the request names an execution: whether the job ends with it. It is false for an execution of
	// an Express workflow, or of another account or Region, and where the message is not the state of a job that is stored.
	Followed *bool `json:"followed,omitempty"`
}

// Handle carries out one request of the notifier task, JSON as [Decode] reads it. Its errors are the types that a
// workflow matches by name: [InvalidMessage], [PayloadTooLarge], [Throttled], [StoreError], [DeliveryError].
func (n *Notifier) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	r, err := Decode(raw)
	if err == nil {
		err = n.checkEpoch(r)
	}
	if err == nil {
		err = within("message", n.fits(r))
	}
	if err != nil {
		n.log().WarnContext(ctx, "request refused", "err", err)

		return Output{}, named(err)
	}

	return n.carryOut(ctx, r, slog.LevelInfo)
}

// Publish stores and delivers a message from a worker's own process. It reads the request as Handle does, and returns the
// errors of Handle.
func (n *Notifier) Publish(ctx context.Context, r message.Request) error {
	r, err := r.Normalize()
	if err == nil {
		err = n.checkEpoch(r)
	}
	if err == nil {
		err = n.fits(r)
	}
	if err != nil {
		return named(err)
	}
	_, err = n.carryOut(ctx, r, slog.LevelDebug) // workers publish often, and know what

	return err
}

// carryOut carries out a valid request, and logs one line about it. Its error is one of Handle.
func (n *Notifier) carryOut(ctx context.Context, r message.Request, level slog.Level) (Output, error) {
	out, err := n.tell(ctx, r, "")
	if r.Execution != "" {
		_, isState := message.AsUploadProgress(r.Message)
		followed := isState && r.UserID != "" && n.Feed != nil && n.follows(r.Execution)
		out.Followed = &followed
	}
	n.log().Log(ctx, level, "notified", "type", r.Message.Type(), "messageId", out.MessageID,
		"outcome", out.Outcome, "seq", out.Seq, "stored", out.Stored,
		"connections", out.Connections, "delivered", out.Delivered, "gone", out.Gone, "failed", out.Failed,
		"expired", out.Expired, "err", err)
	if err != nil {
		return Output{}, named(err)
	}

	return out, nil
}

// checkEpoch returns a [*message.Invalid] where the epoch of r is too far ahead of the clock.
func (n *Notifier) checkEpoch(r message.Request) error {
	start, _, _ := strings.Cut(r.Epoch, "#")
	if start > (message.Time{Time: n.now().Add(message.MaxEpochAhead)}).String() {
		return invalid("epoch", fmt.Sprintf("must be at most %.0f minutes ahead of the notifier's clock", message.MaxEpochAhead.Minutes()))
	}

	return nil
}

// follows reports whether the end of an execution will be heard of.
func (n *Notifier) follows(arn string) bool {
	x, ok := message.ParseExecution(arn)

	return ok && !x.Express && (n.Account == "" || n.Account == x.Account) && (n.Region == "" || n.Region == x.Region)
}

// fits returns a [*message.TooLarge] where the message is too large to be posted, a [*message.Invalid] where it is too
// large to be stored.
func (n *Notifier) fits(r message.Request) error {
	if r.UserID == "" || n.Feed == nil {
		return nil // the delivery says whether it can be posted
	}
	err := feed.Fits(r.Message)
	if err == nil {
		return nil // what can be stored can be posted
	}
	if _, large := message.New(r.Message, ulid.Zero.String(), n.now()).Encode(); large != nil {
		return large //nolint:wrapcheck // an *message.TooLarge, as documented
	}

	return err //nolint:wrapcheck // an *message.Invalid, as documented
}

// tell carries out a valid request. endOf is the execution whose end it reports in its stead, if any.
func (n *Notifier) tell(ctx context.Context, r message.Request, endOf string) (Output, error) {
	switch {
	case r.ConnectionID != "":
		report, err := n.Broadcaster.ToConnection(ctx, r.ConnectionID, r.Message)

		return Output{Report: report}, err //nolint:wrapcheck // broadcast's errors are what named tells apart
	case n.Feed == nil:
		report, err := n.Broadcaster.ToUser(ctx, r.UserID, r.Message)

		return Output{Report: report}, err //nolint:wrapcheck // as above
	default:
		return n.toUser(ctx, r, endOf)
	}
}

// toUser stores a message and posts what is to be posted of it.
func (n *Notifier) toUser(ctx context.Context, r message.Request, endOf string) (Output, error) {
	var k kept
	prepare := func(ctx context.Context) ([]byte, string, error) {
		var err error
		if k, err = n.keep(ctx, r, endOf); err != nil || !k.post {
			return nil, k.frame.ID, err
		}
		frame, err := k.frame.Encode()

		return frame, k.frame.ID, err //nolint:wrapcheck // an *message.TooLarge, as documented
	}
	if n.waits(r) { // then connections are read only if it is pushed after all
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, broadcast.Budget) // of which Deliver has what is left
		defer cancel()
		frame, id, err := prepare(ctx)
		if err != nil || frame == nil {
			return k.output(broadcast.Report{MessageID: id}), err
		}
		prepare = func(context.Context) ([]byte, string, error) { return frame, id, nil }
	}
	report, err := n.Broadcaster.Deliver(ctx, r.UserID, prepare)
	out := k.output(report)
	switch {
	case k.lost != nil && (err != nil || out.Delivered == 0):
		return out, k.lost // nobody has it
	case out.Stored && (errors.Is(err, broadcast.ErrDelivery) || errors.Is(err, broadcast.ErrThrottled)):
		return out, nil // the feed has it
	default:
		return out, err //nolint:wrapcheck // as above
	}
}

func (n *Notifier) now() time.Time {
	if n.Now == nil {
		return time.Now()
	}

	return n.Now()
}

func (n *Notifier) log() *slog.Logger {
	if n.Log == nil {
		return slog.New(slog.DiscardHandler)
	}

	return n.Log
}
