package broadcast

import (
	"context"
	"iter"
	"sync"

	"github.com/herald-progress/herald/lib/connection"
)

const (
	// prefetchLimit is how many connections Prefetch reads before the caller posts a frame: as many as one broadcast posts to at
	// once.
	prefetchLimit = InFlight
	// prefetchRoom is how many connections a queue has room for at first. Few users have more.
	prefetchRoom = 8
)

// result is one connection that was read, or the error that ended the reading.
type result struct {
	connection connection.Connection
	err        error
}

// prefetchQueue passes results from the goroutine that reads connections to the one that posts. It grows to prefetchLimit results.
type prefetchQueue struct {
	mu      sync.Mutex
	changed sync.Cond // a field below
	results []result
	ended   bool // no result follows
	stopped bool // no result is wanted
}

func newPrefetchQueue() *prefetchQueue {
	q := &prefetchQueue{results: make([]result, 0, prefetchRoom)}
	q.changed.L = &q.mu

	return q
}

// put adds a result, and waits while the queue is full. It returns false if the queue is stopped.
func (q *prefetchQueue) put(r result) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.results) >= prefetchLimit && !q.stopped {
		q.changed.Wait()
	}
	if q.stopped {
		return false
	}
	q.results = append(q.results, r)
	q.changed.Signal() // one goroutine puts and one takes, and only one of them can wait

	return true
}

// take returns all results in the queue, and waits while there is none. It returns none when no result follows. The queue uses the
// memory of taken, the results of the last call.
func (q *prefetchQueue) take(taken []result) []result {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.results) == 0 && !q.ended {
		q.changed.Wait()
	}
	results := q.results
	q.results = taken[:0]
	q.changed.Signal()

	return results
}

// end marks that no result follows.
func (q *prefetchQueue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.changed.Signal()
}

// stop ends the wait of put.
func (q *prefetchQueue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.changed.Signal()
}

// read returns the connections of Recipients: those in the queue, until no result follows.
func (q *prefetchQueue) read(context.Context) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for results := q.take(nil); len(results) > 0; results = q.take(results) {
			for _, r := range results {
				if !yield(r.connection, r.err) {
					return
				}
			}
		}
	}
}
