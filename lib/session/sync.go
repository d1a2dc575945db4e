package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// firstNotes is how many notes a browser without notes gets.
	firstNotes = 50
	// maxNotes is how many newer notes, and how many notes of the overlap, one sync sends.
	maxNotes = 200
	// maxStates is how many states of jobs one sync sends.
	maxStates = 200
	// readTimeout and postTimeout limit how long a sync reads and posts, well below the function's 30 s. The next sync
	// continues.
	readTimeout = 8 * time.Second
	postTimeout = 20 * time.Second
	// minTimeToAnswer is the time that must be left when the last frame before synced is posted.
	minTimeToAnswer = 2 * broadcast.PostTimeout
	// maxPages is how many pages of jobs one sync reads, each by one request to the store. pageSize is how many jobs a page
	// has at most: DynamoDB ends a page at 1 MB.
	maxPages = 20
	pageSize = 1000
)

// sync posts a welcome frame, everything that is newer than what the browser has, and a synced frame with the counts. It costs
// its posts or the pages of jobs that it reads, whichever is more. It reads and posts only what it has paid for.
func (h *Default) sync(ctx context.Context, log *slog.Logger, resp *responder, s syncAction) error {
	start := resp.now()
	controls := 2 // welcome and synced
	if s.noWelcome {
		controls = 1
	}
	c, err := h.charge(ctx, log, resp, controls)
	if err != nil {
		return err
	}
	if c.paid < controls {
		return errBudgetSpent
	}
	page, err := h.read(ctx, feed.User(resp.connection.UserID), s, c, start.Add(readTimeout))
	if err != nil {
		return err
	}
	frames := page.frames()
	if err := c.raise(ctx, len(frames)+controls); err != nil {
		return err
	}

	allowed := frames[:max(0, min(len(frames), c.paid-controls))]
	if !s.noWelcome {
		now := message.Time{Time: resp.now()}
		end := message.Time{Time: resp.connection.SessionEnd()}
		if err := resp.send(ctx, message.Welcome{ConnectionID: resp.connection.ID, ServerTime: now, SessionEnd: end}); err != nil {
			return err
		}
	}

	until := start.Add(postTimeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-minTimeToAnswer).Before(until) {
		until = deadline.Add(-minTimeToAnswer)
	}
	posted, err := resp.postAll(ctx, envelopes(allowed), until)
	if err != nil {
		return err
	}

	synced := page.synced(s.cursor, frames[:posted])
	if c.short {
		synced.More, synced.RetryAfter = true, retryAfter(resp.now())
	}
	log.InfoContext(ctx, "synced", "jobs", synced.Jobs, "notes", synced.Notes, "more", synced.More, "pages", page.jobs.pages, "paid", c.paid, "short", c.short)
	return resp.send(ctx, synced)
}

// syncFrame is a state or a note that a sync posts.
type syncFrame struct {
	message.Envelope

	// rank is the job's rank. It is nil for a note.
	rank *rank
}

func envelopes(frames []syncFrame) []message.Envelope {
	all := make([]message.Envelope, len(frames))
	for i, f := range frames {
		all[i] = f.Envelope
	}
	return all
}
