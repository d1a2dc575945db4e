package notify

import (
	"context"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/metrics"
)

// Output is the result of the notifier task.
type Output struct {
	// Report counts the connections. Its MessageID is the id of the posted frame, or of the message if nothing was posted.
	broadcast.Report

	// Seq is the position of the job's state in its epoch; 0 for other messages.
	Seq int64 `json:"seq,omitzero"`
	// Stored is true if the message is in the feed, where a later sync finds it.
	Stored bool `json:"stored"`
	// Outcome is the outcome of storing the message. It is empty if the feed does not store messages like this one, or failed.
	Outcome feed.Outcome `json:"outcome,omitzero"`
	// Pending is true if the state of a job is stored but not pushed, and should be sent again if no other follows: a Reporter does so
	// 2 s later. It is false for the state of a part that may be pushed only later than in 250 ms: other parts will push it.
	Pending bool `json:"pending,omitzero"`
	// Followed is present if the request names an execution. It is true if the sweeper ends the job when that execution ends. It
	// is false if the execution is of an Express workflow or in another account or Region, or if the message is not the state of
	// a job in the feed.
	Followed *bool `json:"followed,omitempty"`
}

// report returns the output of the task, and its error. If the message is stored, failed posts are no error, because the tabs get
// the message with their next sync.
func report(d decision, result storeResult, posted broadcast.Report, err error) (Output, error) {
	posted.MessageID = result.frame.ID
	out := Output{
		Report: posted, Seq: result.seq, Stored: result.outcome.ShouldPost(), Outcome: result.outcome,
		Pending: result.pending, Followed: d.followed,
	}
	switch {
	case result.storeErr != nil && (err != nil || out.Delivered == 0): // the message is neither stored nor delivered
		return out, result.storeErr
	case out.Stored && (errors.Is(err, broadcast.ErrDelivery) || errors.Is(err, broadcast.ErrThrottled)):
		return out, nil
	default:
		return out, err
	}
}

// logOutput logs one line for a decoded request.
func (n *Notifier) logOutput(ctx context.Context, level slog.Level, r request, out Output, err error) {
	n.log().Log(ctx, level, "notified", "type", r.Message.Type(), "messageId", out.MessageID,
		"outcome", out.Outcome, "seq", out.Seq, "stored", out.Stored,
		"connections", out.Connections, "delivered", out.Delivered, "gone", out.Gone, "failed", out.Failed,
		"expired", out.Expired, "err", err)
}

// measure counts the posts of a request. Without a post that reached a connection, or should have, there is no time to measure.
func (n *Notifier) measure(r request, posted broadcast.Report) {
	m := metrics.OrNone(n.Metrics)
	m.Count(metrics.Delivered, posted.Delivered)
	m.Count(metrics.DeliveriesFailed, posted.Failed)
	m.Count(metrics.ConnectionsGone, posted.Gone)
	if posted.Delivered+posted.Failed > 0 {
		m.Duration(metrics.PublishToPost, n.now().Sub(r.frame.Timestamp.Time))
	}
}
