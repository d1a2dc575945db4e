package broadcast

import (
	"context"
	"sync"
	"time"
)

// deadlineSharing is how long tries of posts share a deadline. So the time of a try is from PostTimeout - deadlineSharing to
// PostTimeout. Within the budget there are at most 22 deadlines.
const deadlineSharing = 190 * time.Millisecond

// deadlines bounds each try of a post by [PostTimeout]. A context with a timer for each try would take a tenth of the try's
// processor time. So the tries that begin within [deadlineSharing] share one context.
type deadlines struct {
	mu       sync.Mutex
	newest   context.Context //nolint:containedctx // it is shared by calls of with
	sharedTo time.Time       // tries that begin later need a new context
	cancels  []context.CancelFunc
}

// with returns a context for a try that begins now. ctx must be the same in each call.
func (d *deadlines) with(ctx context.Context) context.Context {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.newest == nil || now.After(d.sharedTo) {
		var cancel context.CancelFunc
		d.newest, cancel = context.WithDeadline(ctx, now.Add(PostTimeout))
		d.sharedTo = now.Add(deadlineSharing)
		d.cancels = append(d.cancels, cancel)
	}

	return d.newest
}

// release releases the contexts, when every try has ended.
func (d *deadlines) release() {
	for _, cancel := range d.cancels {
		cancel()
	}
}
