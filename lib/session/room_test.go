package session_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/session"
)

// named takes each token for that of the user whom it names.
type named struct{}

func (named) Verify(_ context.Context, user string) (auth.Claims, error) {
	return auth.Claims{Subject: user, ExpiresAt: time.Now().Add(24 * time.Hour)}, nil
}

// handshake connects a connection of a user by $connect, and returns the status.
func (w *world) handshake(id, user string) int {
	w.Helper()
	h := &session.Connect{Verifier: named{}, Store: w.store, Limits: w.handler.Limits, Log: w.logger}
	r := session.Request{QueryStringParameters: map[string]string{"token": user}}
	r.RequestContext.ConnectionID = id
	r.RequestContext.ConnectedAt = time.Now().UnixMilli()
	got, err := h.Handle(w.Context(), r)
	if err != nil {
		w.Fatal(err)
	}

	return got.StatusCode
}

// opened counts a user's connections whose sessions go on.
func (w *world) opened(user string) int {
	n := 0
	for c, err := range w.store.Memory.ByUser(w.Context(), user) {
		if err != nil {
			w.Fatal(err)
		}
		if time.Now().Before(c.End()) {
			n++
		}
	}

	return n
}

// TestTheOldestIdleConnectionMakesRoom: it is the one that was not heard for the longest time. It is told so and closed by
// the next message of the user, whose first is the new connection's own sync.
func TestTheOldestIdleConnectionMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range 50 {
			w.handshake(fmt.Sprint("c", n), "u1")
			w.handshake(fmt.Sprint("theirs", n), "u2")
			time.Sleep(3 * time.Second)
		}
		w.send("c0", `{"action":"sync"}`)
		w.gateway.take("c0")
		time.Sleep(time.Minute)
		if n := w.opened("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		w.handshake("new", "u1")
		if n := w.opened("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		w.closed("c1", false)
		w.send("new", `{"action":"sync"}`)
		w.sees("c1", "closing CONNECTION_LIMIT reconnect=false")
		w.closed("c1", true)
		w.stored("c1", false)
		w.sees("new", "welcome", synced)
		for _, id := range []string{"c0", "c2", "c49", "theirs1"} {
			w.closed(id, false)
		}
		w.send("c2", `{"action":"sync"}`)
		w.sees("c2", "welcome", synced)
		w.sees("c1")
	})
}

// TestAnEvictedConnectionIsClosedByTheReaper: where the user sends nothing.
func TestAnEvictedConnectionIsClosedByTheReaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.IndexLag = time.Second
		w.handler.Limits.MaxConnections = 3
		for n := range 5 {
			w.handshake(fmt.Sprint("c", n), "u1")
			time.Sleep(20 * time.Second)
		}
		w.reap()
		for n := range 5 {
			w.closed(fmt.Sprint("c", n), n < 2)
			w.stored(fmt.Sprint("c", n), n >= 2)
		}
		w.sees("c1", "closing CONNECTION_LIMIT reconnect=false")
		w.sees("c2")
	})
}

// TestAnEvictedConnectionIsNotAnswered: its next message closes it, for no other reason.
func TestAnEvictedConnectionIsNotAnswered(t *testing.T) {
	for _, body := range []string{`{"action":"sync"}`, refresh, dance} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.handler.Limits.MaxConnections = 1
			w.token("good", "u1", time.Now().Add(48*time.Hour))
			w.handshake("c0", "u1")
			time.Sleep(time.Minute)
			w.handshake("c1", "u1")
			w.send("c0", body)
			w.sees("c0", "closing CONNECTION_LIMIT reconnect=false")
			w.closed("c0", true)
			w.send("c1", `{"action":"sync"}`)
			w.sees("c1", "welcome", synced)
		})
	}
}

// TestConcurrentConnectsKeepTheLimit: whatever the index shows of them, at once and without any message.
func TestConcurrentConnectsKeepTheLimit(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.store.IndexLag = lag
			var all sync.WaitGroup
			for n := range 100 {
				all.Go(func() {
					w.handshake(fmt.Sprint("c", n), "u1") // the first may be refused: they are the oldest already
				})
			}
			all.Wait()
			open := 0
			for n := range 100 {
				c, err := w.store.Get(t.Context(), fmt.Sprint("c", n))
				if err == nil && time.Now().Before(c.End()) {
					open++
				}
			}
			if open > 50 || open < 45 {
				t.Errorf("index lag %v: %d are open, want 50 or little less", lag, open)
			}
		})
	}
}

// TestClosedConnectionsTakeNoRoom: a user who loads pages again and again keeps the tabs that are open.
func TestClosedConnectionsTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.IndexLag = time.Second
		for n := range 49 {
			w.handshake(fmt.Sprint("open", n), "u1")
		}
		for n := range 300 {
			time.Sleep(3 * time.Second)
			id := fmt.Sprint("page", n)
			w.handshake(id, "u1")
			time.Sleep(time.Second)
			w.leave(id)
		}
		time.Sleep(time.Minute)
		if n := w.opened("u1"); n != 49 {
			t.Errorf("%d are open, want 49", n)
		}
	})
}

// leave runs $disconnect.
func (w *world) leave(id string) {
	w.Helper()
	r := session.Request{}
	r.RequestContext.ConnectionID = id
	if _, err := (&session.Disconnect{Store: w.store}).Handle(w.Context(), r); err != nil {
		w.Fatal(err)
	}
}

// TestWhoConnectsAllTheTimeIsRefused: a connect costs as much as three posts.
func TestWhoConnectsAllTheTimeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		statuses := map[int]int{}
		for n := range 850 {
			id := fmt.Sprint("c", n)
			status := w.handshake(id, "u1")
			statuses[status]++
			w.stored(id, status == 200)
		}
		if statuses[200] != 800 || statuses[429] != 50 {
			t.Errorf("statuses are %v, want 800 times 200", statuses)
		}
		if status := w.handshake("theirs", "u2"); status != 200 {
			t.Errorf("another user gets %d", status)
		}
		time.Sleep(time.Minute)
		if status := w.handshake("later", "u1"); status != 200 {
			t.Errorf("a minute later: %d", status)
		}
	})
}

// TestNoRoomIsNoRefusal: where the store fails to make room, the next connect does.
func TestNoRoomIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.handler.Limits.MaxConnections = 2
		w.handshake("c0", "u1")
		w.handshake("c1", "u1")
		time.Sleep(time.Minute)
		w.fail["ByUser"] = errBroken
		if status := w.handshake("c2", "u1"); status != 200 || !strings.Contains(w.log.String(), "make room") {
			t.Errorf("status %d, log %s", status, w.log)
		}
		delete(w.fail, "ByUser")
		w.handshake("c3", "u1")
		if n := w.opened("u1"); n != 2 {
			t.Errorf("%d are open, want 2", n)
		}
	})
}
