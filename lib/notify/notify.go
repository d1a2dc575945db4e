// Package notify is the notifier: the task by which a workflow, an operator or a worker notifies a user.
//
// The way of a message is five steps, which this file shows in this order:
//
//  1. Decode: read the request and validate it (decode.go).
//  2. Decide: which connections, whether it is stored, whether it is likely to be posted at once (decide.go).
//  3. Store: apply it to the feed, and find out whether it is posted now (store.go, push.go).
//  4. Post: send the frame to the connections (lib/broadcast).
//  5. Report: one output and one log line.
//
// The states of a job are coalesced. Each is stored, and pushed to the user's tabs as often as a person can read it,
// whichever worker publishes it:
//
//	a run's first state, a new phase, an end   at once
//	progress moved by 1 % or more              250 ms after the job's last push, at the soonest
//	progress moved by less                     2 s after it; if that is over 250 ms away, the state waits in the feed
//
// A push always carries the newest state, so that one push shows all states that waited.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Feed is where the notifier stores messages.
type Feed interface {
	feed.Jobs
	feed.Notes
}

// Notifier validates, stores and posts messages. It may be used concurrently; several may share a feed.
type Notifier struct {
	Broadcaster *broadcast.Broadcaster
	// Feed stores messages before they are posted. With a nil Feed nothing is stored, and a message reaches the tabs that are
	// connected.
	Feed Feed
	// Account and Region name where the sweeper hears of the ends of executions: an account's id, such as 123456789012, and a
	// Region's name. An execution elsewhere is not followed. An empty Account or Region matches all.
	Account, Region string
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	pushes pushCache
}

// Output is the task's result. Its MessageID is that of the frame that was posted, or else the message's own.
type Output struct {
	broadcast.Report

	// Seq is the position of the job's state in its epoch; 0 for other messages.
	Seq int64 `json:"seq,omitzero"`
	// Stored is true if the message is in the feed, where a later sync finds it.
	Stored bool `json:"stored"`
	// Outcome is what the feed answered; empty if the message is not for the feed.
	Outcome feed.Outcome `json:"outcome,omitzero"`
	// Followed is present if the request names an execution. It is false if the job does not end with that execution: an
	// execution of an Express workflow, or of another account or Region, or a message that is not the state of a stored job.
	Followed *bool `json:"followed,omitempty"`
}

// Handle notifies by one request of the notifier task: JSON as [Decode] reads it. Its errors are the types that a workflow
// matches by name: [InvalidMessage], [PayloadTooLarge], [Throttled], [StoreError], [DeliveryError].
func (n *Notifier) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	r, err := Decode(raw)
	if err == nil {
		err = n.checkEpoch(r)
	}
	if err == nil {
		err = within("message", n.checkSize(r))
	}
	if err != nil {
		n.log().WarnContext(ctx, "request refused", "err", err)

		return Output{}, named(err)
	}

	return n.notifyAndLog(ctx, r, slog.LevelInfo)
}

// Publish notifies from a worker's own process. It reads the request as Handle does, and returns the errors of Handle.
func (n *Notifier) Publish(ctx context.Context, r message.Request) error {
	r, err := r.Normalize()
	if err == nil {
		err = n.checkEpoch(r)
	}
	if err == nil {
		err = n.checkSize(r)
	}
	if err != nil {
		return named(err)
	}
	_, err = n.notifyAndLog(ctx, r, slog.LevelDebug) // a worker publishes often

	return err
}

// notifyAndLog notifies and logs one line. Its error is one of Handle.
func (n *Notifier) notifyAndLog(ctx context.Context, r message.Request, level slog.Level) (Output, error) {
	out, err := n.notify(ctx, r, "")
	n.log().Log(ctx, level, "notified", "type", r.Message.Type(), "messageId", out.MessageID,
		"outcome", out.Outcome, "seq", out.Seq, "stored", out.Stored,
		"connections", out.Connections, "delivered", out.Delivered, "gone", out.Gone, "failed", out.Failed,
		"expired", out.Expired, "err", err)
	if err != nil {
		return Output{}, named(err)
	}

	return out, nil
}

// notify takes a decoded request through the other four steps. endOf is the ARN of the execution whose end this is, where
// the sweeper reports it; otherwise it is empty.
func (n *Notifier) notify(ctx context.Context, r message.Request, endOf string) (Output, error) {
	ctx, cancel := broadcast.WithBudget(ctx)
	defer cancel()

	d := n.decide(r)

	recipients := d.recipients
	if d.prefetch { // connections are read while the store works
		var stop func()
		recipients, stop = recipients.Prefetch(ctx)
		defer stop()
	}
	result, err := n.store(ctx, r, d, endOf)
	if err != nil {
		return report(d, result, broadcast.Report{}, err)
	}

	posted, err := post(ctx, recipients, result)

	return report(d, result, posted, err)
}

// post sends the frame to the recipients, unless it stays in the feed for the next push.
func post(ctx context.Context, recipients broadcast.Recipients, result storeResult) (broadcast.Report, error) {
	if !result.postNow {
		return broadcast.Report{}, nil
	}
	body, err := result.frame.Encode()
	if err != nil {
		return broadcast.Report{}, err
	}

	return recipients.Post(ctx, broadcast.Frame{ID: result.frame.ID, Body: body})
}

// report returns the output. An error of the posts is none if the message is stored: it comes with the next sync.
func report(d decision, result storeResult, posted broadcast.Report, err error) (Output, error) {
	posted.MessageID = result.frame.ID
	out := Output{
		Report: posted, Seq: result.seq, Stored: result.outcome.ShouldPost(), Outcome: result.outcome, Followed: d.followed,
	}
	switch {
	case result.storeErr != nil && (err != nil || out.Delivered == 0): // neither stored nor delivered
		return out, result.storeErr
	case out.Stored && (errors.Is(err, broadcast.ErrDelivery) || errors.Is(err, broadcast.ErrThrottled)):
		return out, nil
	default:
		return out, err
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
