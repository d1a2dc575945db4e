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
	// maxIndexLag is how long after Connect the index may not show a stored connection. An older connection that the index does not
	// show counts as closed.
	maxIndexLag = 10 * time.Second
	// maxPutDelay is how long after Connect a connection may not be stored yet.
	maxPutDelay = 2 * time.Second
	// maxLookups is how many connections with an age from maxPutDelay to maxIndexLag are read one by one at most. Further ones
	// count as open.
	maxLookups = 20
)

// errTooManyConnects refuses a connection because the user's budget of the current minute is spent, or because newer connections
// have already evicted it.
var errTooManyConnects = errors.New("session: too many connects in this minute")

// store counts and stores a connection, and evicts others if the user has too many.
func (h *Connect) store(ctx context.Context, log *slog.Logger, c connection.Connection) error {
	now := clock(h.Now)()
	if h.throttledUsers.has(c.UserID, now) {
		return errTooManyConnects
	}
	result, withinBudget, err := h.Store.Connect(ctx, c.UserID, c.ID, ConnectCost, h.Limits.Budget(), now)
	overBudget := err == nil && !withinBudget
	if overBudget || errors.Is(err, connection.ErrThrottled) {
		h.throttledUsers.add(c.UserID, now)
		return errTooManyConnects
	}
	if err == nil {
		err = h.Store.Put(ctx, c)
	}
	if errors.Is(err, connection.ErrEvicted) { // newer concurrent connects have already evicted this one
		return errTooManyConnects
	}
	if err != nil {
		return err
	}

	if len(result.LastSeen) > h.Limits.connections() {
		if err := h.evictSurplus(ctx, log, c, result.LastSeen, now); err != nil { // the next connect tries again
			log.ErrorContext(ctx, "evict connections", "userId", c.UserID, "err", err)
		}
	}

	return nil
}

// userSet is the set of the users whom this process has refused in the current minute because their budget is spent. Their further connects
// and messages need no request to the store, except one that counts the refusal of a message.
type userSet struct {
	mu     sync.Mutex
	minute int64
	users  map[string]bool
}

func (s *userSet) has(user string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.minute == connection.Minute(at) && s.users[user]
}

func (s *userSet) add(user string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if minute := connection.Minute(at); minute != s.minute {
		s.minute, s.users = minute, map[string]bool{}
	}
	s.users[user] = true
}

// evictSurplus evicts the connections that were seen least recently until the user has no more than the limit, and removes
// closed connections from the user. lastSeen are the user's connections, with the new connection c. evictSurplus does not close
// connections: the user's next message or the reaper does.
func (h *Connect) evictSurplus(ctx context.Context, log *slog.Logger, c connection.Connection, lastSeen map[string]time.Time, now time.Time) error {
	byID := map[string]connection.Connection{}
	for stored, err := range h.Store.ByUser(ctx, c.UserID) {
		if err != nil {
			return err
		}
		byID[stored.ID] = stored
	}

	var closed, open, unindexed []string
	for id, seenAt := range lastSeen {
		stored, indexed := byID[id]
		switch {
		case id == c.ID: // counted by "+ 1" below
		case indexed && now.Before(stored.SessionEnd()):
			open = append(open, id)
		case indexed, now.Sub(seenAt) > maxIndexLag: // its session has ended, or it is deleted
			closed = append(closed, id)
		case now.Sub(seenAt) > maxPutDelay: // it is deleted, or the index does not show it yet
			unindexed = append(unindexed, id)
		default: // it may not be stored yet
			open = append(open, id)
		}
	}
	if len(open)+len(unindexed)+1 > h.Limits.connections() {
		missing := h.findMissing(ctx, unindexed[:min(len(unindexed), maxLookups)])
		closed = append(closed, missing...)
		unindexed = slices.DeleteFunc(unindexed, func(id string) bool { return slices.Contains(missing, id) })
	}

	open = append(open, unindexed...)
	slices.SortFunc(open, func(a, b string) int { return cmp.Or(lastSeen[a].Compare(lastSeen[b]), cmp.Compare(a, b)) })
	surplus := open[:max(0, len(open)+1-h.Limits.connections())] // + 1 for the new connection c

	removed, err := h.Store.RemoveFromUser(ctx, c.UserID, closed, surplus, now) // removed lacks those that a concurrent $connect has removed
	evicted := slices.DeleteFunc(removed, func(id string) bool { return !slices.Contains(surplus, id) })
	errs := make([]error, len(evicted))
	var calls sync.WaitGroup
	for i, id := range evicted {
		calls.Go(func() { errs[i] = h.Store.Evict(ctx, id, c.UserID, now) })
	}
	calls.Wait()
	log.InfoContext(ctx, "evicted connections", "userId", c.UserID, "closed", len(closed), "evicted", len(evicted))
	return errors.Join(err, errors.Join(errs...))
}

// findMissing returns the ids that are not stored.
func (h *Connect) findMissing(ctx context.Context, ids []string) []string {
	absent := make([]bool, len(ids))
	var calls sync.WaitGroup
	for i, id := range ids {
		calls.Go(func() {
			_, err := h.Store.Get(ctx, id)
			absent[i] = errors.Is(err, connection.ErrNotFound)
		})
	}
	calls.Wait()
	var missing []string
	for i, id := range ids {
		if absent[i] {
			missing = append(missing, id)
		}
	}

	return missing
}
