package connectiontest

import (
	"errors"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
)

// evict: an evicted session has ended at that time, for every reader, and a refresh does not change that.
func evict(t *testing.T, s Connections) {
	c := sample(t, 1)
	c.ConnectedAt = day(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	put(t, s, c)
	at := c.ConnectedAt.Add(20*time.Minute + 123*time.Millisecond)
	for name, user := range map[string]string{"another user's": c.UserID + another, "nobody's": ""} {
		if err := s.Evict(t.Context(), c.ID, user, at); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventuallyEnded(t, s, "before the eviction", at)
	for _, later := range []time.Duration{0, time.Minute} { // the second changes nothing
		if err := s.Evict(t.Context(), c.ID, c.UserID, at.Add(later)); err != nil {
			t.Fatal(err)
		}
	}
	want := c
	want.EvictedAt = at
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != want || !got.Evicted() || !got.End().Equal(at) {
		t.Errorf("the row is %v, %v; want %v", got, err, want)
	}
	if got, err := s.Refresh(t.Context(), c.ID, c.UserID, c.TokenExpiresAt.Add(time.Hour)); err != nil || got != want {
		t.Errorf("refreshed it is %v, %v; want %v", got, err, want)
	}
	eventually(t, s, c.UserID, want)
	eventuallyEnded(t, s, "after the eviction", at, want)
	eventuallyEnded(t, s, "just before the eviction", at.Add(-time.Millisecond))
	eventuallyEnded(t, s, "at the token's end", c.TokenExpiresAt)
	if err := s.Put(t.Context(), c); !errors.Is(err, connection.ErrEvicted) {
		t.Errorf("put over the evicted row: %v, want ErrEvicted", err)
	}
	if deleted, err := s.DeleteIfUnchanged(t.Context(), want); !deleted || err != nil {
		t.Errorf("deleted %v, %v; want true", deleted, err)
	}
	if err := s.Put(t.Context(), c); err != nil {
		t.Errorf("after it was deleted: %v", err)
	}
}

// evictAbsent: a connection that is evicted before it is stored is never stored.
func evictAbsent(t *testing.T, s Connections) {
	c := sample(t, 1)
	c.ConnectedAt = day(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	at := c.ConnectedAt.Add(20 * time.Minute)
	for range 2 {
		if err := s.Evict(t.Context(), c.ID, c.UserID, at); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, s, c.UserID)
	eventuallyEnded(t, s, "an eviction of no row", at)
	if err := s.Put(t.Context(), c); !errors.Is(err, connection.ErrEvicted) {
		t.Errorf("put after the eviction: %v, want ErrEvicted", err)
	}
	if _, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("the eviction made a row (%v)", err)
	}
}
