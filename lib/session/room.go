package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/connection"
)

const (
	// settled is the age from which a connection that the index of users does not show is closed: before, the index may lag.
	settled = 10 * time.Second
	// connecting is the age up to which a connection may have no row yet, as its own $connect is still to store it.
	connecting = 2 * time.Second
	// maxLookups is how many younger ones are looked up each by itself. Further ones count as open.
	maxLookups = 20
)

// errConnects refuses a connection of a user who has spent the posts of this minute, such as by connecting all the time.
var errConnects = errors.New("session: too many connects in this minute")

// enter stores a connection, and makes room for it.
func (h *Connect) enter(ctx context.Context, log *slog.Logger, c connection.Connection) error {
	now := clock(h.Now)()
	if h.refused.has(c.UserID, now) {
		return errConnects
	}
	user, ok, err := h.Store.Enter(ctx, c.UserID, c.ID, connectCost, h.Limits.budget(), now)
	if err == nil && !ok || errors.Is(err, connection.ErrBusy) {
		h.refused.add(c.UserID, now)

		return errConnects
	}
	if err == nil {
		err = h.Store.Put(ctx, c)
	}
	if errors.Is(err, connection.ErrEvicted) { // so many connect at once that this one is the oldest already
		return errConnects
	}
	if err != nil {
		return err
	}
	if len(user.Heard) > h.Limits.connections() {
		if err := h.makeRoom(ctx, log, c, user, now); err != nil { // the next connect tries again
			log.ErrorContext(ctx, "make room", "userId", c.UserID, "err", err)
		}
	}

	return nil
}

// refusedUsers are the users whom this process has refused in a minute, as their posts are spent: their further connects and
// messages ask the store for nothing but to count refusals.
type refusedUsers struct {
	mu     sync.Mutex
	minute int64
	users  map[string]bool
}

func (r *refusedUsers) has(user string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.minute == connection.Minute(at) && r.users[user]
}

func (r *refusedUsers) add(user string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := connection.Minute(at); minute != r.minute {
		r.minute, r.users = minute, map[string]bool{}
	}
	r.users[user] = true
}

// makeRoom ends the sessions of the connections that were not heard for the longest time, as many as the user has too many,
// and forgets those that are closed. Who forgets a connection ends its session: of several $connects at once one does. It
// does not close connections: the user's next message does, or the reaper.
func (h *Connect) makeRoom(ctx context.Context, log *slog.Logger, c connection.Connection, user connection.User, now time.Time) error {
	indexed := map[string]connection.Connection{}
	for row, err := range h.Store.ByUser(ctx, c.UserID) {
		if err != nil {
			return err
		}
		indexed[row.ID] = row
	}
	var closed, open, young []string
	for id, heard := range user.Heard {
		row, ok := indexed[id]
		switch {
		case id == c.ID:
		case ok && now.Before(row.End()):
			open = append(open, id)
		case ok || now.Sub(heard) > settled:
			closed = append(closed, id)
		case now.Sub(heard) > connecting:
			young = append(young, id)
		default:
			open = append(open, id)
		}
	}
	if len(open)+len(young)+1 > h.Limits.connections() {
		gone := h.lookUp(ctx, young[:min(len(young), maxLookups)])
		closed = append(closed, gone...)
		young = slices.DeleteFunc(young, func(id string) bool { return slices.Contains(gone, id) })
	}
	open = append(open, young...)
	slices.SortFunc(open, func(a, b string) int { return cmp.Or(user.Heard[a].Compare(user.Heard[b]), cmp.Compare(a, b)) })
	surplus := open[:max(0, len(open)+1-h.Limits.connections())]
	taken, err := h.Store.Forget(ctx, c.UserID, closed, surplus, now)
	evicted := slices.DeleteFunc(taken, func(id string) bool { return !slices.Contains(surplus, id) })
	errs := make([]error, len(evicted))
	var calls sync.WaitGroup
	for i, id := range evicted {
		calls.Go(func() { errs[i] = h.Store.Evict(ctx, id, c.UserID, now) })
	}
	calls.Wait()
	log.InfoContext(ctx, "made room", "userId", c.UserID, "closed", len(closed), "evicted", len(evicted))

	return errors.Join(err, errors.Join(errs...))
}

// lookUp returns those of some connections that have no row.
func (h *Connect) lookUp(ctx context.Context, ids []string) []string {
	absent := make([]bool, len(ids))
	var calls sync.WaitGroup
	for i, id := range ids {
		calls.Go(func() {
			_, err := h.Store.Get(ctx, id)
			absent[i] = errors.Is(err, connection.ErrNotFound)
		})
	}
	calls.Wait()
	var gone []string
	for i, id := range ids {
		if absent[i] {
			gone = append(gone, id)
		}
	}

	return gone
}
