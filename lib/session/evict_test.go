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
func (f *fixture) handshake(id, user string) int {
	f.Helper()
	h := &session.Connect{Verifier: userNameVerifier{}, Store: f.store, Limits: f.handler.Limits, Log: f.logger, Metrics: f.handler.Metrics}
	r := session.Request{QueryStringParameters: map[string]string{"token": user}}
	r.RequestContext.ConnectionID = id
	r.RequestContext.ConnectedAt = time.Now().UnixMilli()
	got, err := h.Handle(f.Context(), r)
	if err != nil {
		f.Fatal(err)
	}
	return got.StatusCode
}

// countOpen counts the user's connections whose sessions have not ended.
func (f *fixture) countOpen(user string) int {
	n := 0
	for c, err := range f.store.Memory.ByUser(f.Context(), user) {
		if err != nil {
			f.Fatal(err)
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
		f := newFixture(t)
		for n := range 50 {
			f.handshake(fmt.Sprint("c", n), "u1")
			f.handshake(fmt.Sprint("theirs", n), "u2")
			time.Sleep(3 * time.Second)
		}
		f.send("c0", `{"action":"sync"}`)
		f.gateway.takeFrames("c0")
		time.Sleep(time.Minute)
		if n := f.countOpen("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		f.handshake("new", "u1")
		if n := f.countOpen("u1"); n != 50 {
			t.Errorf("%d are open, want 50", n)
		}
		f.checkClosed("c1", false)
		f.send("new", `{"action":"sync"}`)
		f.checkFrames("c1", "closing CONNECTION_LIMIT reconnect=false")
		f.checkClosed("c1", true)
		f.checkStored("c1", false)
		f.checkFrames("new", "welcome", synced)
		for _, id := range []string{"c0", "c2", "c49", "theirs1"} {
			f.checkClosed(id, false)
		}
		f.send("c2", `{"action":"sync"}`)
		f.checkFrames("c2", "welcome", synced)
		f.checkFrames("c1")
	})
}

// TestReaperClosesEvictedConnections has a user who sends nothing.
func TestReaperClosesEvictedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.IndexLag = time.Second
		f.handler.Limits.MaxConnections = 3
		for n := range 5 {
			f.handshake(fmt.Sprint("c", n), "u1")
			time.Sleep(20 * time.Second)
		}
		f.runReaper()
		for n := range 5 {
			f.checkClosed(fmt.Sprint("c", n), n < 2)
			f.checkStored(fmt.Sprint("c", n), n >= 2)
		}
		f.checkFrames("c1", "closing CONNECTION_LIMIT reconnect=false")
		f.checkFrames("c2")
	})
}

// TestMessageOfAnEvictedConnectionClosesIt checks that any message of an evicted connection closes it with the code
// CONNECTION_LIMIT.
func TestMessageOfAnEvictedConnectionClosesIt(t *testing.T) {
	for _, body := range []string{`{"action":"sync"}`, refresh, dance} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.handler.Limits.MaxConnections = 1
			f.addToken("good", "u1", time.Now().Add(48*time.Hour))
			f.handshake("c0", "u1")
			time.Sleep(time.Minute)
			f.handshake("c1", "u1")
			f.send("c0", body)
			f.checkFrames("c0", "closing CONNECTION_LIMIT reconnect=false")
			f.checkClosed("c0", true)
			f.send("c1", `{"action":"sync"}`)
			f.checkFrames("c1", "welcome", synced)
		})
	}
}

// TestConcurrentConnectsStayUnderTheConnectionLimit checks that, for any lag of the index, a user has at most 50 connections after
// 100 concurrent connects, before any message.
func TestConcurrentConnectsStayUnderTheConnectionLimit(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.store.IndexLag = lag
			var all sync.WaitGroup
			for n := range 100 {
				all.Go(func() {
					f.handshake(fmt.Sprint("c", n), "u1") // may be refused: later ones may already have evicted it
				})
			}
			all.Wait()
			open := 0
			for n := range 100 {
				c, err := f.store.Get(t.Context(), fmt.Sprint("c", n))
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
		f := newFixture(t)
		f.store.IndexLag = time.Second
		for n := range 49 {
			f.handshake(fmt.Sprint("open", n), "u1")
		}
		for n := range 300 {
			time.Sleep(3 * time.Second)
			id := fmt.Sprint("page", n)
			f.handshake(id, "u1")
			time.Sleep(time.Second)
			f.disconnect(id)
		}
		time.Sleep(time.Minute)
		if n := f.countOpen("u1"); n != 49 {
			t.Errorf("%d are open, want 49", n)
		}
	})
}

// disconnect runs $disconnect.
func (f *fixture) disconnect(id string) {
	f.Helper()
	r := session.Request{}
	r.RequestContext.ConnectionID = id
	if _, err := (&session.Disconnect{Store: f.store}).Handle(f.Context(), r); err != nil {
		f.Fatal(err)
	}
}

// TestConnectsAreRateLimited: a connect costs as much as three posts, and a user's budget is 2,400 posts in a minute.
func TestConnectsAreRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		statuses := map[int]int{}
		for n := range 850 {
			id := fmt.Sprint("c", n)
			status := f.handshake(id, "u1")
			statuses[status]++
			f.checkStored(id, status == 200)
		}
		if statuses[200] != 800 || statuses[429] != 50 {
			t.Errorf("statuses are %v, want 800 times 200", statuses)
		}
		if status := f.handshake("theirs", "u2"); status != 200 {
			t.Errorf("another user gets %d", status)
		}
		time.Sleep(time.Minute)
		if status := f.handshake("later", "u1"); status != 200 {
			t.Errorf("a minute later: %d", status)
		}
	})
}

// TestConnectSucceedsWhenEvictionFails: the next connect evicts.
func TestConnectSucceedsWhenEvictionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits.MaxConnections = 2
		f.handshake("c0", "u1")
		f.handshake("c1", "u1")
		time.Sleep(time.Minute)
		f.fail["ByUser"] = errStore
		if status := f.handshake("c2", "u1"); status != 200 || !strings.Contains(f.log.String(), "evict connections") {
			t.Errorf("status %d, log %s", status, f.log)
		}
		delete(f.fail, "ByUser")
		f.handshake("c3", "u1")
		if n := f.countOpen("u1"); n != 2 {
			t.Errorf("%d are open, want 2", n)
		}
	})
}
