package watch

import (
	"slices"
	"sync"

	"github.com/herald-progress/herald/lib/message"
)

// maxWaiting is how many notes an inbox holds, and how many ids of dismissed notes. The inbox drops older ones.
const maxWaiting = 100

// inbox holds what a client reports until the model asks for it, so that the client never waits for the terminal. However much
// is reported, the model draws at its own rate.
type inbox struct {
	// jobs returns the newest frame of each job.
	jobs func() []message.Envelope

	mu sync.Mutex
	// waiting is what next will return, except for the jobs.
	waiting update
	// changed is true if a job may have changed since the last call of next. synced is true once a sync was complete.
	changed, synced bool
}

// update is what a client has reported since the last call of next.
type update struct {
	// jobs has the newest frame of each job. Nil means that no job has changed.
	jobs []message.Envelope
	// notes are new notes; dismissed are the ids of notes that were dismissed.
	notes     []message.Envelope
	dismissed []string
	// conn is the current state of the connection, whether it has changed or not.
	conn connection
	// ended is true once the client has ended. err is the reason, or nil if the context ended.
	ended bool
	err   error
}

func (in *inbox) frame(e message.Envelope) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := &in.waiting
	if _, isState := message.AsUploadProgress(e.Data); isState {
		in.changed = true
		return
	}
	switch data := e.Data.(type) {
	case message.Notification, message.Error:
		if isNews(e, in.synced) {
			w.notes = append(w.notes, e)
			w.notes = w.notes[max(0, len(w.notes)-maxWaiting):]
		}
	case message.Dismissed:
		w.notes = slices.DeleteFunc(w.notes, func(note message.Envelope) bool { return note.ID == data.ID })
		w.dismissed = append(w.dismissed, data.ID)
		w.dismissed = w.dismissed[max(0, len(w.dismissed)-maxWaiting):]
	}
}

// isNews reports whether a note is to be shown. Two kinds are not news: the notes of the last days, which the first sync brings, and
// an error without an id, which answers a message of the client. synced is true once a sync was complete.
func isNews(e message.Envelope, synced bool) bool {
	if e.Replayed && !synced {
		return false
	}
	return e.Type != message.TypeError || e.ID != ""
}

func (in *inbox) connection(c connection) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting.conn = c
	in.synced = in.synced || c.state == live
}

func (in *inbox) end(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting.ended, in.waiting.err = true, err
}

// next returns what was reported since the last call.
func (in *inbox) next() update {
	in.mu.Lock()
	u, changed := in.waiting, in.changed
	in.waiting.notes, in.waiting.dismissed, in.changed = nil, nil, false
	in.mu.Unlock()
	if changed {
		u.jobs = in.jobs()
	}
	return u
}
