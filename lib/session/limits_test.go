package session_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/session"
)

// Messages of a browser, and descriptions of the frames that answer messages.
const (
	budgetSpent   = "error RATE_LIMITED: Too many requests in this minute"
	synced        = "synced jobs=0 notes=0 more=false"
	refresh       = `{"action":"refresh","token":"good"}`
	dance         = `{"action":"dance"}` // an unknown action, which costs one post
	unknownAction = "error UNKNOWN_ACTION: This action is not known"
)

// smallLimits gives a user a budget of 36 posts: 60, minus 12 that are reserved for each of two connections.
var smallLimits = session.Limits{MaxConnections: 2, MaxPosts: 60}

// countFrames takes the frames of a connection and counts them by their descriptions.
func (f *fixture) countFrames(id string) map[string]int {
	counts := map[string]int{}
	for _, e := range f.gateway.takeFrames(id) {
		counts[describe(e)]++
	}
	return counts
}

func TestLimitsValidate(t *testing.T) {
	for _, tt := range []struct {
		limits session.Limits
		want   string
	}{
		{session.Limits{}, ""},
		{session.Limits{MaxConnections: 1}, ""},
		{session.Limits{MaxConnections: 500, MaxPosts: 7000}, ""},
		{session.Limits{MaxConnections: 501, MaxPosts: 100_000}, "session: MaxConnections must be from 1 to 500"},
		{session.Limits{MaxConnections: -1}, "session: MaxConnections must be from 1 to 500"},
		{session.Limits{MaxPosts: 1599}, "session: MaxPosts must be at least 1000, and 12 more for each of MaxConnections"},
		{session.Limits{MaxPosts: 1600}, ""},
		{session.Limits{MaxConnections: 167}, "session: MaxPosts must be at least 1000, and 12 more for each of MaxConnections"},
	} {
		if err := tt.limits.Validate(); fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
			t.Errorf("%+v: %v, want %q", tt.limits, err, tt.want)
		}
	}
}

// TestMessagesAreChargedByTheirPosts counts how many messages of each kind a budget of 36 posts allows, from any tab of the
// user.
func TestMessagesAreChargedByTheirPosts(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		jobs       int // of the user
		want       int // how many messages are answered before the first RATE_LIMITED
	}{
		{"unknown", dance, 0, 36},
		{"bad", `{"action":"sync","since":1}`, 0, 36},
		{"no object", `nonsense`, 0, 36},
		{"refresh", refresh, 0, 36},
		{"refused refresh", `{"action":"refresh","token":"forged"}`, 0, 36},
		{"dismissal of nothing, to two tabs", `{"action":"dismiss","id":"` + aNote + `"}`, 0, 18},
		{"empty sync", `{"action":"sync"}`, 0, 18},
		{"empty sync without welcome", `{"action":"sync","welcome":false}`, 0, 36},
		{"sync of four jobs", `{"action":"sync"}`, 4, 6},
		{"empty sync in a batch", `{"action":"sync","batch":true}`, 0, 36},
		{"sync of four jobs in a batch", `{"action":"sync","batch":true}`, 4, 36},
		{"sync of 200 jobs in two batches", `{"action":"sync","batch":true}`, 200, 18},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.handler.Limits = smallLimits
				f.addToken("good", "u1", time.Now().Add(time.Hour))
				f.connect("c1", "u1", time.Hour)
				f.connect("c2", "u1", time.Hour)
				for n := range tt.jobs {
					f.addJob("u1", fmt.Sprint("j", n), 1)
				}
				answered := 0
				for ; answered < 100; answered++ {
					id := []string{"c1", "c2"}[answered%2]
					f.send(id, tt.body)
					if counts := f.countFrames(id); counts[budgetSpent] > 0 || counts["synced jobs=0 notes=0 more=true retryAfter=61"] > 0 {
						break
					}
				}
				if answered != tt.want {
					t.Errorf("%d are answered in a minute, want %d", answered, tt.want)
				}
				time.Sleep(time.Minute)
				f.send("c1", dance)
				f.checkFrames("c1", unknownAction)
			})
		})
	}
}

// TestConnectionIsClosedAfterTenRefusals: two refused messages are answered, further ones are dropped, and the eleventh closes
// the connection. The user's other tabs and other users are not affected.
func TestConnectionIsClosedAfterTenRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		for _, id := range []string{"c1", "c2"} {
			f.connect(id, "u1", time.Hour)
		}
		f.connect("theirs", "u2", time.Hour)
		time.Sleep(20 * time.Second)
		for range 36 {
			f.send("c1", dance)
		}
		if diff := cmp.Diff(map[string]int{unknownAction: 36}, f.countFrames("c1")); diff != "" {
			t.Errorf("within the limit (-want +got):\n%s", diff)
		}
		for n := range 10 {
			f.send("c1", []string{dance, `{"action":"sync"}`}[n%2])
		}
		f.checkFrames("c1", budgetSpent, "synced jobs=0 notes=0 more=true retryAfter=41")
		f.checkClosed("c1", false)
		f.gateway.events = nil
		f.send("c1", dance)
		f.checkFrames("c1", "closing RATE_LIMITED reconnect=false")
		if diff := cmp.Diff([]string{"closing c1", "close c1"}, f.gateway.events); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		f.checkStored("c1", false)
		f.send("c2", `{"action":"sync"}`)
		f.checkFrames("c2", "synced jobs=0 notes=0 more=true retryAfter=41")
		f.checkClosed("c2", false)
		f.send("theirs", `{"action":"sync"}`)
		f.checkFrames("theirs", "welcome", synced)
		time.Sleep(41 * time.Second)
		f.send("c2", `{"action":"sync"}`)
		f.checkFrames("c2", "welcome", synced)
	})
}

// TestRateLimitedConnectionIsNeverToldToReconnect sends messages while the connection is being closed. They must not be
// answered as those of an unknown connection.
func TestRateLimitedConnectionIsNeverToldToReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		f.connect("c1", "u1", time.Hour)
		for range 36 + 10 {
			f.send("c1", dance)
		}
		f.gateway.tried, f.gateway.delay = nil, time.Second
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				time.Sleep(time.Duration(n) * 90 * time.Millisecond) // all before the first is closed
				if err := f.handle(f.handler, "c1", `{"action":"sync"}`); err != nil {
					t.Errorf("sync: %v", err)
				}
			})
		}
		all.Wait()
		if len(f.gateway.tried) != 1 || describe(f.gateway.tried[0]) != "closing RATE_LIMITED reconnect=false" {
			t.Errorf("posts are %v", f.gateway.tried)
		}
		f.checkClosed("c1", true)
		f.checkStored("c1", false)
	})
}

func TestRateLimitedConnectionIsClosedWhenDeleteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		f.connect("c1", "u1", time.Hour)
		for range 36 + 10 {
			f.send("c1", dance)
		}
		f.fail["Delete"] = errStore
		f.gateway.takeFrames("c1")
		f.send("c1", `{"action":"sync"}`)
		f.checkFrames("c1", "closing RATE_LIMITED reconnect=false")
		f.checkClosed("c1", true)
		if !strings.Contains(f.log.String(), "delete connection") {
			t.Error("the log does not say that the connection is still stored")
		}
	})
}

// TestFailedRateLimitCloseIsRetriedByALaterMessage: one in ten messages tries again.
func TestFailedRateLimitCloseIsRetriedByALaterMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		f.connect("c1", "u1", time.Hour)
		f.gateway.closeErr = errStore
		f.fail["Delete"] = errStore
		failed := 0         // messages that tried to close the connection
		for range 36 + 20 { // the budget, and refusals 1 to 20, of which the eleventh closes
			if err := f.handle(f.handler, "c1", dance); err != nil {
				failed++
			}
		}
		f.gateway.closeErr = nil
		f.send("c1", dance) // refusal 21
		if f.checkClosed("c1", true); failed != 1 {
			t.Errorf("%d failed, want 1", failed)
		}
	})
}

// TestSyncContinuesInTheNextMinuteWhenTheBudgetIsSpent: the rest of the budget pays for the most urgent frames.
func TestSyncContinuesInTheNextMinuteWhenTheBudgetIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.handler.Limits = smallLimits
		for n := range 20 {
			f.addJob("u1", fmt.Sprint("j", n), 1)
		}
		for n := range 50 {
			f.addNote("u1", n)
			time.Sleep(2 * feed.NoteOverlap)
		}
		b := f.openTab("c1", "u1")
		// The budget of 36 pays for welcome, synced, all jobs and 14 notes.
		if got := b.sync(); got.Jobs != 20 || got.Notes != 14 || !got.More || got.RetryAfter < 1 {
			t.Errorf("the first brings %+v, want 20 jobs and 14 notes", got)
		}
		if got := b.sync(); got.Jobs+got.Notes != 0 || !got.More || got.RetryAfter < 1 {
			t.Errorf("the second brings %+v, want nothing", got)
		}
		b.sync()
		f.send("c1", `{"action":"sync"}`) // before the end of retryAfter
		f.checkFrames("c1")
		time.Sleep(61 * time.Second)
		b.cursor = ""
		b.syncAll(5)
		if len(b.jobs) != 20 || len(b.notes) != 50 {
			t.Errorf("%d states and %d notes came, want 20 and 50", len(b.jobs), len(b.notes))
		}
	})
}

// TestConcurrentMessagesStayUnderTheLimit runs on many instances, with slow posts.
func TestConcurrentMessagesStayUnderTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 30 {
			f.addJob("u1", fmt.Sprint("j", n), 1)
		}
		f.gateway.delay = 30 * time.Millisecond
		var all sync.WaitGroup
		for n := range 200 { // more than the user may have: they are there without $connect
			id := fmt.Sprint("c", n)
			f.connect(id, "u1", time.Hour)
			all.Go(func() {
				for k := range 60 {
					body := []string{`{"action":"sync"}`, dance, `{"action":"dismiss","id":"` + aNote + `"}`}[(n+k)%3]
					if err := f.handle(f.newHandler(), id, body); err != nil {
						t.Errorf("%s: %v", body, err)
					}
				}
			})
		}
		all.Wait()
		if posts := len(f.gateway.tried); posts > session.DefaultMaxPosts || posts < 500 {
			t.Errorf("12,000 messages from 200 tabs within a minute cause %d posts, want 500 to 3,000", posts)
		}
	})
}

// TestReconnectOfFiftyTabsStaysUnderTheLimit has fifty tabs that reconnect at once, 20 running jobs and 50 notes. Tabs that
// were open before lack only the changes. Tabs of a new browser lack everything, and the last tabs get it in the next minute.
func TestReconnectOfFiftyTabsStaysUnderTheLimit(t *testing.T) {
	for _, tt := range []struct {
		name         string
		fresh, batch bool
		maxPosts     int
	}{
		{"tabs that reconnect", false, false, 2200},
		{"tabs that reconnect and ask for batches", false, true, 100},
		{"tabs of a browser that starts", true, false, session.DefaultMaxPosts},
		{"tabs of a browser that starts and ask for batches", true, true, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fresh := tt.fresh
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				progress := func(percent float64) {
					for n := range 20 {
						f.addJob("u1", fmt.Sprint("j", n), percent)
					}
				}
				for n := range 50 {
					f.addNote("u1", n)
					time.Sleep(time.Hour)
				}
				progress(1)
				var tabs []*tab
				for n := range 50 {
					b := f.openTab(fmt.Sprint("c", n), "u1")
					b.batch = tt.batch
					if !fresh {
						time.Sleep(time.Minute) // they were opened one after the other
						b.syncAll(1)
					}
					tabs = append(tabs, b)
				}
				time.Sleep(time.Minute)
				progress(2)
				f.gateway.tried = nil
				deferred := 0 // syncs that must continue in the next minute
				for round := range 2 {
					for _, b := range tabs {
						if b.sync().RetryAfter > 0 {
							deferred++
						}
					}
					time.Sleep(5 * time.Second)
					progress(3 + float64(round))
				}
				if posts := len(f.gateway.tried); posts > tt.maxPosts {
					t.Errorf("%d posts within a minute, want at most %d", posts, tt.maxPosts)
				}
				if (!fresh || tt.batch) && deferred > 0 {
					t.Errorf("%d syncs are put off", deferred)
				}
				t.Logf("%d posts, %d of 100 syncs put off", len(f.gateway.tried), deferred)
				for range 3 {
					time.Sleep(time.Minute)
					for _, b := range tabs {
						b.cursor = ""
						b.sync()
					}
				}
				for _, b := range tabs {
					if got := b.sync(); got.More || got.Jobs > 0 || len(b.have) != 20 || len(b.notes) < 50 && fresh {
						t.Errorf("%s: %+v after %d jobs and %d notes", b.id, got, len(b.have), len(b.notes))
					}
					f.checkClosed(b.id, false)
				}
			})
		})
	}
}

func TestMessagesAreDroppedWhenTheStoreThrottles(t *testing.T) {
	f := newFixture(t)
	f.connect("c1", "u1", time.Hour)
	busy := fmt.Errorf("count: %w", connection.ErrThrottled)
	f.fail["Spend"] = busy
	for _, body := range []string{dance, `{"action":"sync"}`, refresh, `{"action":"dismiss","id":"` + aNote + `"}`} {
		f.send("c1", body)
	}
	f.fail["CountRefusal"], f.fail["Get"] = busy, errStore
	f.send("c1", dance) // the answer to a failed Get is counted as a refusal
	delete(f.fail, "Get")
	f.send("unknown", dance) // so is the answer to an unknown connection
	if len(f.gateway.tried) != 0 {
		t.Errorf("%d posts, want none", len(f.gateway.tried))
	}
}

func TestInternalErrorFramesAreCharged(t *testing.T) {
	for _, method := range []string{"Get", "Jobs"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.handler.Limits = smallLimits
			f.connect("c1", "u1", time.Hour)
			f.fail[method] = errStore
			for range 100 {
				if err := f.handle(f.handler, "c1", `{"action":"sync"}`); err != nil && !errors.Is(err, errStore) {
					t.Errorf("a sync without the store returns %v, want %v", err, errStore)
				}
			}
			if posts := len(f.gateway.tried); posts > smallLimits.MaxPosts {
				t.Errorf("%s fails: %d posts, want at most %d", method, posts, smallLimits.MaxPosts)
			}
		})
	}
}

// TestUnknownConnectionIsClosedOnce: of several messages only one is answered.
