package connection

import (
	"context"
	"iter"
	"time"
)

// EndedWithin is how far back [Sessions].Ended looks: runs of the reaper may be missed, or find a row not yet indexed.
const EndedWithin = 10 * time.Minute

// EndedBy reports whether the session of c had ended at a time, within [EndedWithin] before it.
func (c Connection) EndedBy(at time.Time) bool {
	end := c.End()

	return !at.Before(end) && !end.Before(at.Add(-EndedWithin))
}

// Minute returns the minutes from the epoch to a time, as stores count them.
func Minute(at time.Time) int64 { return at.Unix() / int64(time.Minute/time.Second) }

// Sessions keeps when connections end. Its methods may be called concurrently.
type Sessions interface {
	// Refresh lets the connection of a user last until another token expires, if that is later, and returns its row. It
	// returns [ErrNotFound] where there is no row, or another user's: a deleted row is never made again.
	Refresh(ctx context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error)
	// Ended yields the connections whose sessions have ended at a time, within [EndedWithin] before it. It may lag behind by
	// some seconds; after an error it stops.
	Ended(ctx context.Context, at time.Time) iter.Seq2[Connection, error]
	// Claim deletes the row of c unless its session has changed, and reports whether it did: of several that claim one row,
	// one gets true. Where an answer of the store was lost two may, rather than none.
	Claim(ctx context.Context, c Connection) (bool, error)
}

// Usage is what a connection has asked for.
type Usage struct {
	// Minute counts the requests of all actions in the current minute.
	Minute int
	// Action counts the requests of one action since the connection began.
	Action int
}

// Meter counts what connections ask for. It may be used concurrently, from many processes.
type Meter interface {
	// Count adds one request of an action at a time, and returns the counts with it.
	Count(ctx context.Context, id, action string, at time.Time) (Usage, error)
}
