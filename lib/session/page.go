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
	// rows are the first maxStates new states of the page, in the order of their ranks.
	rows []feed.Row
	// truncated means that the page has further new states, which are not in rows.
	truncated bool
	// stoppedAt is the id of the last job that was read. Empty means that all were read.
	stoppedAt string
	// pages is how many pages were read from the store.
	pages int
}

// notePage holds the notes that are or may be new to a browser, the oldest first.
type notePage struct {
	// newer are the notes with ids over syncAction.since. more means that there are further ones.
	newer []feed.Note
	more  bool
	// overlap are notes with ids up to syncAction.first, which are sent again. It is read only if more is false.
	overlap []feed.Note
	// first is syncAction.first. It becomes the cursor's Since if notes are left.
	first string
}

// read reads jobs and notes at the same time. until is the deadline for reading jobs.
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

// readJobs reads pages of jobs from the store. It stops after the last page, at the deadline until, after maxPages pages, or when
// c pays for no further page.
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
			// Pay for twice as many pages, because each payment is a request to the store, too.
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

// add adds a row if its state is new to the browser and was not sent with an earlier page of the sync.
func (j *jobPage) add(row feed.Row, s syncAction) {
	if seen, known := s.have[row.State.UploadID]; known && !row.Newer(seen.epoch, seen.seq) {
		return
	}
	if s.cursor.Sent != nil && newRank(row).compare(*s.cursor.Sent) <= 0 {
		return
	}
	if j.rows = append(j.rows, row); len(j.rows) == 2*maxStates { // do not hold the states of all jobs
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

// readNotes reads the notes that are newer than those of the browser. If no newer notes are left after this page, it also reads the
// overlap, unless an earlier page of this sync had it.
func (h *Default) readNotes(ctx context.Context, owner string, s syncAction) (notePage, error) {
	if s.since == "" {
		newer, err := h.Feed.Notes(ctx, owner, "", firstNotes)
		return notePage{newer: newer}, err
	}
	newer, err := h.Feed.Notes(ctx, owner, s.since, maxNotes+1) // one more shows that there are further ones
	if err != nil {
		return notePage{}, err
	}
	if len(newer) > maxNotes {
		return notePage{newer: newer[:maxNotes], more: true, first: s.first}, nil
	}
	firstPage := s.cursor == (cursor{})
	if !firstPage && s.cursor.Since == "" { // an earlier page had the overlap
		return notePage{newer: newer, first: s.first}, nil
	}
	// One more than MaxOverlap, because the range ends with the note first.
	overlap, err := h.Feed.NewestNotes(ctx, owner, s.overlapStart, s.first, message.MaxOverlap+1)
	if n := len(overlap); n > 0 && overlap[n-1].ID == s.first {
		overlap = overlap[:n-1] // the browser has the note first
	}
	overlap = overlap[max(0, len(overlap)-message.MaxOverlap):]
	ids := make([]string, len(overlap))
	for i, n := range overlap {
		ids[i] = n.ID
	}
	if s.overlapDigest == message.NotesDigest(ids) { // the browser has all of these notes
		overlap = nil
	}
	return notePage{newer: newer, overlap: overlap, first: s.first}, err // the error of NewestNotes
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

// synced returns the synced frame of a sync that began at the cursor from and posted the given frames.
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
	case p.jobs.truncated || synced.Jobs < len(p.jobs.rows): // send the rest of the same page
		next = cursor{After: from.After, Until: p.jobs.stoppedAt, Sent: last}
	case p.jobs.stoppedAt != "": // read on
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
