// Package broadcast posts one frame to the open connections of a user.
package broadcast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

// The errors of a [Sender] that have a meaning here. Any other error is final.
var (
	// ErrGone means that the connection is closed, or that its $connect is still running.
	ErrGone = errors.New("broadcast: connection gone")
	// ErrThrottled means that too many requests were sent. The post may be retried.
	ErrThrottled = errors.New("broadcast: throttled")
	// ErrUnavailable means that the service or the network failed. The post may be retried.
	ErrUnavailable = errors.New("broadcast: service unavailable")
)

// The errors of a broadcast, in addition to [*message.Invalid] and [*message.TooLarge].
var (
	// ErrStore means that not all connections could be read.
	ErrStore = errors.New("broadcast: connection store failed")
	// ErrDelivery means that nothing was delivered, and that at least one post failed with an error other than [ErrGone]. If every
	// such post was throttled, the error of the broadcast is [ErrThrottled] instead.
	ErrDelivery = errors.New("broadcast: failed to deliver message")
)

// Sender posts frames to connections. It does not retry, and may be used concurrently.
type Sender interface {
	Send(ctx context.Context, connectionID string, frame []byte) error
}

const (
	// InFlight is how many posts of one broadcast are in flight at once. It is far below the 1,024 open files and sockets that
	// Lambda allows.
	InFlight = 128
	// PostTimeout bounds one post, because a post to a dead peer may hang.
	PostTimeout = 3 * time.Second
	// Budget bounds a broadcast with its retries. It is below the timeout of a workflow's notify state, five seconds.
	Budget = 4 * time.Second
	// reportReserve is the time between the end of a broadcast and the deadline of the Lambda, for the report.
	reportReserve = 250 * time.Millisecond
	// connectGrace is the age up to which a connection that gets status 410 is not deleted, because API Gateway also returns 410
	// while the connection's own $connect is still running.
	connectGrace = 30 * time.Second
)

// Report counts the connections of a broadcast by what happened to each. Connections that were not read within the budget
// are not counted.
type Report struct {
	MessageID string `json:"messageId"`
	// Connections is the sum of the other counts.
	Connections int `json:"connections"`
	Delivered   int `json:"delivered"`
	// Gone counts connections that are closed.
	Gone int `json:"gone"`
	// Failed counts posts that failed, or did not start within the budget.
	Failed int `json:"failed"`
	// Expired counts sessions that have ended. They are not posted to.
	Expired int `json:"expired"`
}

// Frame is a message as it is posted.
type Frame struct {
	// ID is the id of the message, a ULID.
	ID   string
	Body []byte
}

// Broadcaster posts messages without storing them.
type Broadcaster struct {
	Store  connection.Store
	Sender Sender
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// ToUser posts data to every connection of the user, with the same id and timestamp. It succeeds if the user has no connection.
// It returns when every post has ended, at the latest after [Budget]: then the report is partial.
func (b *Broadcaster) ToUser(ctx context.Context, userID string, data message.Data) (Report, error) {
	return b.post(ctx, b.User(userID), data)
}

// ToConnections posts data to connections that the caller has read. Its result is that of ToUser.
func (b *Broadcaster) ToConnections(ctx context.Context, read []connection.Connection, data message.Data) (Report, error) {
	return b.post(ctx, b.Connections(read), data)
}

// ToConnection posts data to one connection. If the connection is gone, the report counts it as gone, and the error is nil.
func (b *Broadcaster) ToConnection(ctx context.Context, connectionID string, data message.Data) (Report, error) {
	return b.post(ctx, b.Connection(connectionID), data)
}

// post validates and encodes data, and posts it within the budget.
func (b *Broadcaster) post(ctx context.Context, to Recipients, data message.Data) (Report, error) {
	if err := data.Validate(); err != nil {
		return Report{}, err
	}
	now := b.now()
	id, err := NewID(now)
	if err != nil {
		return Report{}, err
	}
	body, err := message.New(data, id, now).Encode()
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := WithBudget(ctx)
	defer cancel()

	return to.Post(ctx, Frame{ID: id, Body: body})
}

// NewID returns a new id for a message of a time: a ULID (https://github.com/ulid/spec). The ids of messages sort by the times of the
// messages, in milliseconds.
func NewID(at time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(at), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("message id: %w", err)
	}

	return id.String(), nil
}

// WithBudget returns a context that ends after [Budget], or earlier if ctx has a deadline: then it leaves the caller time to
// report before that deadline.
func WithBudget(ctx context.Context) (context.Context, context.CancelFunc) {
	budget := Budget
	if deadline, ok := ctx.Deadline(); ok {
		budget = min(budget, time.Until(deadline)-reportReserve)
	}

	return context.WithTimeout(ctx, budget)
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
