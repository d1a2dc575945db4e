package notify

import (
	"sync"

	"github.com/herald-progress/herald/lib/feed"
)

// maxCachedJobs is how many jobs a rowCache holds.
const maxCachedJobs = 1000

// rowCache caches the newest row that this process has seen of each job, which contains the time of the job's last push. Other
// processes may have pushed since, so only [Notifier.mayCoalesce] uses the cache, for its guess.
type rowCache struct {
	mu   sync.Mutex
	rows map[[2]string]feed.Row // by owner and job
}

// find returns the cached row of a job.
func (c *rowCache) find(owner, job string) (feed.Row, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row, ok := c.rows[[2]string{owner, job}]

	return row, ok
}

// store caches a row. It first empties a full cache.
func (c *rowCache) store(row feed.Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{row.Owner, row.State.UploadID}
	if _, cached := c.rows[key]; c.rows == nil || !cached && len(c.rows) >= maxCachedJobs {
		c.rows = map[[2]string]feed.Row{} // the next state of each active job caches its row again
	}
	row.Parts, row.Keys = nil, nil // these may be large, and mayCoalesce does not need them
	c.rows[key] = row
}
