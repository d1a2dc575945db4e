// Package connection keeps who is connected: one row for each open WebSocket connection of a signed-in user.
package connection

import (
	"context"
	"errors"
	"iter"
	"time"
)

const (
	// MaxDuration is the age at which API Gateway closes every connection without a word
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
	MaxDuration = 2 * time.Hour
	// MaxSession is the longest session: it ends before API Gateway's close, so that the browser can be told.
	MaxSession = 7170 * time.Second
)

// ErrNotFound says that there is no row for a connection id.
var ErrNotFound = errors.New("connection: not found")

// Connection is one open WebSocket connection.
type Connection struct {
	// ID is the id that API Gateway gave.
	ID string
	// UserID is the subject of the token that opened the connection.
	UserID string
	// ConnectedAt is kept to the millisecond.
	ConnectedAt time.Time
	// TokenExpiresAt is the token's exp claim, kept to the second.
	TokenExpiresAt time.Time
	// EvictedAt is when a newer connection of the user took this one's place, kept to the millisecond. Zero is never.
	EvictedAt time.Time
}

// End returns the moment after which nothing but a closing frame is posted: the token's expiry, the longest session's end,
// or the eviction, whichever is first.
func (c Connection) End() time.Time {
	end := c.ConnectedAt.Add(MaxSession)
	if c.TokenExpiresAt.Before(end) {
		end = c.TokenExpiresAt
	}
	if !c.EvictedAt.IsZero() && c.EvictedAt.Before(end) {
		end = c.EvictedAt
	}

	return end
}

// Evicted reports whether the session of c has ended because newer connections took its place.
func (c Connection) Evicted() bool { return !c.EvictedAt.IsZero() && c.End().Equal(c.EvictedAt) }

// RowExpiresAt returns the moment from which the store may drop the row on its own.
func (c Connection) RowExpiresAt() time.Time { return c.ConnectedAt.Add(MaxDuration) }

// Store keeps connections. Its methods may be called concurrently. Get and Delete see every earlier Put that returned;
// ByUser may lag behind by some seconds, as a DynamoDB index does.
type Store interface {
	// Put writes the row of c, over an earlier one of the same id. It returns [ErrEvicted] where that id has been evicted.
	Put(ctx context.Context, c Connection) error
	// Get returns the row of id, or [ErrNotFound].
	Get(ctx context.Context, id string) (Connection, error)
	// Delete removes the row of id; that there is none is no error.
	Delete(ctx context.Context, id string) error
	// ByUser yields every row of a user, page by page as it is read; after an error it stops. Each range over what it
	// returns reads anew.
	ByUser(ctx context.Context, userID string) iter.Seq2[Connection, error]
}
