package session

import (
	"context"
	"slices"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// page is what a sync has read for a browser.
type page struct {
	jobs  jobPage
	notes notePage
}

// jobPage holds the states that are new to a browser.
type jobPage struct {
	// rows are the first maxStates of the page, in the order of their ranks.
	rows []feed.Row
	// truncated means that the page has more new states than rows.
	truncated bool
	// stoppedAt is the id of the last job that was read. Empty means that all were read.
	stoppedAt string
	// pages is how many pages were read.
	pages int
}

// notePage holds the notes that are or may be new to a browser, the oldest first.
type notePage struct {
	// newer are the notes after since. more means that there are further ones.
	newer []feed.Note
	more  bool
	// overlap are the newest notes up to first. It is read only if newer has all newer notes.
	overlap []feed.Note
	first   string
}

// read reads jobs and notes at the same time. It stops reading jobs at the deadline until.
func (h *Default) read(ctx context.Context, owner string, s syncAction, c *messageCost, until time.Time) (page, error) {
	var p page
	var jobsErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.jobs, jobsErr = h.readJobs(ctx, owner, s, c, until)
	}()
	found, notesErr := h.readNotes(ctx, owner, s)
	<-done
	if jobsErr != nil {
		return page{}, internalError("read jobs", jobsErr)
	}
	if notesErr != nil {
		return page{}, internalError("read notes", notesErr)
	}
	p.notes = found
	return p, nil
}

// readJobs reads pages of jobs until the last, the deadline until, maxPages, or as many as c pays for.
func (h *Default) readJobs(ctx context.Context, owner string, s syncAction, c *messageCost, until time.Time) (jobPage, error) {
	found := jobPage{stoppedAt: s.cursor.Until}
	for after := s.cursor.After; ; {
		page, err := h.Feed.JobsAfter(ctx, owner, after, pageSize)
		if err != nil {
			return jobPage{}, err
		}
		found.pages++
		for _, row := range page.Rows {
			if id := row.State.UploadID; s.cursor.Until == "" || id <= s.cursor.Until {
				found.add(row, s)
			}
		}
		after = page.Next
		if after == "" || s.cursor.Until != "" && after >= s.cursor.Until {
			break
		}
		if found.pages == c.paid {
			if err := c.payUpTo(ctx, min(2*c.paid, maxPages)); err != nil {
				return jobPage{}, err
			}
		}
		if found.pages == maxPages || found.pages == c.paid || !clock(h.Now)().Before(until) {
			found.stoppedAt = after
			break
		}
	}
	found.truncate()
	return found, nil
}

// add keeps a row that is new to the browser and was not sent with an earlier page of the sync.
func (j *jobPage) add(row feed.Row, s syncAction) {
	if seen, known := s.have[row.State.UploadID]; known && !row.Newer(seen.epoch, seen.seq) {
		return
	}
	if s.cursor.Sent != nil && newRank(row).compare(*s.cursor.Sent) <= 0 {
		return
	}
	if j.rows = append(j.rows, row); len(j.rows) == 2*maxStates {
		j.truncate()
	}
}

// truncate sorts the rows and removes those after the first maxStates.
func (j *jobPage) truncate() {
	slices.SortFunc(j.rows, func(a, b feed.Row) int { return newRank(a).compare(newRank(b)) })
	if len(j.rows) > maxStates {
		j.rows, j.truncated = j.rows[:maxStates], true
	}
}

func (h *Default) readNotes(ctx context.Context, owner string, s syncAction) (notePage, error) {
	if s.since == "" {
		fresh, err := h.Feed.Notes(ctx, owner, "", firstNotes)
		return notePage{newer: fresh}, err
	}
	fresh, err := h.Feed.Notes(ctx, owner, s.since, maxNotes+1)
	if err != nil {
		return notePage{}, err
	}
	if len(fresh) > maxNotes {
		return notePage{newer: fresh[:maxNotes], more: true, first: s.first}, nil
	}
	if s.cursor != (cursor{}) && s.cursor.Since == "" { // an earlier page had it
		return notePage{newer: fresh, first: s.first}, nil
	}
	overlap, err := h.Feed.NewestNotes(ctx, owner, s.overlapStart, s.first, message.MaxOverlap+1)
	if n := len(overlap); n > 0 && overlap[n-1].ID == s.first {
		overlap = overlap[:n-1] // the browser has it
	}
	overlap = overlap[max(0, len(overlap)-message.MaxOverlap):]
	ids := make([]string, len(overlap))
	for i, n := range overlap {
		ids[i] = n.ID
	}
	if s.overlap == message.NotesDigest(ids) { // the browser has them all
		overlap = nil
	}
	return notePage{newer: fresh, overlap: overlap, first: s.first}, err
}

// frames returns the frames of a page in this order: running jobs, newer notes, ended jobs, notes of the overlap.
func (p page) frames() []syncFrame {
	running, ended := []syncFrame{}, []syncFrame{}
	for _, row := range p.jobs.rows {
		r := newRank(row)
		f := syncFrame{Envelope: row.Envelope(), rank: &r}
		f.Replayed = true
		if r.Ended {
			ended = append(ended, f)
		} else {
			running = append(running, f)
		}
	}

	return slices.Concat(running, noteFrames(p.notes.newer), ended, noteFrames(p.notes.overlap))
}

func noteFrames(notes []feed.Note) []syncFrame {
	frames := make([]syncFrame, 0, len(notes))
	for _, n := range notes {
		e := n.Envelope()
		e.Replayed = true
		frames = append(frames, syncFrame{Envelope: e})
	}
	return frames
}

// synced returns the synced frame after the given frames were posted.
func (p page) synced(from cursor, posted []syncFrame) message.Synced {
	var synced message.Synced
	last := from.Sent
	for _, f := range posted {
		if f.rank != nil {
			synced.Jobs, last = synced.Jobs+1, f.rank
		} else {
			synced.Notes++
		}
	}
	var next cursor
	switch {
	case p.jobs.truncated || synced.Jobs < len(p.jobs.rows):
		next = cursor{After: from.After, Until: p.jobs.stoppedAt, Sent: last}
	case p.jobs.stoppedAt != "":
		next = cursor{After: p.jobs.stoppedAt}
	}
	notesLeft := p.notes.more || synced.Notes < len(p.notes.newer)+len(p.notes.overlap)
	if notesLeft {
		next.Since = p.notes.first
	}
	synced.Cursor = next.String()
	synced.More = notesLeft || synced.Cursor != ""
	return synced
}
