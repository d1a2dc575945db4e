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
	// maxConcurrentPosts is how many frames of one response are posted at once.
	maxConcurrentPosts = 32
	// postTries is how often a post is tried while it is throttled.
	postTries = 4
	// firstBackoff is the jittered pause before the second try. It doubles for each further try.
	firstBackoff = 100 * time.Millisecond
)

// responder posts the frames that answer one message.
type responder struct {
	gateway    Gateway
	now        func() time.Time
	connection connection.Connection
	// request is the message's field "request", which the answer repeats. Empty means none.
	request string
	// trace is the id of the trace that the message belongs to. Empty means none.
	trace string
	// loaded means that connection was read from the store. Then the end of its session is known, and nothing is posted after it.
	loaded bool
	// charged means that the answer needs no further charge: it was charged to the user's budget, or the request for that failed.
	charged bool
	// evicted are the ids of the user's connections that $connect has evicted, and that must still be closed.
	evicted []string
}

func (resp *responder) sessionEnded() bool {
	return resp.loaded && !resp.now().Before(resp.connection.SessionEnd())
}

// send posts one control frame or error.
func (resp *responder) send(ctx context.Context, data message.Data) error {
	return resp.post(ctx, resp.frame(data))
}

// frame returns the frame of a control frame or error, with the trace of the message that it answers. The states and notes of a sync have
// no trace: they belong to other requests.
func (resp *responder) frame(data message.Data) message.Envelope {
	e := message.New(data, "", resp.now())
	e.Trace = resp.trace

	return e
}

// sendError posts an error frame, with the request of the message if there is one.
func (resp *responder) sendError(ctx context.Context, code, text string) error {
	answer := message.Error{Code: code, Message: text}
	if resp.request != "" {
		return resp.send(ctx, message.RequestError{Error: answer, Request: resp.request})
	}
	return resp.send(ctx, answer)
}

// post posts one frame.
func (resp *responder) post(ctx context.Context, e message.Envelope) error {
	frame, err := e.Encode()
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return resp.postEncoded(ctx, frame)
}

// postEncoded posts the JSON of a frame. After the session's end it returns errSessionEnded.
func (resp *responder) postEncoded(ctx context.Context, frame []byte) error {
	err := retryThrottled(ctx, func(ctx context.Context) error {
		if resp.sessionEnded() {
			return errSessionEnded
		}
		return resp.gateway.Send(ctx, resp.connection.ID, frame)
	})
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}

	return nil
}

// postBatch posts the frames of one post.
func (resp *responder) postBatch(ctx context.Context, p syncPost) error {
	frame, err := p.Encode(resp.now())
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return resp.postEncoded(ctx, frame)
}

// sendLast posts the end of the answer to a sync: the frames of last, and synced.
func (resp *responder) sendLast(ctx context.Context, last syncPost, synced message.Synced) error {
	frame, err := resp.frame(synced).Encode()
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	last.add(frame, false)
	return resp.postBatch(ctx, last)
}

// postSync posts what comes before synced, until a deadline: with firstAlone, the first post ends before the others begin. It
// returns how many posts it started, counted from the first.
func (resp *responder) postSync(ctx context.Context, posts []syncPost, firstAlone bool, until time.Time) (int, error) {
	first := 0
	if firstAlone && len(posts) > 0 {
		if err := resp.postBatch(ctx, posts[0]); err != nil {
			return 0, err
		}
		first = 1
	}
	n, err := resp.postAll(ctx, posts[first:], until)
	return first + n, err
}

// postAll posts concurrently until a deadline, and stops at the first error. It returns how many posts it started, counted from
// the first.
func (resp *responder) postAll(ctx context.Context, all []syncPost, until time.Time) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, maxConcurrentPosts)
	var posts sync.WaitGroup
	n := 0
	for ; n < len(all) && resp.now().Before(until); n++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		p := all[n]
		posts.Go(func() {
			defer func() { <-slots }()
			if err := resp.postBatch(ctx, p); err != nil {
				cancel(err)
			}
		})
	}
	posts.Wait()
	return n, context.Cause(ctx)
}

// retryThrottled calls try with a timeout of [broadcast.PostTimeout]. While try is throttled, it calls try again, up to postTries
// times in all.
func retryThrottled(ctx context.Context, try func(context.Context) error) error {
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
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		case <-ctx.Done():
			return err
		}
	}
}

// internalError wraps an error that the browser sees only as CodeInternal.
func internalError(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", errInternal, what, err)
}
