package connection

import (
	"context"
	"maps"
	"slices"
	"time"
)

// userRow is what is known of a user.
type userRow struct {
	heard   map[string]time.Time
	evicted map[string]bool
	spent   minuteCounts
}

// minuteCounts are the sums of the current minute and the last, to which a slow caller may still add.
type minuteCounts map[int64]int

// add adds to the sum of the minute of at and returns it.
func (c minuteCounts) add(n int, at time.Time) int {
	minute := Minute(at)
	c[minute] += n
	maps.DeleteFunc(c, func(m int64, _ int) bool { return m < minute-1 })

	return c[minute]
}

// user returns the row of a user, made where it is missing. The caller holds the lock.
func (m *Memory) user(id string) *userRow {
	if m.users == nil {
		m.users = map[string]*userRow{}
	}
	u := m.users[id]
	if u == nil {
		u = &userRow{heard: map[string]time.Time{}, evicted: map[string]bool{}, spent: minuteCounts{}}
		m.users[id] = u
	}

	return u
}

// Enter adds a connection to its user's, unless the costs would pass the limit.
func (m *Memory) Enter(_ context.Context, userID, connectionID string, cost, limit int, at time.Time) (User, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.user(userID)
	if u.spent.add(0, at)+cost > limit {
		return User{}, false, nil
	}
	u.spent.add(cost, at)
	u.hear(connectionID, at)
	maps.DeleteFunc(u.heard, func(_ string, heard time.Time) bool { return at.Sub(heard) >= MaxDuration })

	return User{Heard: maps.Clone(u.heard)}, true, nil
}

func (u *userRow) hear(connectionID string, at time.Time) {
	u.heard[connectionID] = at.UTC().Truncate(time.Millisecond)
}

// Spend adds a cost, unless the limit has been reached.
func (m *Memory) Spend(_ context.Context, userID, connectionID string, cost, limit int, at time.Time) (Spent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.user(userID)
	before := u.spent.add(0, at)
	if before >= limit {
		return Spent{}, nil
	}
	granted := min(cost, limit-before)
	u.spent.add(cost, at)
	u.hear(connectionID, at)

	return Spent{Granted: granted, Evicted: slices.Sorted(maps.Keys(u.evicted))}, nil
}

// Refuse counts one refused message.
func (m *Memory) Refuse(_ context.Context, connectionID string, at time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused == nil {
		m.refused = map[string]minuteCounts{}
	}
	maps.DeleteFunc(m.refused, func(_ string, c minuteCounts) bool { return c.add(0, at) == 0 })
	if m.refused[connectionID] == nil {
		m.refused[connectionID] = minuteCounts{}
	}

	return m.refused[connectionID].add(1, at), nil
}

// Forget takes connections from the user's.
func (m *Memory) Forget(_ context.Context, userID string, closed, evicted []string, _ time.Time) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.user(userID)
	var taken []string
	for _, id := range closed {
		if _, ok := u.heard[id]; ok || u.evicted[id] {
			taken = append(taken, id)
		}
		delete(u.heard, id)
		delete(u.evicted, id)
	}
	for _, id := range evicted {
		if _, ok := u.heard[id]; ok {
			taken = append(taken, id)
			u.evicted[id] = true
		}
		delete(u.heard, id)
	}

	return taken, nil
}
