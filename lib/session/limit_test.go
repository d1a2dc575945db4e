package session_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/session"
)

const (
	limited = "error RATE_LIMITED: Too many requests in this minute"
	synced  = "synced jobs=0 notes=0 more=false"
)

// tally counts the frames that a connection got.
func (w *world) tally(id string) map[string]int {
	counts := map[string]int{}
	for _, e := range w.gateway.take(id) {
		counts[brief(e)]++
	}

	return counts
}

func TestSixtyCostlyRequestsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect("c1", "u1", 24*time.Hour)
		w.connect("c2", "u1", 24*time.Hour)
		w.token("good", "u1", c.TokenExpiresAt)
		instances := []*session.Default{w.instance(), w.instance()}
		ask := func(n int, bodies ...string) {
			for i := range n {
				if err := w.try(instances[i%2], "c1", bodies[i%len(bodies)]); err != nil {
					t.Fatal(err)
				}
			}
		}
		const sync, refresh = `{"action":"sync"}`, `{"action":"refresh","token":"good"}`
		ask(60, sync, sync, refresh)
		if diff := cmp.Diff(map[string]int{"welcome": 1, synced: 40, "refreshed": 20}, w.tally("c1")); diff != "" {
			t.Errorf("the first sixty (-want +got):\n%s", diff)
		}
		ask(60, sync, refresh)
		if diff := cmp.Diff(map[string]int{limited: 60}, w.tally("c1")); diff != "" {
			t.Errorf("the next sixty (-want +got):\n%s", diff)
		}
		w.closed("c1", false)
		w.stored("c1", true)
		w.send("c2", sync)
		w.sees("c2", "welcome", synced)
		ask(3, `{"action":"dance"}`, `{"action":"dismiss","id":"`+aNote+`"}`, `{"action":"sync","since":1}`)
		if counts := w.tally("c1"); len(counts) != 3 || counts[limited] != 0 {
			t.Errorf("what costs little is answered by %v", counts)
		}
		time.Sleep(time.Minute)
		ask(1, sync)
		w.sees("c1", synced)
		w.closed("c1", false)
	})
}

func TestWhoGoesOnIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("c1", "u1", time.Hour)
		instances := []*session.Default{w.instance(), w.instance(), w.instance()}
		var all sync.WaitGroup
		for n := range 120 {
			all.Go(func() {
				if err := w.try(instances[n%3], "c1", `{"action":"sync"}`); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if diff := cmp.Diff(map[string]int{"welcome": 1, synced: 60, limited: 60}, w.tally("c1")); diff != "" {
			t.Errorf("120 at once, on three instances (-want +got):\n%s", diff)
		}
		w.closed("c1", false)
		w.gateway.events = nil
		if err := w.try(instances[0], "c1", `{"action":"sync"}`); err != nil {
			t.Fatal(err)
		}
		w.sees("c1", "closing RATE_LIMITED reconnect=false")
		if diff := cmp.Diff([]string{"closing c1", "close c1"}, w.gateway.events); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		w.stored("c1", false)
	})
}

// TestNoneOfTooManyIsToldToReconnect: those that come while the farewell is said are not taken for an unknown connection's.
func TestNoneOfTooManyIsToldToReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("c1", "u1", time.Hour)
		for range 120 {
			w.send("c1", `{"action":"sync"}`)
		}
		w.gateway.tried, w.gateway.delay = nil, time.Second
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * 90 * time.Millisecond) // all before the first is closed
				if err := w.try(w.instance(), "c1", `{"action":"sync"}`); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, e := range w.gateway.tried { // whichever of them comes first
			if brief(e) != "closing RATE_LIMITED reconnect=false" {
				t.Errorf("it may be told %s", brief(e))
			}
		}
		w.closed("c1", true)
		w.stored("c1", false)
	})
}

func TestWhoGoesOnIsClosedThoughTheRowStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connect("c1", "u1", time.Hour)
		for range 120 {
			w.send("c1", `{"action":"sync"}`)
		}
		w.fail["Delete"] = errBroken
		w.gateway.take("c1")
		w.send("c1", `{"action":"sync"}`)
		w.sees("c1", "closing RATE_LIMITED reconnect=false")
		w.closed("c1", true)
		if !strings.Contains(w.log.String(), "delete connection") {
			t.Error("the log does not tell of the row that stays")
		}
	})
}
