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

// firstBackoff is the longest pause before the first retry of a post. The longest pause doubles with each retry. The real pause is
// random, from half of the longest pause to all of it, so a post is tried at most six times within the budget. A post keeps its slot
// during its pauses. Therefore a throttled broadcast sends fewer requests.
const firstBackoff = 200 * time.Millisecond

// fanOut is one broadcast in progress.
//
// Workers post to the connections. A connection goes to a worker that waits for one, or to a new worker, or else waits for a
// worker. A goroutine for each post would cost more, because the stack of each new goroutine has to grow.
type fanOut struct {
	broadcaster *Broadcaster
	frame       []byte
	next        chan connection.Connection // the next connection, for a worker that waits for it
	workers     int                        // at most InFlight; used only by the goroutine that reads the connections
	running     sync.WaitGroup             // the workers

	deadlines deadlines

	mu     sync.Mutex
	report Report
	// throttled counts the failed posts whose last error is [ErrThrottled], and refused those with another error. A post that
	// had no error before the budget ended counts in neither.
	throttled, refused int
	// throttledOut is set when a post was throttled to its last try, and no post was delivered since its first try. The remaining
	// connections are then skipped, because API Gateway would throttle their posts, too. It is not set if only a few connections
	// are throttled while posts to others are delivered.
	throttledOut bool
}

// run posts to each connection as it is read, and waits for the posts. It returns the error that ended the reading. If the
// budget ended the reading after the first connection, run returns nil, and the report is partial.
func (f *fanOut) run(ctx context.Context, connections iter.Seq2[connection.Connection, error]) error {
	defer f.deadlines.release()
	defer f.running.Wait()
	defer close(f.next)
	read := 0 // how many connections were read
	for c, err := range connections {
		switch {
		case errors.Is(err, connection.ErrNotFound): // a single connection that is not stored
			f.count(&f.report.Gone)
		case err != nil && ctx.Err() != nil && read > 0: // the budget ended the reading
			f.broadcaster.log().WarnContext(ctx, "not all connections read", "err", err)

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

// start gives a connection to a worker, and waits for one if InFlight posts are in flight. It starts no post, but counts the
// connection, if its session has ended, or if ctx ends first.
func (f *fanOut) start(ctx context.Context, c connection.Connection) {
	if sessionEnded := !f.broadcaster.now().Before(c.SessionEnd()); sessionEnded {
		f.count(&f.report.Expired)

		return
	}
	select {
	case f.next <- c:
		return
	default: // no worker waits
	}
	if f.workers < InFlight {
		f.workers++
		f.running.Go(func() { f.work(ctx, c) })

		return
	}
	select {
	case f.next <- c:
	case <-ctx.Done():
		f.count(&f.report.Failed)
	}
}

// work posts to a first connection, and then to the next ones until there are no more. It skips connections while the broadcast is
// throttled out.
func (f *fanOut) work(ctx context.Context, c connection.Connection) {
	for more := true; more; c, more = <-f.next {
		if !f.skipThrottledOut() {
			f.post(ctx, c)
		}
	}
}

// post posts the frame to one connection, with retries while they may help and the budget lasts.
func (f *fanOut) post(ctx context.Context, c connection.Connection) {
	deliveredBefore := f.delivered()
	var lastErr error // the error of the last try that failed before the budget ended
	for retry := 0; ; retry++ {
		err := f.send(ctx, c.ID)
		switch {
		case err == nil:
			f.countDelivered()

			return
		case errors.Is(err, ErrGone):
			f.deleteGone(ctx, c)
			f.count(&f.report.Gone)

			return
		case ctx.Err() == nil:
			lastErr = err
		}
		if retryable(err) && sleep(ctx, RetryPause(retry, rand.Float64())) {
			continue
		}
		f.broadcaster.log().WarnContext(ctx, "post failed", "connectionId", c.ID, "err", err)
		f.countFailed(lastErr, deliveredBefore)

		return
	}
}

// send posts the frame once.
func (f *fanOut) send(ctx context.Context, id string) error {
	ctx = f.deadlines.with(ctx)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	return f.broadcaster.Sender.Send(ctx, id, f.frame)
}

// deleteGone deletes the row of a connection that is gone, unless its $connect may still be running.
func (f *fanOut) deleteGone(ctx context.Context, c connection.Connection) {
	if f.broadcaster.now().Sub(c.ConnectedAt) <= connectGrace {
		return
	}
	if err := f.broadcaster.Store.Delete(ctx, c.ID); err != nil {
		f.broadcaster.log().WarnContext(ctx, "delete gone connection", "connectionId", c.ID, "err", err)

		return
	}
	f.broadcaster.log().InfoContext(ctx, "Connection removed", "code", "GONE", "connectionId", c.ID)
}

// count adds one connection to a count of the report.
func (f *fanOut) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
	f.report.Connections++
}

func (f *fanOut) countDelivered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.throttledOut = false // API Gateway accepts posts again
	f.report.Delivered++
	f.report.Connections++
}

func (f *fanOut) delivered() int {
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.report.Delivered
}

// skipThrottledOut reports whether to skip a connection because the broadcast is throttled out. If so, it counts the connection
// as throttled.
func (f *fanOut) skipThrottledOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.throttledOut {
		f.throttled++
		f.report.Failed++
		f.report.Connections++
	}

	return f.throttledOut
}

// countFailed counts a failed post. err is its last error before the budget ended, or nil. deliveredBefore is how many posts of
// the broadcast were delivered before its first try.
func (f *fanOut) countFailed(err error, deliveredBefore int) {
	f.mu.Lock()
	switch {
	case errors.Is(err, ErrThrottled):
		f.throttled++
		// No post was delivered since the first try of this one.
		f.throttledOut = f.throttledOut || f.report.Delivered == deliveredBefore
	case err != nil:
		f.refused++
	}
	f.mu.Unlock() // count locks it again
	f.count(&f.report.Failed)
}

// result returns the report and its error. It is called when every post has ended.
func (f *fanOut) result(readErr error) (Report, error) {
	r := f.report
	switch {
	case readErr != nil:
		return r, fmt.Errorf("%w: %w", ErrStore, readErr)
	case r.Failed == 0 || r.Delivered > 0:
		return r, nil
	case f.throttled > 0 && f.refused == 0:
		return r, ErrThrottled
	default:
		return r, ErrDelivery
	}
}

// RetryPause returns the pause before a retry of a post. The first retry is 0. fraction, from 0 to 1, is random: the pause is from half of
// the longest pause to all of it, so that posts that were throttled together are retried at different times.
func RetryPause(retry int, fraction float64) time.Duration {
	longest := firstBackoff << retry
	return longest/2 + time.Duration(fraction*float64(longest/2))
}

func retryable(err error) bool { return errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable) }

// sleep waits for d and returns true. It returns false if ctx ends first; it does not wait at all if the deadline of ctx comes
// before the end of d.
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
