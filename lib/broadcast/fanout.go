package broadcast

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/connection"
)

// firstBackoff is the jittered pause before the first retry; each further one is twice as long, which makes at most six
// tries within the budget. The post keeps its slot meanwhile: what is throttled slows the whole broadcast down.
const firstBackoff = 200 * time.Millisecond

// fanOut is one delivery under way.
type fanOut struct {
	b     *Broadcaster
	frame []byte
	slots chan struct{}
	posts sync.WaitGroup

	mu     sync.Mutex
	report Report
	// throttled and broken count the failed posts by their last answer. Those that the budget cut short have none.
	throttled, broken int
	// choked says that a post was throttled until there was no time left, and none has been delivered since its first try:
	// the rest is not tried, as it could only add to what chokes the service. One connection's own throttling is not that.
	choked bool
}

// run posts to each connection as it is read, and waits for the posts. It returns what ended the reading early, unless
// that is the budget's end while posts are under way: then the report is partial.
func (f *fanOut) run(ctx context.Context, connections iter.Seq2[connection.Connection, error]) error {
	defer f.posts.Wait()
	read := 0
	for c, err := range connections {
		switch {
		case errors.Is(err, connection.ErrNotFound):
			f.count(&f.report.Gone)
		case err != nil && ctx.Err() != nil && read > 0:
			f.b.log().WarnContext(ctx, "connections not read to their end", "err", err)

			return nil
		case err != nil:
			return err
		default:
			f.start(ctx, c)
		}
		read++
	}

	return nil
}

func (f *fanOut) start(ctx context.Context, c connection.Connection) {
	if !f.b.now().Before(c.End()) {
		f.count(&f.report.Expired)

		return
	}
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		f.count(&f.report.Failed)

		return
	}
	if f.skip() {
		<-f.slots

		return
	}
	f.posts.Go(func() {
		defer func() { <-f.slots }()
		f.post(ctx, c)
	})
}

// post sends the frame to one connection, again and again while that may help and there is time.
func (f *fanOut) post(ctx context.Context, c connection.Connection) {
	delivered := f.delivered()
	var answer error // of the last try that the budget did not cut short
	for backoff := firstBackoff; ; backoff *= 2 {
		err := f.send(ctx, c.ID)
		switch {
		case err == nil:
			f.deliver()

			return
		case errors.Is(err, ErrGone):
			f.prune(ctx, c)
			f.count(&f.report.Gone)

			return
		case ctx.Err() == nil:
			answer = err
		}
		if retryable(err) && sleep(ctx, backoff/2+rand.N(backoff/2)) { //nolint:gosec // jitter
			continue
		}
		f.b.log().WarnContext(ctx, "post failed", "connectionId", c.ID, "err", err)
		f.fail(answer, delivered)

		return
	}
}

func (f *fanOut) send(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, PostTimeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	return f.b.Sender.Send(ctx, id, f.frame) //nolint:wrapcheck // its errors are this package's
}

// prune deletes the row of a connection that is gone, once its $connect must have returned.
func (f *fanOut) prune(ctx context.Context, c connection.Connection) {
	if f.b.now().Sub(c.ConnectedAt) <= settled {
		return
	}
	if err := f.b.Store.Delete(ctx, c.ID); err != nil {
		f.b.log().WarnContext(ctx, "delete gone connection", "connectionId", c.ID, "err", err)

		return
	}
	f.b.log().InfoContext(ctx, "Connection removed", "code", "GONE", "connectionId", c.ID)
}

func (f *fanOut) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
	f.report.Connections++
}

func (f *fanOut) deliver() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.choked = false
	f.report.Delivered++
	f.report.Connections++
}

func (f *fanOut) delivered() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.report.Delivered
}

// skip reports whether a connection is not to be tried, and counts it as throttled then.
func (f *fanOut) skip() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.choked {
		f.throttled++
		f.report.Failed++
		f.report.Connections++
	}

	return f.choked
}

// fail counts a post that failed with answer; before is how many had been delivered at its first try.
func (f *fanOut) fail(answer error, before int) {
	f.mu.Lock()
	switch {
	case errors.Is(answer, ErrThrottled):
		f.throttled++
		f.choked = f.choked || f.report.Delivered == before
	case answer != nil:
		f.broken++
	}
	f.mu.Unlock()
	f.count(&f.report.Failed)
}

// result is called when every post has ended.
func (f *fanOut) result(lookupErr error) (Report, error) {
	r := f.report
	switch {
	case lookupErr != nil:
		return r, fmt.Errorf("%w: %w", ErrStore, lookupErr)
	case r.Failed == 0 || r.Delivered > 0:
		return r, nil
	case f.throttled > 0 && f.broken == 0:
		return r, ErrThrottled
	default:
		return r, ErrDelivery
	}
}

func retryable(err error) bool { return errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable) }

// sleep reports whether the pause fitted into what is left of the budget.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
