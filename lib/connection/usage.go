package connection

import (
	"context"
	"errors"
	"time"
)

// ErrThrottled means that the store throttles the requests of one user or one connection: they come far faster than any limit
// allows.
var ErrThrottled = errors.New("connection: too many requests of one user at once")

// ErrEvicted means that a connection was evicted before it was stored.
var ErrEvicted = errors.New("connection: evicted before it was stored")

// ConnectResult is the result of [Usage].Connect.
type ConnectResult struct {
	// LastSeen maps the ids of the user's connections to the time of each one's last message, or of its connect, in
	// milliseconds. A closed connection stays in the map until RemoveFromUser removes it, for at most [MaxDuration].
	LastSeen map[string]time.Time
}

// SpendResult is the result of [Usage].Spend.
type SpendResult struct {
	// Granted is the part of the cost that the limit allows. 0 means that the limit was reached before.
	Granted int
	// Evicted are the user's connections that were evicted and are not closed yet.
	Evicted []string
}

// Usage counts what users and connections cost in each minute of the clock. Its methods may be called concurrently, from many
// processes. Each but RemoveFromUser makes one request to the store. An error may be [ErrThrottled]. After an error the call
// may have had its effect or not. A store may count a call twice if the response was lost: the limits allow for that.
type Usage interface {
	// Connect adds a connection to its user, and a cost to the user's sum of the minute. If that sum would exceed the limit, it
	// adds nothing and returns false. It sees every Connect that has returned.
	Connect(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (ConnectResult, bool, error)
	// Spend records when a connection was last seen, and adds a cost to its user's sum of the minute unless that sum has
	// reached the limit. The sum of all grants in a minute never exceeds the limit, however many calls run at once.
	Spend(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (SpendResult, error)
	// CountRefusal counts one refused message of a connection, whose user need not be known, and returns the count of the
	// minute.
	CountRefusal(ctx context.Context, connectionID string, at time.Time) (int, error)
	// RemoveFromUser removes connections from their user, and returns those that this call removed. Of several concurrent calls
	// one gets each connection.
	//
	//   - closed: connections that are closed.
	//   - evicted: connections that are being evicted. Spend returns them until a later call has them in closed.
	RemoveFromUser(ctx context.Context, userID string, closed, evicted []string, at time.Time) ([]string, error)
}
