package session

import (
	"context"
	"fmt"
	"iter"
	"log/slog"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// firstNotes is how many notes a browser gets that has none.
	firstNotes = 50
	// maxNotes is how many newer notes one sync brings.
	maxNotes = 200
)

// sync posts the welcome to a new connection, what is newer than what the browser has, and how much that was.
func (h *Default) sync(ctx context.Context, log *slog.Logger, a *answers, s syncAction, first bool) error {
	if first {
		now := message.Time{Time: a.now()}
		end := message.Time{Time: a.row.End()}
		if err := a.say(ctx, message.Welcome{ConnectionID: a.row.ID, ServerTime: now, SessionEnd: end}); err != nil {
			return err
		}
	}
	owner := feed.User(a.row.UserID)
	jobs, err := a.all(ctx, h.newer(ctx, owner, s.have))
	if err != nil {
		return err
	}
	notes, more, err := h.replay(ctx, a, owner, s)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "synced", "jobs", jobs, "notes", notes, "more", more)

	return a.say(ctx, message.Synced{Jobs: jobs, Notes: notes, More: more})
}

// newer yields the frames of the jobs that the browser lacks, or has an earlier state of.
func (h *Default) newer(ctx context.Context, owner string, have map[string]position) iter.Seq2[message.Envelope, error] {
	return func(yield func(message.Envelope, error) bool) {
		for row, err := range h.Feed.Jobs(ctx, owner) {
			if err != nil {
				yield(message.Envelope{}, internal("read jobs", err))

				return
			}
			had, known := have[row.State.UploadID]
			if known && !row.Newer(had.epoch, had.seq) {
				continue
			}
			if !yield(row.Envelope(), nil) {
				return
			}
		}
	}
}

// replay posts notes one after the other, the oldest first: a browser that is cut off asks again from the last that came.
// It reports how many it posted, and whether there are newer ones.
func (h *Default) replay(ctx context.Context, a *answers, owner string, s syncAction) (posted int, more bool, err error) {
	limit := maxNotes + 1
	if s.since == "" {
		limit = firstNotes
	}
	fresh := 0
	for after := s.after; ; {
		notes, err := h.Feed.Notes(ctx, owner, after, limit)
		if err != nil {
			return posted, false, internal("read notes", err)
		}
		for _, n := range notes {
			if n.ID > s.since { // those before are sent again beside the limit, or a burst of them would let none pass
				if fresh++; fresh > maxNotes {
					return posted, true, nil
				}
			}
			e := n.Envelope()
			e.Replayed = true
			if err := a.post(ctx, e); err != nil {
				return posted, false, fmt.Errorf("replay: %w", err)
			}
			posted++
		}
		if s.since == "" || len(notes) < limit {
			return posted, false, nil
		}
		after = notes[len(notes)-1].ID
	}
}
