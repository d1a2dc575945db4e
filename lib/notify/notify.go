// Package notify is the notifier: the task by which a workflow, an operator or a worker notifies a user.
//
// The way of a message is five steps, which this file shows in this order:
//
//  1. Decode: read the request and validate it (decode.go), find out what its message is, and make the frame (request.go).
//  2. Decide: which connections, whether it is likely to be posted at once, whether its execution is followed (decide.go).
//  3. Store: apply it to the feed, and find out whether it is posted now (store.go, push.go).
//  4. Post: encode the frame once and send it to the connections (post.go, lib/broadcast).
//  5. Report: one output and one log line (report.go).
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

// Handle notifies by one request of the notifier task: JSON as [Decode] reads it. Its errors are the types that a workflow
// matches by name: [InvalidMessage], [PayloadTooLarge], [Throttled], [StoreError], [DeliveryError].
func (n *Notifier) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	var out Output
	r, err := n.decode(raw)
	if err == nil {
		out, err = n.notifyAndLog(ctx, r, slog.LevelInfo)
	} else {
		n.log().WarnContext(ctx, "request refused", "err", err)
	}

	return out, named(err)
}

// Publish notifies from a worker's own process. It reads the request as Handle does, and returns the errors of Handle.
func (n *Notifier) Publish(ctx context.Context, r message.Request) error {
	decoded, err := n.decodeRequest(r)
	if err == nil {
		_, err = n.notifyAndLog(ctx, decoded, slog.LevelDebug) // a worker publishes often
	}

	return named(err)
}

// notifyAndLog notifies and logs one line.
func (n *Notifier) notifyAndLog(ctx context.Context, r request, level slog.Level) (Output, error) {
	out, err := n.notify(ctx, r)
	n.logOutput(ctx, level, r, out, err)
	if err != nil {
		return Output{}, err
	}

	return out, nil
}

// notify takes a decoded request through the other four steps.
func (n *Notifier) notify(ctx context.Context, r request) (Output, error) {
	ctx, cancel := broadcast.WithBudget(ctx)
	defer cancel()

	d := n.decide(r)

	recipients := d.recipients
	if d.prefetch { // connections are read while the store works
		var stop func()
		recipients, stop = recipients.Prefetch(ctx)
		defer stop()
	}
	result, err := n.store(ctx, r, d)

	var posted broadcast.Report
	if err == nil && result.postNow {
		posted, err = post(ctx, recipients, result.frame)
	}

	return report(d, result, posted, err)
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
