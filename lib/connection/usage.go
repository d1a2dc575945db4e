package connection

import (
	"context"
	"errors"
	"time"
)

// ErrThrottled means that the store throttles the requests of one user or one connection. These requests come far faster than the
// limits of this package's callers allow.
var ErrThrottled = errors.New("connection: too many requests of one user at once")

// ErrEvicted means that a connection cannot be stored, because it has been evicted.
var ErrEvicted = errors.New("connection: evicted before it was stored")

// ConnectResult is the result of [Usage].Connect.
type ConnectResult struct {
	// LastSeen is when each connection of the user sent its last message, or connected if it has sent none. The times are stored
	// in milliseconds. A closed connection stays in the map until RemoveFromUser removes it, for at most [MaxDuration].
	LastSeen map[string]time.Time
}

// SpendResult is the result of [Usage].Spend.
type SpendResult struct {
	// Granted is the part of the cost that the limit allows. 0 means that the limit was reached before.
	Granted int
	// Evicted are the user's connections that were evicted and are not closed yet.
	Evicted []string
}

// Usage counts what users and connections cost in each minute (see [Minute]). Its methods may be called concurrently, from many
// processes. Each method makes one request to the store, except that RemoveFromUser may need several. An error may be [ErrThrottled].
// After an error the call may have had its effect or not. If a response is lost, a store may count the call twice. The limits allow
// for that.
type Usage interface {
	// Connect adds a connection to its user, and a cost to the user's sum of the minute. If the sum would exceed the limit, it
	// adds nothing and returns false. Its result includes every Connect that has returned.
	Connect(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (ConnectResult, bool, error)
	// Spend records when a connection was last seen, and adds a cost to its user's sum of the minute unless that sum has
	// reached the limit. The sum of all grants in a minute never exceeds the limit, however many calls run at once.
	Spend(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (SpendResult, error)
	// CountRefusal counts one refused message of a connection and returns the count of the minute. It does not need the user of
	// the connection.
	CountRefusal(ctx context.Context, connectionID string, at time.Time) (int, error)
	// RemoveFromUser removes connections from their user, and returns those that this call removed. If several calls remove a
	// connection concurrently, only one of them returns it.
	//
	//   - closed: connections that are closed.
	//   - evicted: connections that are being evicted. Spend returns them until a later call has them in closed.
	RemoveFromUser(ctx context.Context, userID string, closed, evicted []string, at time.Time) ([]string, error)
}
