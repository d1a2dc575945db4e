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

// userNameVerifier is a verifier that accepts every token. The token is the id of its user.
type userNameVerifier struct{}

func (userNameVerifier) Verify(_ context.Context, user string) (auth.Claims, error) {
	return auth.Claims{Subject: user, ExpiresAt: time.Now().Add(24 * time.Hour)}, nil
}

// handshake handles $connect for a user and returns the HTTP status of the response.
func (w *fixture) handshake(id, user string) int {
	w.Helper()
	h := &session.Connect{Verifier: userNameVerifier{}, Store: w.store, Limits: w.handler.Limits, Log: w.logger}
	r := session.Request{QueryStringParameters: map[string]string{"token": user}}
	r.RequestContext.ConnectionID = id
	r.RequestContext.ConnectedAt = time.Now().UnixMilli()
	got, err := h.Handle(w.Context(), r)
	if err != nil {
		w.Fatal(err)
	}
	return got.StatusCode
}

// countOpen counts the user's connections whose sessions have not ended.
func (w *fixture) countOpen(user string) int {
	n := 0
	for c, err := range w.store.Memory.ByUser(w.Context(), user) {
		if err != nil {
			w.Fatal(err)
		}
		if time.Now().Before(c.SessionEnd()) {
			n++
		}
	}
	return n
}

// TestConnectEvictsTheLeastRecentlySeenConnection: the next message of the user closes the evicted connection with a closing
// frame. That message is usually the first sync of the new connection.
func TestConnectEvictsTheLeastRecentlySeenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		for n := range 50 {
			w.handshake(fmt.Sprint("c", n), "u1")
			w.handshake(fmt.Sprint("theirs", n), "u2")
			time.Sleep(3 * time.Second)
		}
		w.send("c0", `{"action":"sync"}`)
		w.gateway.takeFrames("c0")
		time.Sleep(time.Minute)
		if n := w.countOpen("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		w.handshake("new", "u1")
		if n := w.countOpen("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		w.checkClosed("c1", false)
		w.send("new", `{"action":"sync"}`)
		w.checkFrames("c1", "closing CONNECTION_LIMIT reconnect=false")
		w.checkClosed("c1", true)
		w.checkStored("c1", false)
		w.checkFrames("new", "welcome", synced)
		for _, id := range []string{"c0", "c2", "c49", "theirs1"} {
			w.checkClosed(id, false)
		}
		w.send("c2", `{"action":"sync"}`)
		w.checkFrames("c2", "welcome", synced)
		w.checkFrames("c1")
	})
}

// TestReaperClosesEvictedConnections has a user who sends nothing.
func TestReaperClosesEvictedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.store.IndexLag = time.Second
		w.handler.Limits.MaxConnections = 3
		for n := range 5 {
			w.handshake(fmt.Sprint("c", n), "u1")
			time.Sleep(20 * time.Second)
		}
		w.runReaper()
		for n := range 5 {
			w.checkClosed(fmt.Sprint("c", n), n < 2)
			w.checkStored(fmt.Sprint("c", n), n >= 2)
		}
		w.checkFrames("c1", "closing CONNECTION_LIMIT reconnect=false")
		w.checkFrames("c2")
	})
}

// TestMessageOfAnEvictedConnectionClosesIt checks that any message of an evicted connection closes it with the code
// CONNECTION_LIMIT.
func TestMessageOfAnEvictedConnectionClosesIt(t *testing.T) {
	for _, body := range []string{`{"action":"sync"}`, refresh, dance} {
		synctest.Test(t, func(t *testing.T) {
			w := newFixture(t)
			w.handler.Limits.MaxConnections = 1
			w.addToken("good", "u1", time.Now().Add(48*time.Hour))
			w.handshake("c0", "u1")
			time.Sleep(time.Minute)
			w.handshake("c1", "u1")
			w.send("c0", body)
			w.checkFrames("c0", "closing CONNECTION_LIMIT reconnect=false")
			w.checkClosed("c0", true)
			w.send("c1", `{"action":"sync"}`)
			w.checkFrames("c1", "welcome", synced)
		})
	}
}

// TestConcurrentConnectsStayUnderTheConnectionLimit checks that, for any lag of the index, a user has at most 50 connections after
// 100 concurrent connects, before any message.
func TestConcurrentConnectsStayUnderTheConnectionLimit(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newFixture(t)
			w.store.IndexLag = lag
			var all sync.WaitGroup
			for n := range 100 {
				all.Go(func() {
					w.handshake(fmt.Sprint("c", n), "u1") // may be refused: later ones may already have evicted it
				})
			}
			all.Wait()
			open := 0
			for n := range 100 {
				c, err := w.store.Get(t.Context(), fmt.Sprint("c", n))
				if err == nil && time.Now().Before(c.SessionEnd()) {
					open++
				}
			}
			if open > 50 || open < 45 { // a few may be evicted in vain
				t.Errorf("index lag %v: %d are open, want 50 or little less", lag, open)
			}
		})
	}
}

// TestClosedConnectionsDoNotCountAgainstTheLimit has a user who loads pages again and again. The open tabs stay open.
func TestClosedConnectionsDoNotCountAgainstTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.store.IndexLag = time.Second
		for n := range 49 {
			w.handshake(fmt.Sprint("open", n), "u1")
		}
		for n := range 300 {
			time.Sleep(3 * time.Second)
			id := fmt.Sprint("page", n)
			w.handshake(id, "u1")
			time.Sleep(time.Second)
			w.disconnect(id)
		}
		time.Sleep(time.Minute)
		if n := w.countOpen("u1"); n != 49 {
			t.Errorf("%d are open, want 49", n)
		}
	})
}

// disconnect runs $disconnect.
func (w *fixture) disconnect(id string) {
	w.Helper()
	r := session.Request{}
	r.RequestContext.ConnectionID = id
	if _, err := (&session.Disconnect{Store: w.store}).Handle(w.Context(), r); err != nil {
		w.Fatal(err)
	}
}

// TestConnectsAreRateLimited: a connect costs as much as three posts, and a user's budget is 2,400 posts in a minute.
func TestConnectsAreRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		statuses := map[int]int{}
		for n := range 850 {
			id := fmt.Sprint("c", n)
			status := w.handshake(id, "u1")
			statuses[status]++
			w.checkStored(id, status == 200)
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

// TestConnectSucceedsWhenEvictionFails: the next connect evicts.
func TestConnectSucceedsWhenEvictionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t)
		w.handler.Limits.MaxConnections = 2
		w.handshake("c0", "u1")
		w.handshake("c1", "u1")
		time.Sleep(time.Minute)
		w.fail["ByUser"] = errStore
		if status := w.handshake("c2", "u1"); status != 200 || !strings.Contains(w.log.String(), "evict connections") {
			t.Errorf("status %d, log %s", status, w.log)
		}
		delete(w.fail, "ByUser")
		w.handshake("c3", "u1")
		if n := w.countOpen("u1"); n != 2 {
			t.Errorf("%d are open, want 2", n)
		}
	})
}
