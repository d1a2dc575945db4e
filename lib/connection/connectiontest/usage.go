package connectiontest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
)

// concurrentCounts is how many goroutines call a method of Usage at once.
const concurrentCounts = 50

// concurrentSpends checks that the grants of fifty concurrent calls add up to exactly the limit.
func concurrentSpends(t *testing.T, s Connections) {
	at := testDay(t).Add(10 * time.Hour)
	const cost, limit = 3, 100
	var mu sync.Mutex
	var all sync.WaitGroup
	granted := map[int]int{}
	for n := range concurrentCounts {
		all.Go(func() {
			spent, err := s.Spend(t.Context(), t.Name(), newConnection(t, n).ID, cost, limit, at.Add(time.Duration(n)*time.Second))
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			granted[spent.Granted]++
		})
	}
	all.Wait()
	// 33 calls get the whole cost, one gets the rest of the limit, and the others get nothing.
	if diff := cmp.Diff(map[int]int{cost: limit / cost, limit % cost: 1, 0: concurrentCounts - limit/cost - 1}, granted); diff != "" {
		t.Errorf("calls by granted cost (-want +got):\n%s", diff)
	}
}

// spendPerMinute makes calls of two users one after the other, within some minutes.
func spendPerMinute(t *testing.T, s Connections) {
	at := testDay(t).Add(10 * time.Hour)
	for i, tt := range []struct {
		user        string
		cost, limit int
		after       time.Duration // after at, which is the first moment of a minute
		want        int           // granted
	}{
		{"a", 4, 10, 0, 4},
		{"a", 4, 10, time.Second, 4},
		{"b", 10, 10, time.Second, 10},
		{"a", 4, 10, time.Minute - time.Millisecond, 2},
		{"a", 1, 10, time.Minute - time.Millisecond, 0},
		{"a", 1, 13, time.Minute - time.Millisecond, 1},
		{"a", 20, 10, time.Minute, 10},
		{"a", 1, 10, time.Minute - time.Millisecond, 0}, // a clock that is behind
		{"a", 1, 10, time.Minute, 0},
		{"a", 1, 10, 2 * time.Minute, 1},
		{"a", 1, 10, time.Hour, 1},
		{"a", 1, 0, 3 * time.Hour, 0},
	} {
		got, err := s.Spend(t.Context(), t.Name()+tt.user, newConnection(t, 1).ID, tt.cost, tt.limit, at.Add(tt.after))
		if err != nil || got.Granted != tt.want {
			t.Errorf("request %d: %+v, %v; want %d granted", i, got, err, tt.want)
		}
	}
}

// concurrentConnects makes fifty concurrent calls. They share one limit, which allows forty of them. Each of the forty must get the
// connections of the calls before it and its own: one gets 1 connection, one gets 2, and so on up to 40.
func concurrentConnects(t *testing.T, s Connections) {
	at := testDay(t).Add(10 * time.Hour)
	const cost, limit = 3, 120
	const allowed = limit / cost
	var mu sync.Mutex
	var counts []int
	var all sync.WaitGroup
	for n := range concurrentCounts {
		all.Go(func() {
			id := newConnection(t, n).ID
			// limit+cost-1 is the highest limit that does not allow one more call.
			user, ok, err := s.Connect(t.Context(), t.Name(), id, cost, limit+cost-1, at)
			if err != nil || ok && !user.LastSeen[id].Equal(at) {
				t.Errorf("connect %s: %v, %v", id, user, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				counts = append(counts, len(user.LastSeen))
			}
		})
	}
	all.Wait()
	slices.Sort(counts)
	if want := slices.Collect(oneTo(allowed)); !slices.Equal(counts, want) {
		t.Fatalf("the calls returned %v connections, want 1 to %d", counts, allowed)
	}
	// Connect and Spend share the sum of the minute: one more than the limit leaves 1.
	if spent, err := s.Spend(t.Context(), t.Name(), "one", 5, limit+1, at); spent.Granted != 1 || err != nil {
		t.Errorf("Spend after the connects: %v, %v; want 1 granted", spent, err)
	}
	for after, want := range map[time.Duration]bool{59 * time.Second: false, time.Minute: true} {
		if _, ok, err := s.Connect(t.Context(), t.Name(), "later", cost, limit, at.Add(after)); ok != want || err != nil {
			t.Errorf("after %v: %v, %v; want %v", after, ok, err, want)
		}
	}
	if _, ok, err := s.Connect(t.Context(), t.Name()+otherSuffix, "theirs", cost, limit, at); !ok || err != nil {
		t.Errorf("another user: %v, %v; want true", ok, err)
	}
}

// oneTo yields 1 to n.
func oneTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i + 1) {
				return
			}
		}
	}
}

// connectLastSeen checks that a connect returns when the user's other connections were last seen, for up to two hours.
func connectLastSeen(t *testing.T, s Connections) {
	at := testDay(t).Add(10*time.Hour + 123*time.Millisecond)
	first, second, third := newConnection(t, 1).ID, newConnection(t, 2).ID, newConnection(t, 3).ID
	connect := func(id string, after time.Duration, want map[string]time.Duration) {
		t.Helper()
		user, ok, err := s.Connect(t.Context(), t.Name(), id, 1, concurrentCounts, at.Add(after))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got := map[string]time.Duration{}
		for id, seen := range user.LastSeen {
			got[id] = seen.Sub(at)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s after %v: last seen (-want +got):\n%s", id, after, diff)
		}
	}
	connect(first, 0, map[string]time.Duration{first: 0})
	connect(second, time.Second, map[string]time.Duration{first: 0, second: time.Second})
	for after, limit := range map[time.Duration]int{time.Hour: 10, 2 * time.Hour: 0} { // The limit 0 refuses the message, so it does not count as seen.
		if _, err := s.Spend(t.Context(), t.Name(), first, 1, limit, at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	connect(third, 2*time.Hour, map[string]time.Duration{first: time.Hour, second: time.Second, third: 2 * time.Hour})
	connect(third, 2*time.Hour+time.Second, map[string]time.Duration{first: time.Hour, third: 2*time.Hour + time.Second})
	for n := range 100 { // Each connection is too old when the next one comes.
		later := time.Duration(n) * 3 * time.Hour
		id := newConnection(t, 4+n).ID
		connect(id, 24*time.Hour+later, map[string]time.Duration{id: 24*time.Hour + later})
	}
}

// removeFromUser closes and evicts connections one call after the other, and then by concurrent calls.
func removeFromUser(t *testing.T, s Connections) {
	at := testDay(t).Add(10 * time.Hour)
	ids := make([]string, 250) // more than one request to DynamoDB can remove
	for n := range ids {
		ids[n] = fmt.Sprintf("%s-%03d", t.Name(), n)
		if _, _, err := s.Connect(t.Context(), t.Name(), ids[n], 1, len(ids), at); err != nil {
			t.Fatal(err)
		}
	}
	checkEvicted := func(name string, evicted ...string) {
		t.Helper()
		spent, err := s.Spend(t.Context(), t.Name(), ids[0], 1, 1000, at)
		if err != nil || fmt.Sprint(spent.Evicted) != fmt.Sprint(evicted) {
			t.Errorf("%s: %v, %v; want %v evicted", name, spent, err, evicted)
		}
	}
	remove := func(closed, evicted, want []string) {
		t.Helper()
		removed, err := s.RemoveFromUser(t.Context(), t.Name(), closed, evicted, at)
		slices.Sort(removed)
		if err != nil || !slices.Equal(removed, want) {
			t.Errorf("%d closed, %d evicted: %v are removed, %v; want %v", len(closed), len(evicted), removed, err, want)
		}
	}
	checkEvicted("at first")
	remove(ids[3:], ids[1:3], ids[1:])
	checkEvicted("after two evictions", ids[1], ids[2])
	user, _, err := s.Connect(t.Context(), t.Name(), "new", 0, 1000, at)
	if err != nil || len(user.LastSeen) != 2 {
		t.Errorf("last seen are %v, %v; want the first and the new one", user.LastSeen, err)
	}
	remove(ids[3:], ids[1:3], nil)
	remove(ids[1:2], nil, ids[1:2])
	remove(ids[1:2], nil, nil)
	checkEvicted("after one was closed", ids[2])
	remove(nil, nil, nil)
	var mu sync.Mutex
	var all sync.WaitGroup
	removed := map[string]int{}
	for n := range concurrency {
		all.Go(func() {
			closed, evicted := []string{ids[0], ids[2]}, []string{"new"}
			if n%2 == 0 { // Half of the calls evict the first connection instead of closing it.
				closed, evicted = ids[2:3], []string{ids[0], "new"}
			}
			got, err := s.RemoveFromUser(t.Context(), t.Name(), closed, evicted, at)
			if err != nil {
				t.Errorf("remove: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range got {
				removed[id]++
			}
		})
	}
	all.Wait()
	delete(removed, ids[0]) // Two calls may have returned it: one that evicted it, and then one that closed it.
	if diff := cmp.Diff(map[string]int{ids[2]: 1, "new": 1}, removed); diff != "" {
		t.Errorf("how many of %d concurrent calls removed each connection (-want +got):\n%s", concurrency, diff)
	}
}

// countRefusals counts fifty refusals of one connection concurrently: the calls must return 1 to 50.
func countRefusals(t *testing.T, s Connections) {
	at := testDay(t).Add(10 * time.Hour)
	var mu sync.Mutex
	var counts []int
	var all sync.WaitGroup
	for range concurrentCounts {
		all.Go(func() {
			n, err := s.CountRefusal(t.Context(), t.Name(), at)
			if err != nil {
				t.Errorf("count refusal: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			counts = append(counts, n)
		})
	}
	all.Wait()
	slices.Sort(counts)
	for i, n := range counts {
		if n != i+1 {
			t.Fatalf("counts are %v, want 1 to %d", counts, concurrentCounts)
		}
	}
	for id, after := range map[string]time.Duration{t.Name(): time.Minute, t.Name() + otherSuffix: 0} {
		if n, err := s.CountRefusal(t.Context(), id, at.Add(after)); err != nil || n != 1 {
			t.Errorf("%s after %v: %d, %v; want 1", id, after, n, err)
		}
	}
}

// usageIsSeparate checks that counting neither adds nor changes connections.
func usageIsSeparate(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	c.ConnectedAt = testDay(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	put(t, s, c)
	at := c.TokenExpiresAt
	_, _, connectErr := s.Connect(t.Context(), c.UserID, c.ID, 1, 1, at)
	_, spendErr := s.Spend(t.Context(), c.UserID, c.ID, 1, 10, at)
	_, refusalErr := s.CountRefusal(t.Context(), c.ID, at)
	_, removeErr := s.RemoveFromUser(t.Context(), c.UserID, []string{c.ID}, nil, at)
	if err := errors.Join(connectErr, spendErr, refusalErr, removeErr); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != c {
		t.Errorf("the connection is %v, %v; want it as it was put", got, err)
	}
	// The first two ids are the keys of usage in DynamoDB.
	for _, id := range []string{"user#" + c.UserID, "refused#" + c.ID, c.UserID} {
		if got, err := s.Get(t.Context(), id); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("Get(%q) is %v, %v; want ErrNotFound", id, got, err)
		}
		if _, err := s.Refresh(t.Context(), id, c.UserID, c.TokenExpiresAt.Add(time.Hour)); !errors.Is(err, connection.ErrNotFound) {
			t.Errorf("Refresh(%q): %v, want ErrNotFound", id, err)
		}
	}
	eventuallyByUser(t, s, c.UserID, c)
	eventuallyEnded(t, s, "sessions", c.TokenExpiresAt, c)
}
