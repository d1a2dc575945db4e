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
	// IndexLag is how long ByUser and EndedSessions lag behind changes, as DynamoDB's indexes do. Set it before the first use.
	IndexLag time.Duration

	mu          sync.Mutex
	connections map[string]Connection
	// evictedBeforePut are the ids that were evicted before a connection was stored.
	evictedBeforePut map[string]bool
	usage            map[string]*userUsage
	refusals         map[string]minuteCounts
	// index maps each user to the connections that ByUser shows. indexUpdates are the changes that it does not show yet.
	index        map[string]map[string]Connection
	indexUpdates []indexUpdate
}

// indexUpdate is a change that the index shows after the lag. A zero before is an insertion, a zero after is a deletion.
type indexUpdate struct {
	at            time.Time
	before, after Connection
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

// ByUser yields the user's connections that the index shows when the iteration starts.
func (m *Memory) ByUser(_ context.Context, userID string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.indexed(userID) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// indexed returns the user's connections that the index shows, sorted by id.
func (m *Memory) indexed(userID string) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updateIndex()
	return slices.SortedFunc(maps.Values(m.index[userID]), func(a, b Connection) int { return strings.Compare(a.ID, b.ID) })
}

// updateIndex applies the changes that are older than the index lag.
func (m *Memory) updateIndex() {
	horizon := time.Now().Add(-m.IndexLag)
	n := 0
	for ; n < len(m.indexUpdates) && !m.indexUpdates[n].at.After(horizon); n++ {
		m.applyToIndex(m.indexUpdates[n])
	}
	m.indexUpdates = slices.Delete(m.indexUpdates, 0, n)
}

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
