// Package notify is the notifier: the task by which a workflow, an operator or a worker notifies a user.
//
// A message goes through five steps, which this file shows in this order:
//
//  1. Decode: read and validate the request (decode.go), and make the frame (request.go).
//  2. Decide: choose the connections, guess whether the message is posted at once, and find out whether the sweeper follows the
//     execution that the request names (decide.go).
//  3. Store: store the message in the feed, and find out whether it is posted now (store.go, push.go).
//  4. Post: encode the frame once and send it to the connections (post.go, lib/broadcast).
//  5. Report: return one output and log one line (report.go).
//
// The states of a job are coalesced. Every state is stored, but states are pushed to the user's tabs only as often as a person can
// read them, whichever workers publish them:
//
//	a run's first state, an end,
//	a new phase, another status                is pushed at once
//	progress that grew by 1 % or more          is pushed 250 ms after the job's last push, or later
//	progress that grew by less than 1 %        is pushed 2 s after the job's last push, or later
//
// A state whose push is over 250 ms away waits in the feed. A push always carries the newest state, so it also shows the states
// that waited.
package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics"
)

// Feed is where the notifier stores messages.
type Feed interface {
	feed.Jobs
	feed.Notes
}

// Notifier validates, stores and posts messages. It may be used concurrently; several may share a feed.
type Notifier struct {
	Broadcaster *broadcast.Broadcaster
	// Feed stores messages before they are posted. With a nil Feed nothing is stored, and a message reaches only the tabs that
	// are connected.
	Feed Feed
	// Account and Region are those whose events the sweeper receives when executions end: an account's id, such as 123456789012,
	// and the name of a Region. An execution in another account or Region is not followed. An empty Account or Region matches all.
	Account, Region string
	// Log is silent when nil.
	Log *slog.Logger
	// Metrics counts the posts and the time until the last one; nil counts nothing.
	Metrics metrics.Recorder
	// Trace returns the id of the trace that the request of a context belongs to, for the frame, or an empty string; see
	// [message.Envelope]. Nil means no trace.
	Trace func(context.Context) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// lastRows has the newest row of each job that this process has seen, with the time of the job's last push.
	lastRows rowCache
}

// Handle runs the notifier task with one input, the JSON that [Decode] reads. Its errors are the types that a workflow matches by
// name: [InvalidMessage], [PayloadTooLarge], [Throttled], [StoreError], [DeliveryError].
func (n *Notifier) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	var out Output
	r, err := n.decode(raw)
	if err == nil {
		out, err = n.notifyAndLog(ctx, r, slog.LevelInfo)
	} else {
		n.log().WarnContext(ctx, "request refused", "err", err)
	}

	return out, taskError(err)
}

// Publish notifies a user from a worker's own process. Its rules for a request and its errors are those of Handle.
func (n *Notifier) Publish(ctx context.Context, r message.Request) error {
	decoded, err := n.decodeRequest(r)
	if err == nil {
		_, err = n.notifyAndLog(ctx, decoded, slog.LevelDebug) // a worker publishes often
	}

	return taskError(err)
}

// notifyAndLog calls notify and logs one line. After an error its output is empty.
func (n *Notifier) notifyAndLog(ctx context.Context, r request, level slog.Level) (Output, error) {
	out, err := n.notify(ctx, r)
	n.logOutput(ctx, level, r, out, err)
	if err != nil {
		return Output{}, err
	}

	return out, nil
}

// notify does the steps after decoding: decide, store, post, report.
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
		if n.Trace != nil {
			result.frame.Trace = n.Trace(ctx)
		}
		posted, err = post(ctx, recipients, result.frame)
		n.measure(r, posted)
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
