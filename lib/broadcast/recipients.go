package broadcast

import (
	"context"
	"iter"

	"github.com/herald-progress/herald/lib/connection"
)

// prefetched is how many connections Prefetch reads before the caller posts a frame: as many as one broadcast posts to at once.
const prefetched = InFlight

// Recipients are the connections that one frame is posted to.
type Recipients struct {
	broadcaster *Broadcaster
	connections func(context.Context) iter.Seq2[connection.Connection, error]
}

// User returns every connection of a user. They are read while they are posted to.
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

// Prefetch starts to read the connections now, while the caller makes the frame. It returns recipients for one Post. The
// caller must call stop after it: stop ends the reading, and returns when it has ended.
func (r Recipients) Prefetch(ctx context.Context) (_ Recipients, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	results, stopped, ended := make(chan result, prefetched), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(results)
		for c, err := range r.connections(ctx) {
			select {
			case results <- result{c, err}:
			case <-stopped:
				return
			}
		}
	}()
	read := func(context.Context) iter.Seq2[connection.Connection, error] {
		return func(yield func(connection.Connection, error) bool) {
			for result := range results {
				if !yield(result.connection, result.err) {
					return
				}
			}
		}
	}
	stop = func() {
		cancel()
		close(stopped)
		<-ended
	}

	return Recipients{r.broadcaster, read}, stop
}

// result is one connection that was read, or the error that ended the reading.
type result struct {
	connection connection.Connection
	err        error
}

// Post posts a frame to each of the connections. It returns when every post has ended, at the latest when ctx has ended:
// then the report is partial. No connection at all is a success. The caller bounds ctx with [WithBudget].
func (r Recipients) Post(ctx context.Context, frame Frame) (Report, error) {
	f := &fanOut{
		broadcaster: r.broadcaster, frame: frame.Body, slots: make(chan struct{}, InFlight), report: Report{MessageID: frame.ID},
	}
	err := f.run(ctx, r.connections(ctx))

	return f.result(err)
}
