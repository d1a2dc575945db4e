package dynamo

import (
	"sync"
	"time"
)

const (
	// maxKnown bounds how many jobs a process remembers.
	maxKnown = 256
	// knownFor is how long a remembered row is taken for the stored one. A worker writes a row several times a second, and
	// mostly alone; a wrong guess costs a write that fails.
	knownFor = 3 * time.Second
)

// knownRows are the jobs' rows as this process wrote them last. Another process may have written them since: they are
// guesses, which conditions check.
type knownRows struct {
	mu   sync.Mutex
	rows map[[2]string]storedRow // by owner and job
}

// last returns the row that was written last.
func (k *knownRows) last(owner, job string) (storedRow, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, ok := k.rows[[2]string{owner, job}]

	return row, ok
}

// recent returns the row that was written last, if that was shortly before at.
func (k *knownRows) recent(owner, job string, at time.Time) (storedRow, bool) {
	row, ok := k.last(owner, job)

	return row, ok && at.Sub(row.UpdatedAt).Abs() < knownFor
}

// keep remembers a row, or forgets it once the job has ended.
func (k *knownRows) keep(row storedRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if row.Terminal() {
		delete(k.rows, key)

		return
	}
	if _, known := k.rows[key]; k.rows == nil || !known && len(k.rows) >= maxKnown {
		k.rows = map[[2]string]storedRow{} // what is in use is soon known again
	}
	k.rows[key] = row
}
