package dynamo

import (
	"sync"
	"time"
)

const (
	// maxCachedRows is the capacity of the cache, in rows.
	maxCachedRows = 256
	// cachedRowAge is how long Apply uses a cached row instead of reading the row. A worker writes the row of its job several
	// times a second, and mostly nobody else does. If another process has changed the row, the write fails and is repeated.
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
	_, cached := c.rows[key]
	if full := len(c.rows) >= maxCachedRows && !cached; full || c.rows == nil {
		c.rows = map[[2]string]storedRow{} // Rows that are in use are soon cached again.
	}
	c.rows[key] = row
}
