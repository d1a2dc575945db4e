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
	// returns [ErrNotFound] where there is no row, or another user's: a deleted row is never made again. An evicted row stays
	// as it is.
	Refresh(ctx context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error)
	// Ended yields the connections whose sessions have ended at a time, within [EndedWithin] before it. It may lag behind by
	// some seconds; after an error it stops.
	Ended(ctx context.Context, at time.Time) iter.Seq2[Connection, error]
	// DeleteIfUnchanged deletes the row of c and reports whether it did.
	//
	//   - The row is unchanged: it is deleted. Of several concurrent calls one returns true.
	//   - The row has another user, connect time or token expiry, or is gone: false.
	//   - An answer of the store was lost: two calls may return true, rather than none.
	//   - After an error the row may have been deleted or not.
	DeleteIfUnchanged(ctx context.Context, c Connection) (bool, error)
	// Evict ends the session of a user's connection at a time, because a newer connection takes its place: Ended yields it
	// from then on, and no refresh prolongs it. A connection that is evicted already, or is another user's, stays as it is. One
	// that has no row gets none any more: Put refuses it.
	Evict(ctx context.Context, id, userID string, at time.Time) error
}
