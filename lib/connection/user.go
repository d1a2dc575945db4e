package connection

import (
	"context"
	"errors"
	"time"
)

// ErrBusy says that the store cannot count so fast: one user, or one connection, asks for far more than any limit.
var ErrBusy = errors.New("connection: too many requests of one user at once")

// ErrEvicted says that a connection was evicted before it was stored.
var ErrEvicted = errors.New("connection: evicted before it was stored")

// User is what a store knows of a user beside the rows of the connections.
type User struct {
	// Heard maps the connections that the user may have to the time of the last message from each, or of its connect, to the
	// millisecond. One that was closed stays in it until it is forgotten, for [MaxDuration] at most.
	Heard map[string]time.Time
}

// Spent is what became of a cost.
type Spent struct {
	// Granted is how much of the cost the limit allows. 0 is nothing: the limit had been reached before.
	Granted int
	// Evicted are the user's connections that have been evicted and not been forgotten since.
	Evicted []string
}

// Users counts what users and connections cost, by minutes of the clock. Its methods may be called concurrently, from many
// processes; each but Forget is one request to the store. An error may be [ErrBusy]; after one the call may have taken
// effect or not, and a store may count a call twice whose answer was lost: limits have room for that.
type Users interface {
	// Enter adds a connection to its user's, and a cost to the user's costs of the minute, unless their sum would pass a limit:
	// then it adds nothing and reports false. It sees every Enter that returned.
	Enter(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (User, bool, error)
	// Spend notes that a connection was heard at a time, and adds a cost to those of its user in that minute, unless their
	// sum has reached a limit. The sum of what is granted in a minute is never over the limit, however many spend at once.
	Spend(ctx context.Context, userID, connectionID string, cost, limit int, at time.Time) (Spent, error)
	// Refuse counts one refused message of a connection, whose user need not be known, and returns how many there are in the
	// minute.
	Refuse(ctx context.Context, connectionID string, at time.Time) (int, error)
	// Forget takes connections from the user's: those that are closed, and those that are evicted now, which Spend returns
	// until Forget gets them as closed. It returns those that had not been taken before: of several that forget one
	// connection at once, one gets it.
	Forget(ctx context.Context, userID string, closed, evicted []string, at time.Time) ([]string, error)
}
