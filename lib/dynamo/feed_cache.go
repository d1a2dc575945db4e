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
func (c *rowCache) get(owner, job string) (storedRow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows[[2]string{owner, job}]
	return row, ok
}

// getRecent returns the cached row of a job if it was updated within cachedRowAge of at.
func (c *rowCache) getRecent(owner, job string, at time.Time) (storedRow, bool) {
	row, ok := c.get(owner, job)
	return row, ok && at.Sub(row.UpdatedAt).Abs() < cachedRowAge
}

// put caches a row, or removes it if the job has ended.
func (c *rowCache) put(row storedRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if row.Terminal() {
		delete(c.rows, key)
		return
	}
	if _, cached := c.rows[key]; c.rows == nil || !cached && len(c.rows) >= maxCachedRows {
		c.rows = map[[2]string]storedRow{} // Rows in use are soon cached again.
	}
	c.rows[key] = row
}
