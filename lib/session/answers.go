package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// postsInFlight is how many answers to one message are under way at once.
	postsInFlight = 32
	// postTries is how often a throttled post is tried.
	postTries = 4
	// firstBackoff is the jittered pause before the second try; each further one is twice as long.
	firstBackoff = 100 * time.Millisecond
)

// answers posts the frames that answer one message.
type answers struct {
	gateway Gateway
	now     func() time.Time
	row     connection.Connection
	// bound says that row has been read: nothing is posted after its session's end.
	bound bool
	// counted says that an answer has been counted.
	counted bool
	// evicted are connections of the user that are to be closed.
	evicted []string
}

func (a *answers) over() bool { return a.bound && !a.now().Before(a.row.End()) }

// say posts one control frame or error.
func (a *answers) say(ctx context.Context, data message.Data) error {
	return a.post(ctx, message.New(data, "", a.now()))
}

// refuse posts an error frame.
func (a *answers) refuse(ctx context.Context, code, text string) error {
	return a.say(ctx, message.Error{Code: code, Message: text})
}

// post posts one frame. Its error is errOver after the session's end.
func (a *answers) post(ctx context.Context, e message.Envelope) error {
	frame, err := e.Encode()
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	err = bounded(ctx, func(ctx context.Context) error {
		if a.over() {
			return errOver
		}

		return a.gateway.Send(ctx, a.row.ID, frame)
	})
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}

	return nil
}

// all posts frames side by side, and returns how many of them, from the first on, have been posted until there was no more
// time. The first failure ends it.
func (a *answers) all(ctx context.Context, frames []message.Envelope, until time.Time) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, postsInFlight)
	var posts sync.WaitGroup
	n := 0
	for ; n < len(frames) && a.now().Before(until); n++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		e := frames[n]
		posts.Go(func() {
			defer func() { <-slots }()
			if err := a.post(ctx, e); err != nil {
				cancel(err)
			}
		})
	}
	posts.Wait()

	return n, context.Cause(ctx) //nolint:wrapcheck // an error of post, or the caller's own end
}

// bounded gives each try [broadcast.PostTimeout], and tries again while it is throttled.
func bounded(ctx context.Context, try func(context.Context) error) error {
	for n, backoff := 1, firstBackoff; ; n, backoff = n+1, 2*backoff {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, broadcast.PostTimeout)
			defer cancel()

			return try(ctx)
		}()
		if n == postTries || !errors.Is(err, broadcast.ErrThrottled) {
			return err
		}
		select {
		case <-time.After(backoff/2 + rand.N(backoff/2)): //nolint:gosec // jitter
		case <-ctx.Done():
			return err
		}
	}
}

// internal marks what the browser is only told to have failed.
func internal(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", errInternal, what, err)
}
