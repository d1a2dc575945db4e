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
	jobs  jobs
	notes notes
}

// jobs are the states that a browser lacks, or has earlier ones of.
type jobs struct {
	// rows are the first maxStates, in the order of their ranks.
	rows []feed.Row
	// left says that there are more of them among those that were read.
	left bool
	// until is the job at which the reading stopped; empty is the end.
	until string
	// read is how many rows were read.
	read int
}

// notes are those that a browser lacks, or may lack, each the oldest first.
type notes struct {
	// fresh are over since; more says that there are further ones.
	fresh []feed.Note
	more  bool
	// overlap are the newest before first, the since of the sync's first page, where no fresh ones are left.
	overlap []feed.Note
	first   string
}

// read reads jobs and notes at the same time. Jobs that there is no time for are left to the next sync.
func (h *Default) read(ctx context.Context, owner string, s syncAction, until time.Time) (page, error) {
	var p page
	var jobsErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.jobs, jobsErr = h.readJobs(ctx, owner, s, until)
	}()
	found, notesErr := h.readNotes(ctx, owner, s)
	<-done
	if jobsErr != nil {
		return page{}, internal("read jobs", jobsErr)
	}
	if notesErr != nil {
		return page{}, internal("read notes", notesErr)
	}
	p.notes = found

	return p, nil
}

func (h *Default) readJobs(ctx context.Context, owner string, s syncAction, until time.Time) (jobs, error) {
	found := jobs{until: s.cursor.Until}
	last := s.cursor.After
	for row, err := range h.Feed.JobsAfter(ctx, owner, s.cursor.After) {
		if err != nil {
			return jobs{}, err
		}
		id := row.State.UploadID
		if s.cursor.Until != "" && id > s.cursor.Until {
			break
		}
		if found.read == maxRows || found.read > 0 && !clock(h.Now)().Before(until) {
			found.until = last

			break
		}
		last = id
		found.read++
		if had, known := s.have[id]; known && !row.Newer(had.epoch, had.seq) {
			continue
		}
		if s.cursor.Sent != nil && rankOf(row).compare(*s.cursor.Sent) <= 0 {
			continue
		}
		if found.rows = append(found.rows, row); len(found.rows) == 2*maxStates {
			found.cut()
		}
	}
	found.cut()

	return found, nil
}

// cut sorts the rows and drops those over maxStates.
func (j *jobs) cut() {
	slices.SortFunc(j.rows, func(a, b feed.Row) int { return rankOf(a).compare(rankOf(b)) })
	if len(j.rows) > maxStates {
		j.rows, j.left = j.rows[:maxStates], true
	}
}

func (h *Default) readNotes(ctx context.Context, owner string, s syncAction) (notes, error) {
	if s.since == "" {
		fresh, err := h.Feed.Notes(ctx, owner, "", firstNotes)

		return notes{fresh: fresh}, err
	}
	fresh, err := h.Feed.Notes(ctx, owner, s.since, maxNotes+1)
	if err != nil {
		return notes{}, err
	}
	if len(fresh) > maxNotes {
		return notes{fresh: fresh[:maxNotes], more: true, first: s.first}, nil
	}
	overlap, err := h.Feed.NewestNotes(ctx, owner, s.after, s.first, maxNotes+1)
	if n := len(overlap); n > 0 && overlap[n-1].ID == s.first {
		overlap = overlap[:n-1] // the browser has it
	}

	return notes{fresh: fresh, overlap: overlap[max(0, len(overlap)-maxNotes):], first: s.first}, err
}

// frames returns the frames of a page, the most urgent first: running jobs, new notes, ended jobs, notes before since.
func (p page) frames() []frame {
	running, ended := []frame{}, []frame{}
	for _, row := range p.jobs.rows {
		place := rankOf(row)
		f := frame{Envelope: row.Envelope(), job: &place}
		f.Replayed = true
		if place.Ended {
			ended = append(ended, f)
		} else {
			running = append(running, f)
		}
	}

	return slices.Concat(running, noteFrames(p.notes.fresh), ended, noteFrames(p.notes.overlap))
}

func noteFrames(notes []feed.Note) []frame {
	frames := make([]frame, 0, len(notes))
	for _, n := range notes {
		e := n.Envelope()
		e.Replayed = true
		frames = append(frames, frame{Envelope: e})
	}

	return frames
}

// synced returns the end of the answer after the first frames of a page have been posted.
func (p page) synced(from cursor, posted []frame) message.Synced {
	var synced message.Synced
	last := from.Sent
	for _, f := range posted {
		if f.job != nil {
			synced.Jobs, last = synced.Jobs+1, f.job
		} else {
			synced.Notes++
		}
	}
	var next cursor
	switch {
	case p.jobs.left || synced.Jobs < len(p.jobs.rows):
		next = cursor{After: from.After, Until: p.jobs.until, Sent: last}
	case p.jobs.until != "":
		next = cursor{After: p.jobs.until}
	}
	notesLeft := p.notes.more || synced.Notes < len(p.notes.fresh)+len(p.notes.overlap)
	if notesLeft {
		next.Since = p.notes.first
	}
	synced.Cursor = next.String()
	synced.More = notesLeft || synced.Cursor != ""

	return synced
}
