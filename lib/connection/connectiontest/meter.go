package connectiontest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
)

// counters is how many count at once.
const counters = 50

// countExactly: each of fifty concurrent requests gets a number of its own.
func countExactly(t *testing.T, s Connections) {
	at, id := day(t).Add(10*time.Hour), usageID(t, 1)
	var mu sync.Mutex
	var minutes, actions []int
	var all sync.WaitGroup
	for n := range counters {
		all.Go(func() {
			usage, err := s.Count(t.Context(), id, "sync", at.Add(time.Duration(n)*time.Second))
			if err != nil {
				t.Errorf("count: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			minutes, actions = append(minutes, usage.Minute), append(actions, usage.Action)
		})
	}
	all.Wait()
	for name, got := range map[string][]int{"minute": minutes, "action": actions} {
		slices.Sort(got)
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("the %s counts %v, want 1 to %d", name, got, counters)
			}
		}
	}
}

func countWindows(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	mine, other := usageID(t, 1), usageID(t, 2)
	for i, tt := range []struct {
		id, action string
		after      time.Duration
		want       connection.Usage
	}{
		{mine, "sync", 0, connection.Usage{Minute: 1, Action: 1}},
		{mine, "sync", time.Second, connection.Usage{Minute: 2, Action: 2}},
		{mine, "refresh", time.Minute - time.Millisecond, connection.Usage{Minute: 3, Action: 1}},
		{other, "sync", time.Second, connection.Usage{Minute: 1, Action: 1}},
		{mine, "sync", time.Minute, connection.Usage{Minute: 1, Action: 3}},
		{mine, "refresh", time.Minute, connection.Usage{Minute: 2, Action: 2}},
		{mine, "sync", 2 * time.Minute, connection.Usage{Minute: 1, Action: 4}},
		{mine, "sync", time.Hour, connection.Usage{Minute: 1, Action: 5}},
	} {
		got, err := s.Count(t.Context(), tt.id, tt.action, at.Add(tt.after))
		if err != nil || got != tt.want {
			t.Errorf("request %d: %+v, %v; want %+v", i, got, err, tt.want)
		}
	}
}

// countApart: what is counted is no connection, and changes none.
func countApart(t *testing.T, s Connections) {
	c := sample(t, 1)
	c.ConnectedAt = day(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	put(t, s, c)
	for _, id := range []string{c.ID, usageID(t, 2)} {
		if _, err := s.Count(t.Context(), id, "sync", c.TokenExpiresAt); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != c {
		t.Errorf("the row is %v, %v; want it as it was put", got, err)
	}
	for _, id := range []string{usageID(t, 2), c.ID + "#usage"} {
		if got, err := s.Get(t.Context(), id); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("Get(%q) is %v, %v; want ErrNotFound", id, got, err)
		}
		if _, err := s.Refresh(t.Context(), id, c.UserID, c.TokenExpiresAt.Add(time.Hour)); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("Refresh(%q): %v, want ErrNotFound", id, err)
		}
	}
	eventually(t, s, c.UserID, c)
	eventuallyEnded(t, s, "sessions", c.TokenExpiresAt, c)
}
