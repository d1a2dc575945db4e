package connection

import (
	"context"
	"iter"
	"time"
)

// EndedLookback is how long [Sessions].EndedSessions yields a session after its end. It is longer than the interval of the reaper,
// because a run of the reaper may be missed, or may come before the index shows the connection.
const EndedLookback = 10 * time.Minute

// SessionEndedRecently reports whether the session of c ended at the time at, or at most [EndedLookback] before it.
func (c Connection) SessionEndedRecently(at time.Time) bool {
	end := c.SessionEnd()
	return !at.Before(end) && !end.Before(at.Add(-EndedLookback))
}

// Minute returns the number of whole minutes from the Unix epoch to a time.
func Minute(at time.Time) int64 { return at.Unix() / int64(time.Minute/time.Second) }

// Sessions prolongs, finds and ends the sessions of connections. Its methods may be called concurrently.
type Sessions interface {
	// Refresh sets the token expiry of a user's connection if tokenExpiresAt is later, and returns the stored connection. It
	// returns [ErrNotFound] if the connection is not stored or belongs to another user. So it never stores a deleted connection
	// again. It does not change an evicted connection.
	Refresh(ctx context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error)
	// EndedSessions yields the connections whose sessions ended at the time at, or at most [EndedLookback] before it. It is
	// eventually consistent, as ByUser is, and stops after the first error.
	EndedSessions(ctx context.Context, at time.Time) iter.Seq2[Connection, error]
	// DeleteIfUnchanged deletes the stored connection with the id of c, if it is still c.
	//
	//   - The connection was deleted → true. Only one of several concurrent calls returns true.
	//   - The stored connection has another user, connect time or token expiry, or none is stored → false.
	//   - A response of the store was lost → two calls may return true, but at least one does.
	//   - Error → the connection may have been deleted or not.
	DeleteIfUnchanged(ctx context.Context, c Connection) (bool, error)
	// Evict ends the session of a user's connection at the time at, because a newer connection replaces it. From then on
	// EndedSessions yields the connection, and Refresh does not prolong it. A connection that is already evicted, or belongs to
	// another user, does not change. A connection that is not stored yet can no longer be stored: Put returns [ErrEvicted].
	Evict(ctx context.Context, id, userID string, at time.Time) error
}
