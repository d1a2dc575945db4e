package notify

import (
	"context"
	"errors"
	"log/slog"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
)

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

// logOutput logs one line for a request that was not refused.
func (n *Notifier) logOutput(ctx context.Context, level slog.Level, r request, out Output, err error) {
	n.log().Log(ctx, level, "notified", "type", r.Message.Type(), "messageId", out.MessageID,
		"outcome", out.Outcome, "seq", out.Seq, "stored", out.Stored,
		"connections", out.Connections, "delivered", out.Delivered, "gone", out.Gone, "failed", out.Failed,
		"expired", out.Expired, "err", err)
}
