package connectiontest

import (
	"errors"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
)

// evictEndsSession checks that every reader sees the end of an evicted session, and that a refresh does not change it.
func evictEndsSession(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	c.ConnectedAt = testDay(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	put(t, s, c)
	at := c.ConnectedAt.Add(20*time.Minute + 123*time.Millisecond)
	for name, user := range map[string]string{"another user's": c.UserID + otherSuffix, "no user's": ""} {
		if err := s.Evict(t.Context(), c.ID, user, at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventuallyEnded(t, s, "before the eviction", at)
	for _, later := range []time.Duration{0, time.Minute} { // The second eviction must change nothing.
		if err := s.Evict(t.Context(), c.ID, c.UserID, at.Add(later)); err != nil {
			t.Fatal(err)
		}
	}
	want := c
	want.EvictedAt = at
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != want || !got.Evicted() || !got.SessionEnd().Equal(at) {
		t.Errorf("the connection is %v, %v; want %v", got, err, want)
	}
	if got, err := s.Refresh(t.Context(), c.ID, c.UserID, c.TokenExpiresAt.Add(time.Hour)); err != nil || got != want {
		t.Errorf("after a refresh the connection is %v, %v; want %v", got, err, want)
	}
	eventuallyByUser(t, s, c.UserID, want)
	eventuallyEnded(t, s, "after the eviction", at, want)
	eventuallyEnded(t, s, "just before the eviction", at.Add(-time.Millisecond))
	eventuallyEnded(t, s, "at the token's end", c.TokenExpiresAt)
	if err := s.Put(t.Context(), c); !errors.Is(err, connection.ErrEvicted) {
		t.Errorf("Put of the evicted connection: %v, want ErrEvicted", err)
	}
	if deleted, err := s.DeleteIfUnchanged(t.Context(), want); !deleted || err != nil {
		t.Errorf("DeleteIfUnchanged: %v, %v; want true", deleted, err)
	}
	if err := s.Put(t.Context(), c); err != nil {
		t.Errorf("Put after the deletion: %v", err)
	}
}

// evictBeforePut checks that a connection that is evicted before it is stored is never stored.
func evictBeforePut(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	c.ConnectedAt = testDay(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	at := c.ConnectedAt.Add(20 * time.Minute)
	for range 2 {
		if err := s.Evict(t.Context(), c.ID, c.UserID, at); err != nil {
			t.Fatal(err)
		}
	}
	eventuallyByUser(t, s, c.UserID)
	eventuallyEnded(t, s, "an eviction of an absent connection", at)
	if err := s.Put(t.Context(), c); !errors.Is(err, connection.ErrEvicted) {
		t.Errorf("put after the eviction: %v, want ErrEvicted", err)
	}
	if _, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get after the eviction: %v, want ErrNotFound", err)
	}
}
