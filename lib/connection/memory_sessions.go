package connection

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// Refresh lets the connection last until another token expires, if that is later.
func (m *Memory) Refresh(_ context.Context, id, userID string, tokenExpiresAt time.Time) (Connection, error) {
	tokenExpiresAt = tokenExpiresAt.UTC().Truncate(time.Second)
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[id]
	if !ok || c.UserID != userID {
		return Connection{}, ErrNotFound
	}
	if c.EvictedAt.IsZero() && tokenExpiresAt.After(c.TokenExpiresAt) {
		c.TokenExpiresAt = tokenExpiresAt
		m.write(c)
	}

	return c, nil
}

// Ended yields the ended sessions that the index showed when the reading began, the earliest first.
func (m *Memory) Ended(_ context.Context, at time.Time) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.endedBy(at) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (m *Memory) endedBy(at time.Time) []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catchUp()
	var ended []Connection
	for _, user := range m.index {
		for _, c := range user {
			if c.EndedBy(at) {
				ended = append(ended, c)
			}
		}
	}
	slices.SortFunc(ended, func(a, b Connection) int { return cmp.Or(a.End().Compare(b.End()), cmp.Compare(a.ID, b.ID)) })

	return ended
}

// DeleteIfUnchanged deletes the row of c unless its session has changed.
func (m *Memory) DeleteIfUnchanged(_ context.Context, c Connection) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[c.ID]
	if !ok || row.UserID != c.UserID || !row.ConnectedAt.Equal(c.ConnectedAt) || !row.TokenExpiresAt.Equal(c.TokenExpiresAt) {
		return false, nil
	}
	m.remove(c.ID)

	return true, nil
}

// Evict ends the session of a connection.
func (m *Memory) Evict(_ context.Context, id, userID string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.rows[id]
	switch {
	case !ok && m.refusedIDs == nil:
		m.refusedIDs = map[string]bool{id: true}
	case !ok:
		m.refusedIDs[id] = true
	case c.UserID == userID && c.EvictedAt.IsZero():
		c.EvictedAt = at.UTC().Truncate(time.Millisecond)
		m.write(c)
	}

	return nil
}
