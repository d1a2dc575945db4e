package notify

import (
	"sync"

	"github.com/herald-progress/herald/lib/feed"
)

// maxCachedJobs is how many jobs a process remembers.
const maxCachedJobs = 1000

// pushCache remembers when this process last pushed each job. Other processes may have pushed since: only
// [Notifier.mayCoalesce] reads it, for its guess.
type pushCache struct {
	mu   sync.Mutex
	rows map[[2]string]feed.Row // by owner and job
}

// find returns the row that was stored last.
func (c *pushCache) find(owner, job string) (feed.Row, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows[[2]string{owner, job}]

	return row, ok
}

// store remembers a row.
func (c *pushCache) store(row feed.Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if _, cached := c.rows[key]; c.rows == nil || !cached && len(c.rows) >= maxCachedJobs {
		c.rows = map[[2]string]feed.Row{} // the jobs that are active are soon cached again
	}
	row.Parts, row.Keys = nil, nil // nobody reads them
	c.rows[key] = row
}
