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
	// firstNotes is how many notes a browser gets that has none.
	firstNotes = 50
	// maxNotes is how many newer notes one sync brings, and how many of those before since.
	maxNotes = 200
	// maxStates is how many states of jobs one sync brings.
	maxStates = 200
	// readTime and syncTime bound how long a sync reads, and posts, well below the function's 30 s. What there is no time for
	// comes with the next sync.
	readTime = 8 * time.Second
	syncTime = 20 * time.Second
	// endTime is what must be left of the function's time when the last post begins.
	endTime = 2 * broadcast.PostTimeout
	// maxRows is how many rows of jobs one sync reads.
	maxRows = 20_000
	// rowsPerPost is how many rows that are read cost as much as one post: about as many as one request to the store returns.
	rowsPerPost = 1000
)

// sync posts a welcome, what is newer than what the browser has, and how much that was. It costs the posts that it makes, or
// the reading where that is more.
func (h *Default) sync(ctx context.Context, log *slog.Logger, a *answers, s syncAction) error {
	if h.spent.has(a.row.UserID, a.now()) { // before anything is read
		return h.refuse(ctx, log, a)
	}
	start := a.now()
	found, err := h.read(ctx, feed.User(a.row.UserID), s, start.Add(readTime))
	if err != nil {
		return err
	}
	frames := found.frames()
	controls := 2 // welcome and synced
	if s.silent {
		controls = 1
	}
	cost := max(len(frames)+controls, found.jobs.read/rowsPerPost)
	granted, err := h.spend(ctx, log, a, cost)
	if err != nil {
		return err
	}
	allowed := frames[:max(0, min(len(frames), granted-controls))]
	if !s.silent && granted >= controls {
		now := message.Time{Time: a.now()}
		end := message.Time{Time: a.row.End()}
		if err := a.say(ctx, message.Welcome{ConnectionID: a.row.ID, ServerTime: now, SessionEnd: end}); err != nil {
			return err
		}
	}
	until := start.Add(syncTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-endTime).Before(until) {
		until = deadline.Add(-endTime)
	}
	posted, err := a.all(ctx, envelopes(allowed), until)
	if err != nil {
		return err
	}
	synced := found.synced(s.cursor, frames[:posted])
	if granted < cost {
		synced.More, synced.RetryAfter = true, retryAfter(a.now())
	}
	log.InfoContext(ctx, "synced", "jobs", synced.Jobs, "notes", synced.Notes, "more", synced.More, "cost", cost, "granted", granted)

	return a.say(ctx, synced)
}

// frame is one frame of a sync.
type frame struct {
	message.Envelope

	// job is the rank of the job whose state it is; nil is a note.
	job *rank
}

func envelopes(frames []frame) []message.Envelope {
	all := make([]message.Envelope, len(frames))
	for i, f := range frames {
		all[i] = f.Envelope
	}

	return all
}
