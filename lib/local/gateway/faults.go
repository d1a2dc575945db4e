package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// tooManyRequests is the message of an injected 429. AWS documents the type of the error, not its text.
const tooManyRequests = "Too Many Requests"

// Faults is how posts to @connections go wrong. The zero value is a gateway without fault. GET and DELETE are spared, and
// so are posts to malformed ids, which are answered 400 as ever.
type Faults struct {
	// Gone is the share of posts, from 0 to 1, that are answered 410 GoneException unsent, whether or not the connection
	// is there. An open one stays open, and takes the next post: the answer is false, as after a network partition.
	Gone float64
	// Throttled is the share of posts, from 0 to 1, that are answered 429 LimitExceededException unsent. Gone and
	// Throttled are at most 1 together.
	Throttled float64
	// Latency is how long every post takes before anything else becomes of it.
	Latency time.Duration
	// Seed chooses which posts fail: with equal seeds and shares the nth post since the faults were set fares alike.
	Seed uint64
}

// Validate returns what is wrong with the faults: a share that is none, or a negative latency.
func (f Faults) Validate() error {
	for _, share := range []struct {
		name  string
		value float64
	}{{"gone", f.Gone}, {"throttled", f.Throttled}} {
		if !(share.value >= 0 && share.value <= 1) { // nor NaN
			return fmt.Errorf("%s must be from 0 to 1, not %v", share.name, share.value)
		}
	}

	switch {
	case f.Gone+f.Throttled > 1:
		return fmt.Errorf("gone and throttled must be at most 1 together, not %v", f.Gone+f.Throttled)
	case f.Latency < 0:
		return fmt.Errorf("latency must not be negative: %v", f.Latency)
	default:
		return nil
	}
}

// SetFaults has the posts from now on go wrong in this way, which must be valid. Posts that are waiting for their latency
// are not affected.
func (g *Gateway) SetFaults(f Faults) { g.faults.set(f) }

// injector decides the fate of posts, one after another.
type injector struct {
	mu     sync.Mutex
	faults Faults
	random *rand.Rand
}

func (i *injector) set(f Faults) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults, i.random = f, rand.New(rand.NewPCG(f.Seed, 0)) //nolint:gosec // to be foreseen is what it is for
}

// next returns how long the next post takes, and the status that it fails with, or 200.
func (i *injector) next() (time.Duration, int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch fate := i.random.Float64(); {
	case fate < i.faults.Gone:
		return i.faults.Latency, http.StatusGone
	case fate < i.faults.Gone+i.faults.Throttled:
		return i.faults.Latency, http.StatusTooManyRequests
	default:
		return i.faults.Latency, http.StatusOK
	}
}

// inject lets a post take its time. It reports true when the post has failed, and answers it.
func (g *Gateway) inject(ctx context.Context, w http.ResponseWriter) bool {
	latency, status := g.faults.next()
	g.wait(ctx, latency)
	switch status {
	case http.StatusGone:
		writeGone(w)
	case http.StatusTooManyRequests:
		writeError(w, status, "LimitExceededException", tooManyRequests)
	default:
		return false
	}

	return true
}

// wait returns after d, or earlier when the client has left or the gateway has closed.
func (g *Gateway) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-g.base.Done():
	}
}
