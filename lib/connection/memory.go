package connection

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in memory. Its zero value is ready.
type Memory struct {
	mu   sync.RWMutex
	rows map[string]Connection
	// users indexes the ids of each user's connections.
	users map[string]map[string]bool
}

// Put writes the row of c.
func (m *Memory) Put(_ context.Context, c Connection) error {
	c.ConnectedAt = c.ConnectedAt.UTC().Truncate(time.Millisecond)
	c.TokenExpiresAt = c.TokenExpiresAt.UTC().Truncate(time.Second)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows, m.users = map[string]Connection{}, map[string]map[string]bool{}
	}
	m.remove(c.ID)
	m.rows[c.ID] = c
	if m.users[c.UserID] == nil {
		m.users[c.UserID] = map[string]bool{}
	}
	m.users[c.UserID][c.ID] = true

	return nil
}

// Get returns the row of id, or [ErrNotFound].
func (m *Memory) Get(_ context.Context, id string) (Connection, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
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

	return nil
}

func (m *Memory) remove(id string) {
	c, ok := m.rows[id]
	if !ok {
		return
	}
	delete(m.rows, id)
	delete(m.users[c.UserID], id)
	if len(m.users[c.UserID]) == 0 {
		delete(m.users, c.UserID)
	}
}

// ByUser yields the rows that the user had when the reading began.
func (m *Memory) ByUser(_ context.Context, userID string) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.snapshot(userID) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (m *Memory) snapshot(userID string) []Connection {
	m.mu.RLock()
	defer m.mu.RUnlock()
	rows := make([]Connection, 0, len(m.users[userID]))
	for _, id := range slices.Sorted(maps.Keys(m.users[userID])) {
		rows = append(rows, m.rows[id])
	}

	return rows
}
