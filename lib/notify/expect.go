package notify

import (
	"sync"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// maxExpected is how many jobs a process remembers.
const maxExpected = 1000

// expected remembers the pushes of the jobs that this process told of. Other processes may have pushed since: it is a
// guess, by which connections are read early or late, and nothing else.
type expected struct {
	mu   sync.Mutex
	rows map[[2]string]feed.Row // by owner and job
}

// keep remembers a row.
func (e *expected) keep(row feed.Row) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if _, known := e.rows[key]; e.rows == nil || !known && len(e.rows) >= maxExpected {
		e.rows = map[[2]string]feed.Row{} // what is in use is soon known again
	}
	row.Parts, row.Keys = nil, nil // they are not looked at
	e.rows[key] = row
}

// waits reports whether the state that r tells is likely not to be pushed at once.
func (n *Notifier) waits(r message.Request) bool {
	if r.Part != nil { // most states of parts
		return true
	}
	state, ok := message.AsUploadProgress(r.Message)
	if !ok || state.Status.Terminal() {
		return false
	}
	n.expected.mu.Lock()
	row, ok := n.expected.rows[[2]string{feed.User(r.UserID), state.UploadID}]
	n.expected.mu.Unlock()
	if !ok || r.Epoch != "" && r.Epoch != row.Epoch || state.Phase != row.State.Phase {
		return false
	}
	row.State = state

	now := n.now()

	return now.Before(row.NextPushAt(now))
}
