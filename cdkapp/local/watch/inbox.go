package watch

import (
	"slices"
	"sync"

	"github.com/herald-progress/herald/lib/message"
)

// maxWaiting is the number of notes that wait in an inbox; older ones are dropped.
const maxWaiting = 100

// inbox holds what a client reports until the model asks for it, so that the client never waits for the terminal. However much
// is reported, the model draws at its own rate.
type inbox struct {
	// jobs returns the frames of all jobs.
	jobs func() []message.Envelope

	mu      sync.Mutex
	waiting update
	// changed says that a job may have changed; synced, that some sync was complete.
	changed, synced bool
}

// update is what was reported since the last one.
type update struct {
	// jobs are the frames of all jobs; nil means that none has changed.
	jobs []message.Envelope
	// notes are new notes; dismissed are the ids of notes that were dismissed.
	notes     []message.Envelope
	dismissed []string
	conn      connection
	// ended says that the client has ended, and err why.
	ended bool
	err   error
}

func (in *inbox) frame(e message.Envelope) {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := &in.waiting
	switch data := e.Data.(type) {
	case message.UploadProgress:
		in.changed = true
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

// isNews reports whether a note is to be shown. The first sync brings the notes of the last days, which are not news. An
// error without an id answers a message of the client.
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
