package connection

import (
	"context"
	"maps"
	"slices"
	"time"
)

// userUsage is what a user's connections have used.
type userUsage struct {
	lastSeen map[string]time.Time // by connection
	evicted  map[string]bool      // the connections that were evicted and are not closed yet
	spent    minuteCounts         // the costs
}

// minuteCounts has a sum for each minute (see [Minute]): for the current minute, and for the previous one, to which a slow caller may
// still add.
type minuteCounts map[int64]int

// add adds n to the sum of the minute of at, removes the sums of older minutes, and returns the new sum.
func (c minuteCounts) add(n int, at time.Time) int {
	minute := Minute(at)
	c[minute] += n
	maps.DeleteFunc(c, func(m int64, _ int) bool { return m < minute-1 })
	return c[minute]
}

// usageOf returns the usage of a user, and creates it if it is missing. The caller holds the lock.
func (m *Memory) usageOf(id string) *userUsage {
	if m.usage == nil {
		m.usage = map[string]*userUsage{}
	}
	u := m.usage[id]
	if u == nil {
		u = &userUsage{lastSeen: map[string]time.Time{}, evicted: map[string]bool{}, spent: minuteCounts{}}
		m.usage[id] = u
	}
	return u
}

// Connect adds a connection and a cost to their user, unless the sum of the costs in the minute of at would exceed the
// limit.
func (m *Memory) Connect(_ context.Context, userID, connectionID string, cost, limit int, at time.Time) (ConnectResult, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.usageOf(userID)
	spent := u.spent.add(0, at) // Adding 0 only returns the sum.
	if spent+cost > limit {
		return ConnectResult{}, false, nil
	}
	u.spent.add(cost, at)
	u.setLastSeen(connectionID, at)
	maps.DeleteFunc(u.lastSeen, func(_ string, seen time.Time) bool { return at.Sub(seen) >= MaxDuration })
	return ConnectResult{LastSeen: maps.Clone(u.lastSeen)}, true, nil
}

// setLastSeen records when a connection was last seen, in milliseconds.
func (u *userUsage) setLastSeen(connectionID string, at time.Time) {
	u.lastSeen[connectionID] = at.UTC().Truncate(time.Millisecond)
}

// Spend adds a cost, unless the sum of the costs in the minute of at has reached the limit. It grants only the part of the cost that
// the limit allows, but adds the whole cost to the sum.
func (m *Memory) Spend(_ context.Context, userID, connectionID string, cost, limit int, at time.Time) (SpendResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.usageOf(userID)
	before := u.spent.add(0, at) // Adding 0 only returns the sum.
	if before >= limit {
		return SpendResult{}, nil
	}
	granted := min(cost, limit-before)
	u.spent.add(cost, at)
	u.setLastSeen(connectionID, at)
	return SpendResult{Granted: granted, Evicted: slices.Sorted(maps.Keys(u.evicted))}, nil
}

// CountRefusal counts one refused message and returns the connection's count in the minute of at. It forgets connections that have no
// refused message in that minute.
func (m *Memory) CountRefusal(_ context.Context, connectionID string, at time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusals == nil {
		m.refusals = map[string]minuteCounts{}
	}
	maps.DeleteFunc(m.refusals, func(_ string, c minuteCounts) bool { return c.add(0, at) == 0 })
	if m.refusals[connectionID] == nil {
		m.refusals[connectionID] = minuteCounts{}
	}
	return m.refusals[connectionID].add(1, at), nil
}

// RemoveFromUser removes closed connections from their user, and marks evicted ones. It returns those that this call removed.
func (m *Memory) RemoveFromUser(_ context.Context, userID string, closed, evicted []string, _ time.Time) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.usageOf(userID)
	var removed []string
	for _, id := range closed {
		if _, ok := u.lastSeen[id]; ok || u.evicted[id] {
			removed = append(removed, id)
		}
		delete(u.lastSeen, id)
		delete(u.evicted, id)
	}
	for _, id := range evicted {
		if _, ok := u.lastSeen[id]; ok {
			removed = append(removed, id)
			u.evicted[id] = true
		}
		delete(u.lastSeen, id)
	}
	return removed, nil
}
