package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// fetchTimeout bounds one fetch of keys, and how long a token waits for it.
	fetchTimeout = 5 * time.Second
	// maxStale is the age at which keys are not used any more, although their server gives no newer ones.
	maxStale = 24 * time.Hour
	// retryPause is the least time between the starts of two fetches while there are no keys to use.
	retryPause = time.Second
)

// errGone is the error of a fetch whose server says that there are no keys to trust. Those of earlier fetches are dropped.
var errGone = errors.New("there are no such keys")

// freshness says when a cache fetches.
type freshness struct {
	// age is the age at which the value is fetched again.
	age time.Duration
	// grace is how long callers wait for that fetch after its begin, before they use the value that they have.
	grace time.Duration
	// pause is the least time between the starts of two such fetches, and between two of those that newer causes: strangers
	// must not cause one with each request.
	pause time.Duration
}

// cache holds the newest answer of a key server. It fetches only when it is used: a Lambda between two events does not
// run. One fetch runs at a time, in a goroutine of its own, so that a caller who gives up spoils it for nobody, and who
// needs nothing new waits for nobody. A cache may be used concurrently.
//
// Times are compared without their monotonic part, which may stand still while a Lambda is frozen.
type cache[T any] struct {
	fetch func(ctx context.Context) (T, error)
	now   func() time.Time
	freshness

	mu         sync.Mutex
	value      T
	generation int           // counts the values
	fetched    time.Time     // when the fetch of value began
	tried      time.Time     // when the newest fetch began
	asked      time.Time     // when newer last caused one
	running    chan struct{} // closed when that fetch ends; nil if it has ended
	failure    error         // of that fetch, once it has ended
}

// get returns the value, and its generation. It waits for a fetch if there is no value that may be used, and
// within the grace if the value is older than the age. The error wraps [ErrUnavailable].
func (c *cache[T]) get(ctx context.Context) (T, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch age := c.ageLocked(); {
	case age < c.age:
		return c.value, c.generation, nil
	case c.usableLocked():
		done := c.startLocked(ctx, c.pause)
		c.waitLocked(ctx, done, c.tried.Add(c.grace).Sub(c.now().Round(0)))
	default:
		c.waitLocked(ctx, c.startLocked(ctx, retryPause), fetchTimeout)
	}
	if !c.usableLocked() {
		var none T

		return none, 0, c.whyLocked(ctx)
	}

	return c.value, c.generation, nil
}

// newer returns a value of a later generation, if there is one or one may be fetched now. Otherwise it returns what there
// is. The error wraps [ErrUnavailable]: it says that nobody knows whether there is a newer value.
func (c *cache[T]) newer(ctx context.Context, than int) (T, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now().Round(0); c.generation == than && !within(now.Sub(c.asked), c.pause) {
		c.asked = now
		c.waitLocked(ctx, c.startLocked(ctx, 0), fetchTimeout)
	} else if c.generation == than {
		c.waitLocked(ctx, c.runningLocked(), fetchTimeout)
	}
	unanswered := c.generation == than && (c.failure != nil || c.running != nil)
	if unanswered || !c.usableLocked() {
		var none T

		return none, 0, c.whyLocked(ctx)
	}

	return c.value, c.generation, nil
}

// ageLocked returns the age of the value, and maxStale if there is none, or if the clock was set back by more than the
// leeway, so that nobody knows the age.
func (c *cache[T]) ageLocked() time.Duration {
	age := c.now().Round(0).Sub(c.fetched)
	switch {
	case c.fetched.IsZero() || age < -leeway:
		return maxStale
	default:
		return max(age, 0)
	}
}

func (c *cache[T]) usableLocked() bool { return c.ageLocked() < maxStale }

// startLocked returns the end of the fetch that runs, or of one that it starts, or nil if the newest began less than pause
// ago.
func (c *cache[T]) startLocked(ctx context.Context, pause time.Duration) <-chan struct{} {
	if running := c.runningLocked(); running != nil {
		return running
	}
	now := c.now().Round(0)
	if !c.tried.IsZero() && within(now.Sub(c.tried), pause) {
		return nil
	}
	done := make(chan struct{})
	c.tried, c.running = now, done
	go c.run(context.WithoutCancel(ctx), now, done)

	return done
}

// runningLocked returns the end of the fetch that runs, or nil. One that should have ended was frozen with its Lambda.
func (c *cache[T]) runningLocked() <-chan struct{} {
	if c.running == nil || !within(c.now().Round(0).Sub(c.tried), fetchTimeout) {
		return nil
	}

	return c.running
}

// run fetches once. One that was frozen may end after a later one has begun: then its failure says nothing of now.
func (c *cache[T]) run(ctx context.Context, began time.Time, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	value, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(done)
	newest := c.running == done
	if newest {
		c.running, c.failure = nil, err
	}
	switch {
	case err == nil && (newest || began.After(c.fetched)):
		c.value, c.fetched = value, began
		c.generation++
	case newest && errors.Is(err, errGone):
		var none T
		c.value, c.fetched = none, time.Time{}
		c.generation++
	}
}

// waitLocked unlocks the cache while it waits for done, no longer than limit or ctx. It returns at once if done is nil, or
// ctx has ended.
func (c *cache[T]) waitLocked(ctx context.Context, done <-chan struct{}, limit time.Duration) {
	if done == nil || ctx.Err() != nil {
		return
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// whyLocked returns why there is no newer value.
func (c *cache[T]) whyLocked(ctx context.Context) error {
	switch {
	case c.running == nil && c.failure != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, c.failure)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	default:
		return fmt.Errorf("%w: no answer yet", ErrUnavailable)
	}
}

// within reports whether d is at least 0 and less than limit.
func within(d, limit time.Duration) bool { return d >= 0 && d < limit }
