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

// Memory is a [Store], [Sessions] and [Usage] in memory. Its zero value is ready to use.
type Memory struct {
	// IndexLag is how long ByUser and EndedSessions are behind, as DynamoDB's indexes may be. Set it before the first use.
	IndexLag time.Duration

	mu          sync.Mutex
	connections map[string]Connection
	// evictedBeforePut are the ids that were evicted before a connection was stored.
	evictedBeforePut map[string]bool
	usage            map[string]*userUsage   // by user
	refusals         map[string]minuteCounts // by connection
	// index has the connections that ByUser and EndedSessions yield, by user and by connection id.
	index map[string]map[string]Connection
	// indexUpdates are the changes that the index does not have yet, the oldest first.
	indexUpdates []indexUpdate
}

// indexUpdate is a change of a connection. The index gets it after the lag.
type indexUpdate struct {
	at     time.Time
	before Connection // zero if the connection was inserted
	after  Connection // zero if the connection was deleted
}

// Put stores c.
func (m *Memory) Put(_ context.Context, c Connection) error {
	c.ConnectedAt = c.ConnectedAt.UTC().Truncate(time.Millisecond)
	c.TokenExpiresAt = c.TokenExpiresAt.UTC().Truncate(time.Second)
	if !c.EvictedAt.IsZero() {
		c.EvictedAt = c.EvictedAt.UTC().Truncate(time.Millisecond)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.connections == nil {
		m.connections, m.index = map[string]Connection{}, map[string]map[string]Connection{}
	}
	if m.evictedBeforePut[c.ID] || !m.connections[c.ID].EvictedAt.IsZero() {
		return ErrEvicted
	}
	m.store(c)
	return nil
}

// Get returns the connection of id, or [ErrNotFound].
func (m *Memory) Get(_ context.Context, id string) (Connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connections[id]
	if !ok {
		return Connection{}, ErrNotFound
	}
	return c, nil
}

// Delete deletes the connection of id.
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(id)
	delete(m.evictedBeforePut, id)
	return nil
}

// store stores c, and later puts it into the index.
func (m *Memory) store(c Connection) {
	m.indexUpdates = append(m.indexUpdates, indexUpdate{at: time.Now(), before: m.connections[c.ID], after: c})
	m.connections[c.ID] = c
	m.updateIndex()
}

// remove deletes the connection of id from the connections, and later from the index.
func (m *Memory) remove(id string) {
	if c, ok := m.connections[id]; ok {
		m.indexUpdates = append(m.indexUpdates, indexUpdate{at: time.Now(), before: c})
		delete(m.connections, id)
	}
	m.updateIndex()
}

// ByUser yields the user's connections that are in the index when the iteration starts.
func (m *Memory) ByUser(_ context.Context, userID string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.indexed(userID) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// indexed returns the user's connections in the index, sorted by id.
func (m *Memory) indexed(userID string) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updateIndex()
	return slices.SortedFunc(maps.Values(m.index[userID]), func(a, b Connection) int { return strings.Compare(a.ID, b.ID) })
}

// updateIndex applies the changes that are as old as the index lag, or older.
func (m *Memory) updateIndex() {
	latest := time.Now().Add(-m.IndexLag) // Later changes are not in the index yet.
	n := 0
	for ; n < len(m.indexUpdates) && !m.indexUpdates[n].at.After(latest); n++ {
		m.applyToIndex(m.indexUpdates[n])
	}
	m.indexUpdates = slices.Delete(m.indexUpdates, 0, n)
}

// applyToIndex applies one change to the index.
func (m *Memory) applyToIndex(update indexUpdate) {
	if user := m.index[update.before.UserID]; user != nil {
		delete(user, update.before.ID)
		if len(user) == 0 {
			delete(m.index, update.before.UserID)
		}
	}
	if update.after.ID == "" {
		return
	}
	if m.index[update.after.UserID] == nil {
		m.index[update.after.UserID] = map[string]Connection{}
	}
	m.index[update.after.UserID][update.after.ID] = update.after
}
