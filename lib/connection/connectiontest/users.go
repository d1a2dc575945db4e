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

// counters is how many count at once.
const counters = 50

// spendExactly: of fifty who spend at once no more than the limit is granted, and no less.
func spendExactly(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	const cost, limit = 3, 100
	var mu sync.Mutex
	var all sync.WaitGroup
	granted := map[int]int{}
	for n := range counters {
		all.Go(func() {
			spent, err := s.Spend(t.Context(), t.Name(), sample(t, n).ID, cost, limit, at.Add(time.Duration(n)*time.Second))
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			granted[spent.Granted]++
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[int]int{cost: limit / cost, limit % cost: 1, 0: counters - limit/cost - 1}, granted); diff != "" {
		t.Errorf("how often how much was granted (-want +got):\n%s", diff)
	}
}

func spendWindows(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	for i, tt := range []struct {
		user        string
		cost, limit int
		after       time.Duration
		want        int
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
		got, err := s.Spend(t.Context(), t.Name()+tt.user, sample(t, 1).ID, tt.cost, tt.limit, at.Add(tt.after))
		if err != nil || got.Granted != tt.want {
			t.Errorf("request %d: %+v, %v; want %d granted", i, got, err, tt.want)
		}
	}
}

// enterExactly: each of fifty who connect at once sees itself, and another number of them; the limit is for all.
func enterExactly(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	const cost, limit, fits = 3, 120, 40
	var mu sync.Mutex
	var heard []int
	var all sync.WaitGroup
	for n := range counters {
		all.Go(func() {
			id := sample(t, n).ID
			user, ok, err := s.Enter(t.Context(), t.Name(), id, cost, limit+cost-1, at)
			if err != nil || ok && !user.Heard[id].Equal(at) {
				t.Errorf("enter %s: %v, %v", id, user, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				heard = append(heard, len(user.Heard))
			}
		})
	}
	all.Wait()
	slices.Sort(heard)
	if want := slices.Collect(upTo(fits)); !slices.Equal(heard, want) {
		t.Fatalf("they see %v connections, want 1 to %d", heard, fits)
	}
	if spent, err := s.Spend(t.Context(), t.Name(), "one", 5, limit+1, at); spent.Granted != 1 || err != nil {
		t.Errorf("then %v, %v; want 1 granted", spent, err)
	}
	for after, want := range map[time.Duration]bool{59 * time.Second: false, time.Minute: true} {
		if _, ok, err := s.Enter(t.Context(), t.Name(), "later", cost, limit, at.Add(after)); ok != want || err != nil {
			t.Errorf("after %v: %v, %v; want %v", after, ok, err, want)
		}
	}
	if _, ok, err := s.Enter(t.Context(), t.Name()+another, "theirs", cost, limit, at); !ok || err != nil {
		t.Errorf("another user: %v, %v; want true", ok, err)
	}
}

// upTo yields 1 to n.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i + 1) {
				return
			}
		}
	}
}

// enterRemembers: who connects sees when the others were heard, for as long as a connection lasts.
func enterRemembers(t *testing.T, s Connections) {
	at := day(t).Add(10*time.Hour + 123*time.Millisecond)
	first, second, third := sample(t, 1).ID, sample(t, 2).ID, sample(t, 3).ID
	enter := func(id string, after time.Duration, want map[string]time.Duration) {
		t.Helper()
		user, ok, err := s.Enter(t.Context(), t.Name(), id, 1, counters, at.Add(after))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		got := map[string]time.Duration{}
		for id, heard := range user.Heard {
			got[id] = heard.Sub(at)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s after %v: heard (-want +got):\n%s", id, after, diff)
		}
	}
	enter(first, 0, map[string]time.Duration{first: 0})
	enter(second, time.Second, map[string]time.Duration{first: 0, second: time.Second})
	for after, limit := range map[time.Duration]int{time.Hour: 10, 2 * time.Hour: 0} { // a refused message counts for nothing
		if _, err := s.Spend(t.Context(), t.Name(), first, 1, limit, at.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	enter(third, 2*time.Hour, map[string]time.Duration{first: time.Hour, second: time.Second, third: 2 * time.Hour})
	enter(third, 2*time.Hour+time.Second, map[string]time.Duration{first: time.Hour, third: 2*time.Hour + time.Second})
	for n := range 100 { // the row does not grow with the days
		later := time.Duration(n) * 3 * time.Hour
		id := sample(t, 4+n).ID
		enter(id, 24*time.Hour+later, map[string]time.Duration{id: 24*time.Hour + later})
	}
}

func forget(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	ids := make([]string, 250) // more than one request forgets
	for n := range ids {
		ids[n] = fmt.Sprintf("%s-%03d", t.Name(), n)
		if _, _, err := s.Enter(t.Context(), t.Name(), ids[n], 1, len(ids), at); err != nil {
			t.Fatal(err)
		}
	}
	see := func(name string, evicted ...string) {
		t.Helper()
		spent, err := s.Spend(t.Context(), t.Name(), ids[0], 1, 1000, at)
		if err != nil || fmt.Sprint(spent.Evicted) != fmt.Sprint(evicted) {
			t.Errorf("%s: %v, %v; want %v evicted", name, spent, err, evicted)
		}
	}
	forget := func(closed, evicted, want []string) {
		t.Helper()
		taken, err := s.Forget(t.Context(), t.Name(), closed, evicted, at)
		slices.Sort(taken)
		if err != nil || !slices.Equal(taken, want) {
			t.Errorf("%d closed, %d evicted: %v are taken, %v; want %v", len(closed), len(evicted), taken, err, want)
		}
	}
	see("at first")
	forget(ids[3:], ids[1:3], ids[1:])
	see("after two evictions", ids[1], ids[2])
	user, _, err := s.Enter(t.Context(), t.Name(), "new", 0, 1000, at)
	if err != nil || len(user.Heard) != 2 {
		t.Errorf("heard are %v, %v; want the first and the new one", user.Heard, err)
	}
	forget(ids[3:], ids[1:3], nil)
	forget(ids[1:2], nil, ids[1:2])
	forget(ids[1:2], nil, nil)
	see("after one was closed", ids[2])
	forget(nil, nil, nil)
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := 0
	for n := range racers {
		all.Go(func() {
			closed, evicted := []string{ids[0], ids[2]}, []string{"new"}
			if n%2 == 0 {
				closed, evicted = ids[2:3], []string{ids[0], "new"}
			}
			got, err := s.Forget(t.Context(), t.Name(), closed, evicted, at)
			if err != nil {
				t.Errorf("forget: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if slices.Contains(got, ids[2]) {
				taken++
			}
			if slices.Contains(got, "new") {
				taken += 100
			}
		})
	}
	all.Wait()
	if taken != 101 {
		t.Errorf("two connections are taken by %d of %d at once, want by one each", taken, racers)
	}
}

func refuse(t *testing.T, s Connections) {
	at := day(t).Add(10 * time.Hour)
	var mu sync.Mutex
	var counts []int
	var all sync.WaitGroup
	for range counters {
		all.Go(func() {
			n, err := s.Refuse(t.Context(), t.Name(), at)
			if err != nil {
				t.Errorf("refuse: %v", err)
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
			t.Fatalf("counts are %v, want 1 to %d", counts, counters)
		}
	}
	for id, after := range map[string]time.Duration{t.Name(): time.Minute, t.Name() + another: 0} {
		if n, err := s.Refuse(t.Context(), id, at.Add(after)); err != nil || n != 1 {
			t.Errorf("%s after %v: %d, %v; want 1", id, after, n, err)
		}
	}
}

// countApart: what is counted is no connection, and changes none.
func countApart(t *testing.T, s Connections) {
	c := sample(t, 1)
	c.ConnectedAt = day(t)
	c.TokenExpiresAt = c.ConnectedAt.Add(time.Hour)
	put(t, s, c)
	at := c.TokenExpiresAt
	_, _, entered := s.Enter(t.Context(), c.UserID, c.ID, 1, 1, at)
	_, spent := s.Spend(t.Context(), c.UserID, c.ID, 1, 10, at)
	_, refused := s.Refuse(t.Context(), c.ID, at)
	_, forgotten := s.Forget(t.Context(), c.UserID, []string{c.ID}, nil, at)
	if err := errors.Join(entered, spent, refused, forgotten); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), c.ID); err != nil || got != c {
		t.Errorf("the row is %v, %v; want it as it was put", got, err)
	}
	for _, id := range []string{"user#" + c.UserID, "refused#" + c.ID, c.UserID} {
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
