package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// A job may say after how many seconds without news it counts as stalled (expectEvery), and after how many it ends (endAfter). The
// sweeper looks at the times only when it sweeps, so both happen up to the period of its schedule later. It acts on the state that it has
// read: if a worker publishes another state meanwhile, the feed refuses the mark or the end as stale.

// markStalled marks the job of row, which p points to, as stalled, and posts that to its user.
func (s *Sweeper) markStalled(ctx context.Context, p feed.Pointer, row feed.Row) error {
	state := row.VisibleState()
	state.Status = message.StatusStalled
	r, err := s.Notifier.newRequest(message.Request{UserID: userOf(p), Message: message.AsType(row.Type, state), Epoch: row.Epoch})
	if err != nil {
		return fmt.Errorf("mark job as stalled: %w", err)
	}
	r.stalled, r.onlySeq = true, row.Seq
	out, err := s.Notifier.notify(ctx, r)
	if err != nil {
		return fmt.Errorf("mark job as stalled: %w", err)
	}
	s.log().InfoContext(ctx, "job stalled", "uploadId", p.Job, "outcome", out.Outcome, "seq", out.Seq, "delivered", out.Delivered)

	return nil
}

// endAbandoned ends the job of row, which p points to, as failed.
func (s *Sweeper) endAbandoned(ctx context.Context, p feed.Pointer, row feed.Row) error {
	end := jobEnd{message.StatusFailed, "There was no news for " + inWords(time.Duration(row.EndAfter)*time.Second)}
	state := withEnd(row.VisibleState(), end)
	r, err := s.Notifier.newRequest(message.Request{
		UserID: userOf(p), Message: message.AsType(row.Type, state.Truncated()), Epoch: row.Epoch,
		Key: fmt.Sprintf("no news after %d in %s", row.Seq, row.Epoch),
	})
	if err != nil {
		return fmt.Errorf("end silent job: %w", err)
	}
	r.onlySeq = row.Seq
	out, err := s.Notifier.notify(ctx, r)
	if err != nil {
		return fmt.Errorf("end silent job: %w", err)
	}
	s.log().InfoContext(ctx, "job ended without news", "uploadId", p.Job, "outcome", out.Outcome, "seq", out.Seq, "delivered", out.Delivered)
	if out.Outcome == feed.Stale { // there is news
		return nil
	}

	return s.deletePointer(ctx, p)
}

// inWords returns a time in whole units, such as "90 seconds" or "10 minutes". It rounds down to a unit of which there are two or more.
func inWords(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 2*unit.length {
			return fmt.Sprintf("%d %s", d/unit.length, unit.name)
		}
	}

	return fmt.Sprintf("%d seconds", d/time.Second)
}
