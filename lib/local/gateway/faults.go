package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// tooManyRequests is the message of an injected 429. AWS documents the error type but not the message.
const tooManyRequests = "Too Many Requests"

// Faults are injected into posts to @connections. The zero value injects none. GET, DELETE and posts to invalid connection ids
// are not affected.
type Faults struct {
	// Gone is the share of posts, from 0 to 1, that return 410 GoneException and send nothing. An open connection stays open
	// and accepts the next post, as after a network partition.
	Gone float64
	// Throttled is the share of posts, from 0 to 1, that return 429 LimitExceededException and send nothing. The sum of Gone
	// and Throttled is at most 1.
	Throttled float64
	// Latency is the delay of every post, successful or not.
	Latency time.Duration
	// Seed is the seed of the random numbers that select the posts to fail. With the same seed and shares, the nth post after
	// SetFaults always has the same outcome.
	Seed uint64
}

// Validate returns an error if a share, the sum of the shares, or the latency is out of range.
func (f Faults) Validate() error {
	for _, share := range []struct {
		name  string
		value float64
	}{{"gone", f.Gone}, {"throttled", f.Throttled}} {
		if !(share.value >= 0 && share.value <= 1) { // This form rejects NaN, too.
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

// SetFaults replaces the faults. They must be valid. Posts that are already delayed are not affected.
func (g *Gateway) SetFaults(f Faults) { g.faults.set(f) }

// faultInjector selects the fault of each post. It is safe for concurrent use.
type faultInjector struct {
	mu     sync.Mutex
	faults Faults
	random *rand.Rand
}

func (i *faultInjector) set(f Faults) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults, i.random = f, rand.New(rand.NewPCG(f.Seed, 0))
}

// next returns the latency of the next post and the status of its error, or 200.
func (i *faultInjector) next() (time.Duration, int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch draw := i.random.Float64(); {
	case draw < i.faults.Gone:
		return i.faults.Latency, http.StatusGone
	case draw < i.faults.Gone+i.faults.Throttled:
		return i.faults.Latency, http.StatusTooManyRequests
	default:
		return i.faults.Latency, http.StatusOK
	}
}

// injectFault delays a post. If the post is to fail, it writes the error and returns true.
func (g *Gateway) injectFault(ctx context.Context, w http.ResponseWriter) bool {
	latency, status := g.faults.next()
	g.sleep(ctx, latency)
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

// sleep returns after d, or earlier if ctx is cancelled or the gateway is closed.
func (g *Gateway) sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-g.ctx.Done():
	}
}
