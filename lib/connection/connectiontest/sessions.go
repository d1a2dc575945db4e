package connectiontest

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
)

// otherSuffix turns a user's id into the id of another user.
const otherSuffix = "-other"

// concurrency is how many goroutines make the same call at once.
const concurrency = 10

func refreshProlongs(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	put(t, s, c)
	want := c
	for _, tt := range []struct {
		name  string
		later time.Duration // how much later than the first token the new token expires
		want  time.Duration // how much later than the first token the session's token then expires
	}{
		{"a later token", time.Hour, time.Hour},
		{"the same again", time.Hour, time.Hour},
		{"an earlier token shortens nothing", 30 * time.Minute, time.Hour},
		{"a token with fractions of a second", 2*time.Hour + 999*time.Millisecond, 2 * time.Hour},
	} {
		got, err := s.Refresh(t.Context(), c.ID, c.UserID, c.TokenExpiresAt.Add(tt.later))
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		want.TokenExpiresAt = c.TokenExpiresAt.Add(tt.want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if stored, err := s.Get(t.Context(), c.ID); err != nil || stored != got {
			t.Errorf("%s: stored is %v, %v; want what Refresh returned", tt.name, stored, err)
		}
	}
	eventuallyByUser(t, s, c.UserID, want)
}

func refreshNotOwned(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	put(t, s, c)
	for name, ids := range map[string]struct{ connection, user string }{
		"another user's":       {c.ID, c.UserID + otherSuffix},
		"an absent connection": {c.ID + "-absent", c.UserID},
	} {
		if _, err := s.Refresh(t.Context(), ids.connection, ids.user, c.TokenExpiresAt.Add(time.Hour)); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != c {
		t.Errorf("the connection is %v, %v; want it unchanged", got, err)
	}
	if _, err := s.Get(t.Context(), c.ID+"-absent"); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get of the absent connection after a refresh: %v, want ErrNotFound", err)
	}
	eventuallyByUser(t, s, c.UserID, c)
}

// refreshDeleted runs refreshes and a deletion at once. The connection must be deleted at the end.
func refreshDeleted(t *testing.T, s Connections) {
	for n := range concurrency {
		c := newConnection(t, n)
		put(t, s, c)
		var all sync.WaitGroup
		for later := range concurrency {
			all.Go(func() {
				got, err := s.Refresh(t.Context(), c.ID, c.UserID, c.TokenExpiresAt.Add(time.Duration(later+1)*time.Minute))
				if err != nil && !errors.Is(err, connection.ErrNotFound) {
					t.Errorf("refresh: %v", err)
				}
				if err == nil && got.ID != c.ID {
					t.Errorf("refreshed %v", got)
				}
			})
		}
		all.Go(func() {
			if err := s.Delete(t.Context(), c.ID); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
		all.Wait()
		if got, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("after its deletion the connection is %v, %v", got, err)
		}
	}
	eventuallyByUser(t, s, t.Name())
}

// concurrentRefreshes checks that the latest expiry is stored, whatever the order of the refreshes.
func concurrentRefreshes(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	put(t, s, c)
	var all sync.WaitGroup
	for later := range concurrency {
		until := c.TokenExpiresAt.Add(time.Duration(later) * time.Minute)
		all.Go(func() {
			got, err := s.Refresh(t.Context(), c.ID, c.UserID, until)
			if err != nil || got.TokenExpiresAt.Before(until) {
				t.Errorf("refresh until %v: %v, %v", until, got, err)
			}
		})
	}
	all.Wait()
	want := c
	want.TokenExpiresAt = c.TokenExpiresAt.Add((concurrency - 1) * time.Minute)
	eventuallyByUser(t, s, c.UserID, want)
}

// endedSessions stores sessions that end around the time at: with their tokens, or by their age. It calls EndedSessions at several
// times. A session must be found from its end until exactly ten minutes later.
func endedSessions(t *testing.T, s Connections) {
	at := testDay(t).Add(time.Hour)
	const longest = -connection.MaxSessionDuration
	store := func(n int, tokenExpires, connected time.Duration) connection.Connection { // both relative to at
		c := newConnection(t, n)
		c.ConnectedAt, c.TokenExpiresAt = at.Add(connected), at.Add(tokenExpires)
		put(t, s, c)
		return c
	}
	early := store(1, -10*time.Minute-time.Second, -time.Hour)
	oldest := store(2, -10*time.Minute, -time.Hour)
	lastMinute := store(3, -time.Second, -time.Hour)
	now := store(4, 0, -time.Hour)
	soon := store(5, time.Second, -time.Hour)
	oldestByAge := store(6, 20*time.Hour, longest-10*time.Minute)
	nowByAge := store(7, 20*time.Hour, longest)
	soonByAge := store(8, 20*time.Hour, longest+time.Millisecond)
	for _, tt := range []struct {
		name string
		at   time.Time
		want []connection.Connection
	}{
		{"the first moment of a minute", at, []connection.Connection{oldest, lastMinute, now, oldestByAge, nowByAge}},
		{"the last moment of the minute before", at.Add(-time.Millisecond), []connection.Connection{oldest, lastMinute, oldestByAge}},
		{"a second later", at.Add(time.Second), []connection.Connection{lastMinute, now, soon, nowByAge, soonByAge}},
		{"a second earlier", at.Add(-time.Second), []connection.Connection{early, oldest, lastMinute, oldestByAge}},
		{"ten minutes later", at.Add(connection.EndedLookback), []connection.Connection{now, soon, nowByAge, soonByAge}},
		{"an hour later", at.Add(time.Hour), nil},
		{"before anything ends", at.Add(-time.Hour), nil},
	} {
		eventuallyEnded(t, s, tt.name, tt.at, tt.want...)
	}
}

// endedSessionsAfterRefresh refreshes a session twice. EndedSessions must yield it at its newest end only.
func endedSessionsAfterRefresh(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	c.ConnectedAt = testDay(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(30 * time.Minute)
	put(t, s, c)
	first := c.SessionEnd()
	eventuallyEnded(t, s, "before the refresh", first, c)
	refreshed, err := s.Refresh(t.Context(), c.ID, c.UserID, first.Add(45*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	eventuallyEnded(t, s, "at the first token's expiry", first)
	eventuallyEnded(t, s, "at the second token's expiry", refreshed.SessionEnd(), refreshed)
	if refreshed, err = s.Refresh(t.Context(), c.ID, c.UserID, first.Add(20*time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventuallyEnded(t, s, "at the second token's expiry, after a refresh with a third token", first.Add(45*time.Minute))
	eventuallyEnded(t, s, "at the longest session's end", c.ConnectedAt.Add(connection.MaxSessionDuration), refreshed)
	if err := s.Delete(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	eventuallyEnded(t, s, "after its deletion", c.ConnectedAt.Add(connection.MaxSessionDuration))
}

// endedSessionsRestarts stops an iteration and starts it again.
func endedSessionsRestarts(t *testing.T, s Connections) {
	const sessions = 3
	connections := make([]connection.Connection, 0, sessions)
	for n := range sessions {
		c := newConnection(t, n)
		c.ConnectedAt = testDay(t)
		c.TokenExpiresAt = c.ConnectedAt.Add(time.Duration(n) * time.Minute)
		put(t, s, c)
		connections = append(connections, c)
	}
	at := testDay(t).Add(5 * time.Minute)
	eventuallyEnded(t, s, "all sessions", at, connections...)
	seq := s.EndedSessions(t.Context(), at)
	for c, err := range seq {
		if err != nil || c != connections[0] {
			t.Errorf("the first session is %v, %v; want %v, which ended first", c, err, connections[0])
		}
		break
	}
	n := 0
	for range seq {
		n++
	}
	if n != len(connections) {
		t.Errorf("%d sessions in the second iteration, want %d", n, len(connections))
	}
}

// deleteOnce makes ten concurrent calls of DeleteIfUnchanged for each of ten connections. One call per connection must return true.
func deleteOnce(t *testing.T, s Connections) {
	for n := range concurrency {
		c := newConnection(t, n)
		put(t, s, c)
		var deletions atomic.Int64
		var all sync.WaitGroup
		for range concurrency {
			all.Go(func() {
				deleted, err := s.DeleteIfUnchanged(t.Context(), c)
				if err != nil {
					t.Errorf("delete: %v", err)
				}
				if deleted {
					deletions.Add(1)
				}
			})
		}
		all.Wait()
		if deletions.Load() != 1 {
			t.Errorf("%d of %d calls deleted one connection, want 1", deletions.Load(), concurrency)
		}
		if _, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("Get after DeleteIfUnchanged: %v, want ErrNotFound", err)
		}
	}
	eventuallyByUser(t, s, t.Name())
}

// deleteChanged calls DeleteIfUnchanged with connections that differ from the stored ones.
func deleteChanged(t *testing.T, s Connections) {
	beforeRefresh, two, three := newConnection(t, 1), newConnection(t, 2), newConnection(t, 3)
	put(t, s, beforeRefresh, two, three)
	refreshed, err := s.Refresh(t.Context(), beforeRefresh.ID, beforeRefresh.UserID, beforeRefresh.TokenExpiresAt.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	otherUser, earlier := two, three
	otherUser.UserID += otherSuffix
	earlier.ConnectedAt = earlier.ConnectedAt.Add(-time.Millisecond)
	for name, c := range map[string]connection.Connection{
		"a session before its refresh": beforeRefresh, "another user's": otherUser, "an earlier connection": earlier, "an absent connection": newConnection(t, 4),
	} {
		if deleted, err := s.DeleteIfUnchanged(t.Context(), c); deleted || err != nil {
			t.Errorf("%s: deleted %v, %v; want false", name, deleted, err)
		}
	}
	eventuallyByUser(t, s, t.Name(), refreshed, two, three)
	if deleted, err := s.DeleteIfUnchanged(t.Context(), refreshed); !deleted || err != nil {
		t.Errorf("the refreshed session: deleted %v, %v; want true", deleted, err)
	}
}

// deleteAgainstRefresh checks that exactly one of a deletion and a refresh succeeds.
func deleteAgainstRefresh(t *testing.T, s Connections) {
	for n := range concurrency {
		c := newConnection(t, n)
		put(t, s, c)
		var deleted bool
		var deleteErr, refreshErr error
		var all sync.WaitGroup
		all.Go(func() { deleted, deleteErr = s.DeleteIfUnchanged(t.Context(), c) })
		all.Go(func() { _, refreshErr = s.Refresh(t.Context(), c.ID, c.UserID, c.TokenExpiresAt.Add(time.Hour)) })
		all.Wait()
		_, err := s.Get(t.Context(), c.ID)
		if refreshErr != nil && !errors.Is(refreshErr, connection.ErrNotFound) {
			t.Errorf("refresh: %v", refreshErr)
		}
		refreshed, gone := refreshErr == nil, errors.Is(err, connection.ErrNotFound)
		if deleteErr != nil || deleted == refreshed || deleted != gone {
			t.Errorf("deleted %v, %v; refresh: %v; then Get: %v", deleted, deleteErr, refreshErr, err)
		}
	}
}

// eventuallyEnded fails unless EndedSessions yields exactly the wanted connections of this test within maxIndexLag.
func eventuallyEnded(t *testing.T, s Connections, name string, at time.Time, want ...connection.Connection) {
	t.Helper()
	wanted := map[string]connection.Connection{}
	for _, c := range want {
		wanted[c.ID] = c
	}
	deadline := time.Now().Add(maxIndexLag)
	for {
		got, n := map[string]connection.Connection{}, 0
		for c, err := range s.EndedSessions(t.Context(), at) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if c.UserID == t.Name() {
				got[c.ID] = c
				n++
			}
		}
		if n == len(want) && maps.Equal(got, wanted) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: EndedSessions yields %v (%d connections), want %v", name, slices.Sorted(maps.Keys(got)), n, slices.Sorted(maps.Keys(wanted)))
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// testDay returns a midnight that depends on the test's name. So few tests have sessions that end at the same time, which
// EndedSessions would yield together.
func testDay(t *testing.T) time.Time {
	t.Helper()
	sum := 0
	for _, b := range []byte(t.Name()) {
		sum = (sum*31 + int(b)) % 300 // a hash of the name: one of 300 days
	}
	return time.Date(2027, 1, 1+sum, 0, 0, 0, 0, time.UTC)
}
