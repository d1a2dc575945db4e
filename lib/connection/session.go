package connection

import (
	"context"
	"iter"
	"time"
)

// EndedLookback is how far back [Sessions].EndedSessions looks. A run of the reaper may be missed, or may come before the
// index shows a connection.
const EndedLookback = 10 * time.Minute

// SessionEndedRecently reports whether the session of c ended at the given time, or at most [EndedLookback] before it.
func (c Connection) SessionEndedRecently(at time.Time) bool {
	end := c.SessionEnd()
	return !at.Before(end) && !end.Before(at.Add(-EndedLookback))
}

// Minute returns the number of whole minutes from the Unix epoch to a time.
func Minute(at time.Time) int64 { return at.Unix() / int64(time.Minute/time.Second) }

// Sessions prolongs, finds and ends the sessions of connections. Its methods may be called concurrently.
type Sessions interface {
	// Refresh sets the token expiry of a user's connection if the new one is later, and returns the stored connection. It
	// returns [ErrNotFound] if the connection is not stored or belongs to another user: a deleted connection is never stored
	// again. It does not change an evicted connection.
	Refresh(ctx context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error)
	// EndedSessions yields the connections whose sessions ended at the given time, or at most [EndedLookback] before it. It is
	// eventually consistent, as ByUser is, and stops after the first error.
	EndedSessions(ctx context.Context, at time.Time) iter.Seq2[Connection, error]
	// DeleteIfUnchanged deletes the stored connection of c and reports whether it did.
	//
	//   - It is stored unchanged: it is deleted. One of several concurrent calls returns true.
	//   - It is stored with another user, connect time or token expiry, or is not stored: false.
	//   - A response of the store was lost: two calls may return true, never none.
	//   - After an error it may have been deleted or not.
	DeleteIfUnchanged(ctx context.Context, c Connection) (bool, error)
	// Evict ends the session of a user's connection at a time because a newer connection replaces it. From then on
	// EndedSessions yields it and Refresh does not prolong it. A connection that is already evicted, or belongs to another
	// user, does not change. A connection that is not stored yet can no longer be stored: Put returns [ErrEvicted].
	Evict(ctx context.Context, id, userID string, at time.Time) error
}
