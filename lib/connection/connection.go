// Package connection stores the open WebSocket connections of signed-in users.
package connection

import (
	"context"
	"errors"
	"iter"
	"time"
)

const (
	// MaxDuration is the age at which API Gateway closes every connection, without telling the browser a reason
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
	MaxDuration = 2 * time.Hour
	// MaxSessionDuration is the longest session. It ends 30 seconds before API Gateway closes the connection. In this time the
	// browser gets a closing frame with the reason.
	MaxSessionDuration = 7170 * time.Second
)

// ErrNotFound means that no connection with the id is stored.
var ErrNotFound = errors.New("connection: not found")

// Connection is one open WebSocket connection.
type Connection struct {
	// ID is API Gateway's connection id.
	ID string
	// UserID is the subject of the token that opened the connection.
	UserID string
	// ConnectedAt is stored in milliseconds.
	ConnectedAt time.Time
	// TokenExpiresAt is the token's exp claim, stored in seconds.
	TokenExpiresAt time.Time
	// EvictedAt is when a newer connection of the user replaced this one, stored in milliseconds. Zero means not evicted.
	EvictedAt time.Time
}

// SessionEnd returns when the session ends: at the token's expiry, at the eviction, or [MaxSessionDuration] after the connect,
// whichever is first. From then on only a closing frame is posted.
func (c Connection) SessionEnd() time.Time {
	end := c.ConnectedAt.Add(MaxSessionDuration)
	if c.TokenExpiresAt.Before(end) {
		end = c.TokenExpiresAt
	}
	if !c.EvictedAt.IsZero() && c.EvictedAt.Before(end) {
		end = c.EvictedAt
	}
	return end
}

// Evicted reports whether the session of c ended because a newer connection replaced it.
func (c Connection) Evicted() bool { return !c.EvictedAt.IsZero() && c.SessionEnd().Equal(c.EvictedAt) }

// RowExpiresAt returns the time from which the store may delete the row (TTL).
func (c Connection) RowExpiresAt() time.Time { return c.ConnectedAt.Add(MaxDuration) }

// Store stores connections. Its methods may be called concurrently. Get and Delete see every Put that has returned. ByUser is
// eventually consistent: it may be some seconds behind, as an index of DynamoDB may be.
type Store interface {
	// Put stores c and replaces a stored connection with the same id. It returns [ErrEvicted] if a connection with the id has been
	// evicted.
	Put(ctx context.Context, c Connection) error
	// Get returns the connection of id, or [ErrNotFound].
	Get(ctx context.Context, id string) (Connection, error)
	// Delete deletes the connection of id. Deleting an absent connection is not an error.
	Delete(ctx context.Context, id string) error
	// ByUser yields the connections of a user, and reads them page by page. It stops after the first error. Each iteration of
	// the returned sequence reads again from the start.
	ByUser(ctx context.Context, userID string) iter.Seq2[Connection, error]
}
