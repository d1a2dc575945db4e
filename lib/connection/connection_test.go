package connection_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/connection/connectiontest"
)

func TestMemoryMeetsTheStoreContract(t *testing.T) {
	shared := &connection.Memory{} // The contract allows connections of other tests.
	connectiontest.Run(t, func(*testing.T) connectiontest.Connections { return shared })
}

func TestMemoryMeetsTheStoreContractWithALaggingIndex(t *testing.T) {
	lagging := &connection.Memory{IndexLag: 200 * time.Millisecond}
	connectiontest.Run(t, func(*testing.T) connectiontest.Connections { return lagging })
}

func TestByUserShowsChangesAfterTheIndexLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &connection.Memory{IndexLag: time.Second}
		seen := func() (n int) {
			for range m.ByUser(t.Context(), "u1") {
				n++
			}
			return n
		}
		if err := m.Put(t.Context(), connection.Connection{ID: "c1", UserID: "u1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second - 1)
		if n := seen(); n != 0 {
			t.Errorf("%d connections before the index has caught up, want 0", n)
		}
		time.Sleep(time.Nanosecond)
		if n := seen(); n != 1 {
			t.Errorf("%d connections after the index has caught up, want 1", n)
		}
		if err := m.Delete(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		if n := seen(); n != 1 {
			t.Errorf("%d connections right after the deletion, want the stale 1", n)
		}
		time.Sleep(time.Second)
		if n := seen(); n != 0 {
			t.Errorf("%d connections a second after the deletion, want 0", n)
		}
	})
}

func TestEndedSessionsShowsChangesAfterTheIndexLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &connection.Memory{IndexLag: time.Second}
		at := time.Now().UTC()
		c := connection.Connection{ID: "c1", UserID: "u1", ConnectedAt: at.Add(-time.Hour), TokenExpiresAt: at}
		if err := m.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		seen := func() (connections []connection.Connection) {
			for c := range m.EndedSessions(t.Context(), at) {
				connections = append(connections, c)
			}
			return connections
		}
		time.Sleep(time.Second - 1)
		if connections := seen(); len(connections) != 0 {
			t.Errorf("%v before the index has caught up, want none", connections)
		}
		time.Sleep(time.Nanosecond)
		if _, err := m.Refresh(t.Context(), "c1", "u1", at.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		stale := seen()
		if len(stale) != 1 || stale[0] != c {
			t.Fatalf("%v right after a refresh, want the stale %v", stale, c)
		}
		if deleted, err := m.DeleteIfUnchanged(t.Context(), stale[0]); deleted || err != nil {
			t.Errorf("the stale connection is deleted: %v, %v", deleted, err)
		}
		time.Sleep(time.Second)
		if connections := seen(); len(connections) != 0 {
			t.Errorf("%v a second after the refresh, want none", connections)
		}
	})
}

func TestSessionEndsWithItsTokenOrAtTheMaximumDuration(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		token time.Duration // from the connect to the token's expiry
		want  time.Duration // from the connect to the end of the session
	}{
		{"token ends first", time.Hour, time.Hour},
		{"token outlives the connection", 24 * time.Hour, 7170 * time.Second},
		{"token ends with the longest session", 7170 * time.Second, 7170 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connection.Connection{ConnectedAt: at, TokenExpiresAt: at.Add(tt.token)}
			if got := c.SessionEnd().Sub(at); got != tt.want {
				t.Errorf("session ends after %v, want %v", got, tt.want)
			}
			if got := c.RowExpiresAt().Sub(at); got != 2*time.Hour {
				t.Errorf("the row expires after %v, want 2h", got)
			}
		})
	}
}
