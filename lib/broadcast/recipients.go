package broadcast

import (
	"context"
	"iter"

	"github.com/herald-progress/herald/lib/connection"
)

// Recipients are the connections that one frame is posted to.
type Recipients struct {
	broadcaster *Broadcaster
	connections func(context.Context) iter.Seq2[connection.Connection, error]
}

// User returns every connection of a user. Post reads the connections from the store while it posts.
func (b *Broadcaster) User(userID string) Recipients {
	return Recipients{b, func(ctx context.Context) iter.Seq2[connection.Connection, error] {
		return b.Store.ByUser(ctx, userID)
	}}
}

// Connection returns a single connection.
func (b *Broadcaster) Connection(connectionID string) Recipients {
	return Recipients{b, func(ctx context.Context) iter.Seq2[connection.Connection, error] {
		return func(yield func(connection.Connection, error) bool) { yield(b.Store.Get(ctx, connectionID)) }
	}}
}

// Connections returns connections that the caller has read.
func (b *Broadcaster) Connections(read []connection.Connection) Recipients {
	return Recipients{b, func(context.Context) iter.Seq2[connection.Connection, error] {
		return func(yield func(connection.Connection, error) bool) {
			for _, c := range read {
				if !yield(c, nil) {
					return
				}
			}
		}
	}}
}

// Prefetch starts to read the connections now, in a goroutine, while the caller makes the frame. It returns recipients that can
// be posted to once. The caller must call stop after Post, or instead of it: stop ends the reading, and waits until the goroutine
// has returned.
func (r Recipients) Prefetch(ctx context.Context) (_ Recipients, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	q := newPrefetchQueue()
	ended := make(chan struct{}) // closed when the goroutine returns
	go func() {
		defer close(ended)
		defer q.end()
		for c, err := range r.connections(ctx) {
			if !q.put(result{c, err}) {
				return
			}
		}
	}()
	stop = func() {
		cancel()
		q.stop()
		<-ended
	}

	return Recipients{r.broadcaster, q.read}, stop
}

// Post posts a frame to each of the connections. It returns when every post has ended, at the latest when ctx has ended:
// then the report is partial. It succeeds if there is no connection. The caller bounds ctx with [WithBudget].
func (r Recipients) Post(ctx context.Context, frame Frame) (Report, error) {
	f := &fanOut{
		broadcaster: r.broadcaster, frame: frame.Body, next: make(chan connection.Connection), report: Report{MessageID: frame.ID},
	}
	err := f.run(ctx, r.connections(ctx))

	return f.result(err)
}
