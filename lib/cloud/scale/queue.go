package scale

import "time"

// kind says what an event is.
type kind uint8

const (
	attempt      kind = iota // a tab opens a connection
	connected                // its handshake is complete
	syncArrives              // a sync of a tab reaches the gateway
	syncAnswered             // the answer to a sync reaches the tab
	syncTimer                // a sync of a tab is due, or has timed out
	idleTimer                // a tab may have to ping, or to sync because a job is silent or nothing came for long
	sessionEnds              // a tab's session reaches its maximum
	closed                   // the reaper closes a tab
	publish                  // a job publishes a state
	retryPost                // a post is tried again
	retryState               // a workflow invokes the notifier again
	functionEnds             // an invocation ends
	outageBegins
	outageEnds
)

// event is something that happens to a tab, a job or a post.
type event struct {
	at time.Duration
	// order is the order of events at the same time.
	order uint64
	kind  kind
	// of is the tab or the job, generation which connection of the tab is meant.
	of, generation int
	// since is when the state was published, try how often a post or a state was tried.
	since time.Duration
	try   int
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.order < other.order
}

// queue is a heap of events: the next one is the first.
type queue struct {
	heap  []event
	count uint64
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

func (q *queue) push(e event) {
	e.order = q.count
	q.count++
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&q.heap[parent]) {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = e
}

func (q *queue) pop() event {
	first := q.heap[0]
	last := q.heap[len(q.heap)-1]
	q.heap = q.heap[:len(q.heap)-1]
	if len(q.heap) == 0 {
		return first
	}
	i := 0
	for {
		least := -1
		for child := 4*i + 1; child <= 4*i+4 && child < len(q.heap); child++ {
			if least < 0 || q.heap[child].before(&q.heap[least]) {
				least = child
			}
		}
		if least < 0 || !q.heap[least].before(&last) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = last
	return first
}

// schedule adds an event.
func (w *world) schedule(at time.Duration, e event) {
	e.at = max(at, w.now)
	w.events.push(e)
}

// handle does what an event says.
func (w *world) handle(e event) {
	switch e.kind {
	case attempt:
		w.attempt(e)
	case connected:
		w.open(e)
	case syncArrives:
		w.syncArrives(e)
	case syncAnswered:
		w.syncAnswered(e)
	case syncTimer:
		w.runSyncTimer(e)
	case idleTimer:
		w.runIdleTimer(e)
	case sessionEnds:
		w.sessionEnds(e)
	case closed:
		w.close(e)
	case publish:
		w.publish(e)
	case retryPost:
		w.post(e)
	case retryState:
		w.invokeNotifier(e)
	case functionEnds:
		w.running--
	case outageBegins:
		w.beginOutage()
	case outageEnds: // clients find out by their next attempt
	}
}
