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
	// maxStale is the age from which keys are not used, even if the server returns no newer keys.
	maxStale = 24 * time.Hour
	// retryInterval is the minimum time between the starts of two fetches while there are no usable keys.
	retryInterval = time.Second
	// newestTime is how long a value counts as the newest value of the server, from the start of its fetch. A key that the server
	// gets after that start cannot sign a token that arrives within this time.
	newestTime = time.Second
)

// errNoKeys is the error of a fetch that found no keys to trust. The cache then drops earlier keys.
var errNoKeys = errors.New("there are no such keys")

// refreshPolicy configures when a cache fetches.
type refreshPolicy struct {
	// maxAge is the age at which the value is fetched again.
	maxAge time.Duration
	// maxWait is how long callers wait for the fetch of a stale value, from its start, before they use the stale value. If it is
	// zero, they do not wait, and the fetch runs in the background.
	maxWait time.Duration
	// minInterval is the minimum time between the starts of two fetches of a stale value, and between two fetches that getNewer
	// causes. Without it, each token with an unknown key would cause a fetch.
	minInterval time.Duration
}

// cache caches a value of a key server. It fetches only when it is used, because a Lambda does not run between events. One
// fetch runs at a time, in its own goroutine: a canceled caller does not cancel it, and callers with a fresh value do not wait.
// Its methods may be called concurrently.
//
// Times are compared by wall clock, because the monotonic clock may stop while a Lambda is frozen.
type cache[T any] struct {
	fetch func(ctx context.Context) (T, error)
	now   func() time.Time
	refreshPolicy

	mu               sync.Mutex
	value            T
	generation       int           // the number of values so far, which identifies the current one
	valueFetchedAt   time.Time     // when the fetch of value began
	fetchStartedAt   time.Time     // when the newest fetch began
	newerRequestedAt time.Time     // when getNewer last caused a fetch
	fetchDone        chan struct{} // closed when the newest fetch ends; nil if it has ended
	fetchErr         error         // the error of the newest fetch, once it has ended
}

// Methods whose names end in Locked must be called with mu locked. They call now().Round(0), which removes the monotonic clock.

// get returns the value and its generation. If there is no usable value, it waits for a fetch. If the value is stale, it waits for a
// fetch at most maxWait. The error wraps [ErrUnavailable].
func (c *cache[T]) get(ctx context.Context) (T, int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch age := c.ageLocked(); {
	case age < c.maxAge:
		return c.value, c.generation, nil
	case c.usableLocked():
		done := c.startLocked(ctx, c.minInterval)
		c.waitLocked(ctx, done, c.fetchStartedAt.Add(c.maxWait).Sub(c.now().Round(0)))
	default:
		c.waitLocked(ctx, c.startLocked(ctx, retryInterval), fetchTimeout)
	}
	if !c.usableLocked() {
		var none T
		return none, 0, c.errLocked(ctx)
	}

	return c.value, c.generation, nil
}

// getNewer returns a value for a caller that did not find its key in the value whose generation is missedGeneration:
//
//	the current value is newer than that one  the current value
//	minInterval has passed                    the value of a new fetch
//	it is too early, and a fetch is running   the value of the running fetch
//	it is too early                           the current value
//
// newest reports whether the returned value is the newest of the server. If it is not, the server may have keys that are not in the
// value. The error wraps [ErrUnavailable]. It means that the fetch failed or has not ended, so there may be a newer value.
func (c *cache[T]) getNewer(ctx context.Context, missedGeneration int) (value T, newest bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now().Round(0)
	if c.generation == missedGeneration && !within(now.Sub(c.newerRequestedAt), c.minInterval) {
		c.newerRequestedAt = now
		c.waitLocked(ctx, c.startLocked(ctx, 0), fetchTimeout)
	} else if c.generation == missedGeneration {
		c.waitLocked(ctx, c.fetchDoneLocked(), fetchTimeout)
	}
	// The fetch failed, or has not ended.
	noAnswer := c.generation == missedGeneration && (c.fetchErr != nil || c.fetchDone != nil)
	if noAnswer || !c.usableLocked() {
		return value, false, c.errLocked(ctx)
	}

	return c.value, now.Sub(c.valueFetchedAt) < newestTime, nil
}

// ageLocked returns the age of the value. It returns maxStale if there is no value, or if the clock was set back by more than
// the leeway, so that the age is unknown.
func (c *cache[T]) ageLocked() time.Duration {
	age := c.now().Round(0).Sub(c.valueFetchedAt)
	switch {
	case c.valueFetchedAt.IsZero() || age < -leeway:
		return maxStale
	default:
		return max(age, 0)
	}
}

// usableLocked reports whether there is a value that is younger than maxStale.
func (c *cache[T]) usableLocked() bool { return c.ageLocked() < maxStale }

// startLocked returns the done channel of the running fetch. If no fetch is running, it starts one and returns its done channel, but
// it returns nil if the newest fetch started less than minInterval ago.
func (c *cache[T]) startLocked(ctx context.Context, minInterval time.Duration) <-chan struct{} {
	if running := c.fetchDoneLocked(); running != nil {
		return running
	}
	now := c.now().Round(0)
	if !c.fetchStartedAt.IsZero() && within(now.Sub(c.fetchStartedAt), minInterval) {
		return nil
	}
	done := make(chan struct{})
	c.fetchStartedAt, c.fetchDone = now, done
	go c.runFetch(context.WithoutCancel(ctx), now, done) // other callers may wait for the fetch, too
	return done
}

// fetchDoneLocked returns the done channel of the running fetch, or nil. It ignores a fetch that is past its timeout: such a fetch was
// frozen with its Lambda.
func (c *cache[T]) fetchDoneLocked() <-chan struct{} {
	if c.fetchDone == nil || !within(c.now().Round(0).Sub(c.fetchStartedAt), fetchTimeout) {
		return nil
	}
	return c.fetchDone
}

// runFetch fetches once. A fetch that was frozen may end after a later fetch has started. Then its error is ignored, and its value is
// used only if the cache has no value of a later fetch.
func (c *cache[T]) runFetch(ctx context.Context, startedAt time.Time, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	value, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(done)
	newest := c.fetchDone == done
	if newest {
		c.fetchDone, c.fetchErr = nil, err
	}
	switch {
	case err == nil && (newest || startedAt.After(c.valueFetchedAt)):
		c.value, c.valueFetchedAt = value, startedAt
		c.generation++
	case newest && errors.Is(err, errNoKeys): // drop the value
		var none T
		c.value, c.valueFetchedAt = none, time.Time{}
		c.generation++
	}
}

// waitLocked unlocks the cache while it waits for done, for limit at most, or until ctx ends. It returns at once if done is nil, limit
// is not positive or ctx has ended.
func (c *cache[T]) waitLocked(ctx context.Context, done <-chan struct{}, limit time.Duration) {
	if done == nil || limit <= 0 || ctx.Err() != nil {
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

// errLocked returns the reason why there is no newer value, which wraps [ErrUnavailable].
func (c *cache[T]) errLocked(ctx context.Context) error {
	switch {
	case c.fetchDone == nil && c.fetchErr != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, c.fetchErr)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	default:
		return fmt.Errorf("%w: no answer yet", ErrUnavailable)
	}
}

// within reports whether d is at least 0 and less than limit.
func within(d, limit time.Duration) bool { return d >= 0 && d < limit }
