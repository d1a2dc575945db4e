package dynamo

import (
	"sync"
	"time"
)

const (
	// maxCachedRows is the capacity of the cache.
	maxCachedRows = 256
	// cachedRowAge is how long a cached row is used instead of a read. A worker writes a row several times a second, mostly
	// alone. If another process has changed the row, the write fails and is repeated.
	cachedRowAge = 3 * time.Second
)

// rowCache contains the rows that this process wrote last. Other processes may have changed them, so every write that is based
// on a cached row has a condition.
type rowCache struct {
	mu   sync.Mutex
	rows map[[2]string]storedRow // by owner and job
}

// get returns the cached row of a job.
func (k *rowCache) get(owner, job string) (storedRow, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, ok := k.rows[[2]string{owner, job}]
	return row, ok
}

// getRecent returns the cached row of a job if it was updated within cachedRowAge of at.
func (k *rowCache) getRecent(owner, job string, at time.Time) (storedRow, bool) {
	row, ok := k.get(owner, job)
	return row, ok && at.Sub(row.UpdatedAt).Abs() < cachedRowAge
}

// put caches a row, or removes it if the job has ended.
func (k *rowCache) put(row storedRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if row.Terminal() {
		delete(k.rows, key)
		return
	}
	if _, cached := k.rows[key]; k.rows == nil || !cached && len(k.rows) >= maxCachedRows {
		k.rows = map[[2]string]storedRow{} // Rows in use are soon cached again.
	}
	k.rows[key] = row
}
