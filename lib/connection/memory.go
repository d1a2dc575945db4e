package connection

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a [Store], [Sessions] and [Users] in memory. Its zero value is ready.
type Memory struct {
	// IndexLag is how far ByUser and Ended lag behind, as DynamoDB's indexes do. It is set before the first use.
	IndexLag time.Duration

	mu   sync.Mutex
	rows map[string]Connection
	// refusedIDs are connections that were evicted before they had a row.
	refusedIDs map[string]bool
	users      map[string]*userRow
	refused    map[string]minuteCounts
	// index holds each user's rows as ByUser sees them; pending are the changes that it does not see yet.
	index   map[string]map[string]Connection
	pending []change
}

// change is one that the index is to see: a row that left, a row that came, or both.
type change struct {
	at            time.Time
	before, after Connection
}

// Put writes the row of c.
func (m *Memory) Put(_ context.Context, c Connection) error {
	c.ConnectedAt = c.ConnectedAt.UTC().Truncate(time.Millisecond)
	c.TokenExpiresAt = c.TokenExpiresAt.UTC().Truncate(time.Second)
	if !c.EvictedAt.IsZero() {
		c.EvictedAt = c.EvictedAt.UTC().Truncate(time.Millisecond)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows, m.index = map[string]Connection{}, map[string]map[string]Connection{}
	}
	if m.refusedIDs[c.ID] || !m.rows[c.ID].EvictedAt.IsZero() {
		return ErrEvicted
	}
	m.write(c)

	return nil
}

// Get returns the row of id, or [ErrNotFound].
func (m *Memory) Get(_ context.Context, id string) (Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[id]
	if !ok {
		return Connection{}, ErrNotFound
	}

	return c, nil
}

// Delete removes the row of id.
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(id)
	delete(m.refusedIDs, id)

	return nil
}

func (m *Memory) write(c Connection) {
	m.pending = append(m.pending, change{at: time.Now(), before: m.rows[c.ID], after: c})
	m.rows[c.ID] = c
	m.catchUp()
}

// remove deletes the row of id.
func (m *Memory) remove(id string) {
	if c, ok := m.rows[id]; ok {
		m.pending = append(m.pending, change{at: time.Now(), before: c})
		delete(m.rows, id)
	}
	m.catchUp()
}

// ByUser yields the rows that the index showed for the user when the reading began.
func (m *Memory) ByUser(_ context.Context, userID string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.seen(userID) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// seen returns the user's rows in the index, sorted by their ids.
func (m *Memory) seen(userID string) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()

	return slices.SortedFunc(maps.Values(m.index[userID]), func(a, b Connection) int { return strings.Compare(a.ID, b.ID) })
}

// catchUp brings the index up to its lag.
func (m *Memory) catchUp() {
	horizon := time.Now().Add(-m.IndexLag)
	n := 0
	for ; n < len(m.pending) && !m.pending[n].at.After(horizon); n++ {
		m.apply(m.pending[n])
	}
	m.pending = slices.Delete(m.pending, 0, n)
}

func (m *Memory) apply(c change) {
	if user := m.index[c.before.UserID]; user != nil {
		delete(user, c.before.ID)
		if len(user) == 0 {
			delete(m.index, c.before.UserID)
		}
	}
	if c.after.ID == "" {
		return
	}
	if m.index[c.after.UserID] == nil {
		m.index[c.after.UserID] = map[string]Connection{}
	}
	m.index[c.after.UserID][c.after.ID] = c.after
}
