package connection

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// Refresh sets the token expiry of a user's connection if tokenExpiresAt is later and the connection was not evicted.
func (m *Memory) Refresh(_ context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error) {
	tokenExpiresAt = tokenExpiresAt.UTC().Truncate(time.Second)
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connections[id]
	if !ok || c.UserID != userID {
		return Connection{}, ErrNotFound
	}
	if c.EvictedAt.IsZero() && tokenExpiresAt.After(c.TokenExpiresAt) {
		c.TokenExpiresAt = tokenExpiresAt
		m.store(c)
	}
	return c, nil
}

// EndedSessions yields the ended sessions that are in the index when the iteration starts, the earliest first.
func (m *Memory) EndedSessions(_ context.Context, at time.Time) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.endedSessions(at) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// endedSessions returns the ended sessions in the index, the earliest first.
func (m *Memory) endedSessions(at time.Time) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updateIndex()
	var ended []Connection
	for _, user := range m.index {
		for _, c := range user {
			if c.SessionEndedRecently(at) {
				ended = append(ended, c)
			}
		}
	}
	slices.SortFunc(ended, func(a, b Connection) int {
		return cmp.Or(a.SessionEnd().Compare(b.SessionEnd()), cmp.Compare(a.ID, b.ID))
	})
	return ended
}

// DeleteIfUnchanged deletes the connection of c, unless the stored one has another user, connect time or token expiry.
func (m *Memory) DeleteIfUnchanged(_ context.Context, c Connection) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.connections[c.ID]
	if !ok || stored.UserID != c.UserID || !stored.ConnectedAt.Equal(c.ConnectedAt) || !stored.TokenExpiresAt.Equal(c.TokenExpiresAt) {
		return false, nil
	}
	m.remove(c.ID)
	return true, nil
}

// Evict ends the session of a connection. If the connection is not stored yet, it can no longer be stored.
func (m *Memory) Evict(_ context.Context, id, userID string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.connections[id]
	switch {
	case !ok && m.evictedBeforePut == nil:
		m.evictedBeforePut = map[string]bool{id: true}
	case !ok:
		m.evictedBeforePut[id] = true
	case c.UserID == userID && c.EvictedAt.IsZero():
		c.EvictedAt = at.UTC().Truncate(time.Millisecond)
		m.store(c)
	}
	return nil
}
