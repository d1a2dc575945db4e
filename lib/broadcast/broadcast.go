// Package broadcast delivers one message to the open connections of a user.
package broadcast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// What a [Sender] may say of a failed post. Any other error is final.
var (
	// ErrGone says that the connection is closed, or not yet open.
	ErrGone = errors.New("broadcast: connection gone")
	// ErrThrottled says that too much was sent; it may be tried again.
	ErrThrottled = errors.New("broadcast: throttled")
	// ErrUnavailable says that the service or the network failed; it may be tried again.
	ErrUnavailable = errors.New("broadcast: service unavailable")
)

// What a delivery returns besides [*message.Invalid] and [*message.TooLarge].
var (
	// ErrStore says that the connections could not be read to their end.
	ErrStore = errors.New("broadcast: connection store failed")
	// ErrDelivery says that every post that was tried failed, and not because the connection is gone. Where all of
	// them were throttled the error is [ErrThrottled].
	ErrDelivery = errors.New("broadcast: failed to deliver message")
)

// Sender posts frames to connections. It does not retry, and may be used concurrently.
type Sender interface {
	Send(ctx context.Context, connectionID string, frame []byte) error
}

const (
	// InFlight is how many posts are under way at once. Lambda allows 1,024 descriptors.
	InFlight = 128
	// PostTimeout bounds one post: a dead peer may hang.
	PostTimeout = 3 * time.Second
	// Budget bounds a delivery, retries included, below the five seconds of a notify state.
	Budget = 4 * time.Second
	// reserve is left of a Lambda's own deadline for the report.
	reserve = 250 * time.Millisecond
	// settled is the age from which a 410 means gone: before, the connection's own $connect may still be running.
	settled = 30 * time.Second
)

// Report counts what became of a delivery: Connections is the sum of the others. Connections that the budget left no time
// to read are in none of them.
type Report struct {
	MessageID   string `json:"messageId"`
	Connections int    `json:"connections"`
	Delivered   int    `json:"delivered"`
	// Gone connections are closed.
	Gone int `json:"gone"`
	// Failed posts were tried, or could not be tried, within the budget.
	Failed int `json:"failed"`
	// Expired sessions are over and were not posted to.
	Expired int `json:"expired"`
}

// Broadcaster delivers messages without storing them.
type Broadcaster struct {
	Store  connection.Store
	Sender Sender
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// ToUser delivers data to every connection of the user, each seeing the same id and timestamp. No connection at all is
// a success. It returns when every post has ended, at the latest when the budget has: then the report is partial.
func (b *Broadcaster) ToUser(ctx context.Context, userID string, data message.Data) (Report, error) {
	return b.toAll(ctx, data, func(ctx context.Context) iter.Seq2[connection.Connection, error] {
		return b.Store.ByUser(ctx, userID)
	})
}

// ToConnections delivers data to connections that the caller has read, as ToUser does to those of a user.
func (b *Broadcaster) ToConnections(ctx context.Context, connections []connection.Connection, data message.Data) (Report, error) {
	return b.toAll(ctx, data, func(context.Context) iter.Seq2[connection.Connection, error] {
		return func(yield func(connection.Connection, error) bool) {
			for _, c := range connections {
				if !yield(c, nil) {
					return
				}
			}
		}
	})
}

// ToConnection delivers data to one connection. That it is gone is reported, and no error.
func (b *Broadcaster) ToConnection(ctx context.Context, connectionID string, data message.Data) (Report, error) {
	return b.toAll(ctx, data, func(ctx context.Context) iter.Seq2[connection.Connection, error] {
		return func(yield func(connection.Connection, error) bool) { yield(b.Store.Get(ctx, connectionID)) }
	})
}

// Deliver posts the frame that prepare returns to every connection of the user, as ToUser does. The connections are read
// while prepare runs, in the caller's goroutine and within the budget. A nil frame is posted to nobody, which is a success.
// The report has the id that prepare returns with it; prepare's error is returned as it is.
func (b *Broadcaster) Deliver(
	ctx context.Context, userID string, prepare func(context.Context) (frame []byte, id string, err error),
) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, b.budget(ctx))
	connections, stop := ahead(b.Store.ByUser(ctx, userID))
	defer stop()
	defer cancel() // before stop, which waits for the reading
	frame, id, err := prepare(ctx)
	if err != nil || frame == nil {
		return Report{MessageID: id}, err
	}

	return b.post(ctx, frame, id, connections)
}

// toAll delivers data to every connection that lookup yields.
func (b *Broadcaster) toAll(
	ctx context.Context, data message.Data, lookup func(context.Context) iter.Seq2[connection.Connection, error],
) (Report, error) {
	now := b.now()
	if err := data.Validate(); err != nil {
		return Report{}, err //nolint:wrapcheck // an *message.Invalid, as documented
	}
	id, err := NewID(now)
	if err != nil {
		return Report{}, err
	}
	frame, err := message.New(data, id, now).Encode()
	if err != nil {
		return Report{}, err //nolint:wrapcheck // an *message.TooLarge, as documented
	}
	ctx, cancel := context.WithTimeout(ctx, b.budget(ctx))
	defer cancel()

	return b.post(ctx, frame, id, lookup(ctx))
}

// post posts frame to each of the connections.
func (b *Broadcaster) post(
	ctx context.Context, frame []byte, id string, connections iter.Seq2[connection.Connection, error],
) (Report, error) {
	f := &fanOut{b: b, frame: frame, slots: make(chan struct{}, InFlight), report: Report{MessageID: id}}
	err := f.run(ctx, connections)

	return f.result(err)
}

// NewID returns the id of a message that is made at a time: a ULID, so that later ids sort after earlier ones
// (https://github.com/ulid/spec).
func NewID(at time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(at), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("message id: %w", err)
	}

	return id.String(), nil
}

func (b *Broadcaster) budget(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return Budget
	}

	return min(Budget, time.Until(deadline)-reserve)
}

func (b *Broadcaster) now() time.Time {
	if b.Now == nil {
		return time.Now()
	}

	return b.Now()
}

func (b *Broadcaster) log() *slog.Logger {
	if b.Log == nil {
		return slog.New(slog.DiscardHandler)
	}

	return b.Log
}
