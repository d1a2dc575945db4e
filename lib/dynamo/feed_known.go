package dynamo

import (
	"sync"
	"time"
)

const (
	// maxCachedRows bounds how many jobs a process remembers.
	maxCachedRows = 256
	// cachedRowAge is how long a remembered row is taken for the stored one. A worker writes a row several times a second, and
	// mostly alone; a wrong guess costs a write that fails.
	cachedRowAge = 3 * time.Second
)

// rowCache are the jobs' rows as this process wrote them last. Another process may have written them since: they are
// guesses, which conditions check.
type rowCache struct {
	mu   sync.Mutex
	rows map[[2]string]storedRow // by owner and job
}

// get returns the row that was written last.
func (k *rowCache) get(owner, job string) (storedRow, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, ok := k.rows[[2]string{owner, job}]
	return row, ok
}

// getRecent returns the row that was written last, if that was shortly before at.
func (k *rowCache) getRecent(owner, job string, at time.Time) (storedRow, bool) {
	row, ok := k.get(owner, job)
	return row, ok && at.Sub(row.UpdatedAt).Abs() < cachedRowAge
}

// put remembers a row, or forgets it once the job has ended.
func (k *rowCache) put(row storedRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if row.Terminal() {
		delete(k.rows, key)
		return
	}
	if _, cached := k.rows[key]; k.rows == nil || !cached && len(k.rows) >= maxCachedRows {
		k.rows = map[[2]string]storedRow{} // what is in use is soon known again
	}
	k.rows[key] = row
}
