package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// runReaper runs the reaper once.
func (f *fixture) runReaper() {
	f.Helper()
	if err := f.reaper.Handle(f.Context(), []byte(`{"detail-type":"Scheduled Event"}`)); err != nil {
		f.Error(err)
	}
}

func TestReaperClosesSessionsAtTokenExpiryOrMaximumDuration(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token time.Duration // until the token expires
		late  time.Duration // how long after the session's end the reaper runs
		want  string
	}{
		{"with its token", time.Hour, 0, "closing TOKEN_EXPIRED reconnect=false"},
		{"with its token, a minute late", time.Hour, time.Minute, "closing TOKEN_EXPIRED reconnect=false"},
		{"at its longest", 24 * time.Hour, 0, "closing SESSION_LIMIT reconnect=true"},
		{"at its longest, when the token has expired as well", 7175 * time.Second, time.Minute, "closing TOKEN_EXPIRED reconnect=false"},
		{"at its longest, five seconds before the token", 7175 * time.Second, 0, "closing SESSION_LIMIT reconnect=true"},
		{"token and limit at one moment", 7170 * time.Second, 0, "closing TOKEN_EXPIRED reconnect=false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				c := f.connect("c1", "u1", tt.token)
				time.Sleep(time.Until(c.SessionEnd()) - time.Nanosecond)
				f.runReaper()
				f.checkFrames("c1")
				f.checkStored("c1", true)
				time.Sleep(time.Nanosecond + tt.late)
				f.gateway.events = nil
				f.runReaper()
				f.runReaper() // the second run has nothing to do
				f.checkFrames("c1", tt.want)
				if diff := cmp.Diff([]string{"closing c1", "close c1"}, f.gateway.events); diff != "" {
					t.Errorf("order (-want +got):\n%s", diff)
				}
				f.checkStored("c1", false)
			})
		})
	}
}

// TestReaperClosesEachSessionOnTime runs the reaper every minute: it closes no session early and misses none.
func TestReaperClosesEachSessionOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.store.IndexLag = 2 * time.Second
		for n := range 130 {
			f.connect(fmt.Sprint("c", n), "u1", time.Duration(n)*time.Minute/4+time.Minute)
		}
		f.connect("stays", "u1", 24*time.Hour)
		for minute := 1; minute <= 34; minute++ {
			time.Sleep(time.Minute)
			f.runReaper()
			for n := range 130 {
				ended := time.Duration(n)*time.Minute/4+time.Minute <= time.Duration(minute)*time.Minute
				f.checkClosed(fmt.Sprint("c", n), ended)
			}
		}
		f.checkStored("stays", true)
	})
}

func TestReaperClosesSessionsOfMissedRuns(t *testing.T) {
	for late, want := range map[time.Duration]bool{5 * time.Minute: true, 10 * time.Minute: true, 10*time.Minute + time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.connect("c1", "u1", time.Hour)
			time.Sleep(time.Hour + late)
			f.runReaper()
			f.checkClosed("c1", want)
			if !want { // its next message ends it
				f.send("c1", `{"action":"sync"}`)
				f.checkClosed("c1", true)
			}
			f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
		})
	}
}

func TestReaperDoesNotCloseARefreshedSession(t *testing.T) {
	for name, lag := range map[string]time.Duration{"index up to date": 0, "index behind": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.store.IndexLag = lag
				c := f.connect("c1", "u1", time.Hour)
				f.addToken("later", "u1", c.TokenExpiresAt.Add(30*time.Minute))
				time.Sleep(time.Hour - time.Second)
				f.send("c1", `{"action":"refresh","token":"later"}`)
				f.checkFrames("c1", "refreshed")
				time.Sleep(2 * time.Second)
				f.runReaper()
				f.checkFrames("c1")
				f.checkStored("c1", true)
				time.Sleep(30 * time.Minute)
				f.runReaper()
				f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
				f.checkStored("c1", false)
			})
		})
	}
}

func TestConcurrentReapersCloseASessionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 200 {
			f.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		time.Sleep(time.Hour)
		f.gateway.delay = 100 * time.Millisecond
		start := time.Now()
		var runs sync.WaitGroup
		for range 2 {
			runs.Go(f.runReaper)
		}
		runs.Wait()
		for n := range 200 {
			f.checkFrames(fmt.Sprint("c", n), "closing TOKEN_EXPIRED reconnect=false")
		}
		if len(f.gateway.tried) != 200 {
			t.Errorf("%d closing frames to 200 connections", len(f.gateway.tried))
		}
		if f.gateway.maxInFlight > 2*32 {
			t.Errorf("%d posts in flight, want at most 64", f.gateway.maxInFlight)
		}
		if took := time.Since(start); took > 2*time.Second { // 200 posts of 100 ms, up to 64 at once, 5 ms apart
			t.Errorf("took %v: one after the other", took)
		}
	})
}

// TestReaperSpreadsTheEndsOfSessions has sessions that end at once: their browsers, which connect again at once, must not use up the
// stage's rate of requests.
func TestReaperSpreadsTheEndsOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		const sessions = 3 * session.MaxClosesPerSecond
		for n := range sessions {
			f.connect(fmt.Sprint("c", n), fmt.Sprint("u", n), time.Hour)
		}
		time.Sleep(time.Hour)
		start, perSecond := time.Now(), map[time.Duration]int{}
		f.gateway.fail = func(string, message.Envelope) error {
			perSecond[time.Since(start).Truncate(time.Second)]++
			return nil
		}
		f.runReaper()
		ended := 0
		for second, n := range perSecond {
			ended += n
			if n > session.MaxClosesPerSecond {
				t.Errorf("%d sessions ended in the second after %v, want at most %d", n, second, session.MaxClosesPerSecond)
			}
		}
		if took := time.Since(start); ended != sessions || took > 3100*time.Millisecond {
			t.Errorf("%d of %d sessions ended in %v", ended, sessions, took)
		}
	})
}

// TestReaperContinuesAfterFailedCloses: failures are logged.
func TestReaperContinuesAfterFailedCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for _, id := range []string{"gone", "refused", "throttled", "well"} {
			f.connect(id, "u1", time.Hour)
		}
		throttled := 0
		f.gateway.fail = func(id string, _ message.Envelope) error {
			switch id {
			case "gone":
				return broadcast.ErrGone
			case "refused":
				return errors.New("403")
			case "throttled":
				if throttled++; throttled <= 2 {
					return broadcast.ErrThrottled
				}
			}

			return nil
		}
		time.Sleep(time.Hour)
		f.runReaper()
		f.checkFrames("throttled", "closing TOKEN_EXPIRED reconnect=false")
		f.checkFrames("well", "closing TOKEN_EXPIRED reconnect=false")
		for id, closed := range map[string]bool{"gone": false, "refused": true, "throttled": true, "well": true} {
			f.checkClosed(id, closed)
			f.checkStored(id, false)
		}
		if !strings.Contains(f.log.String(), "403") || strings.Contains(f.log.String(), "connection gone") {
			t.Errorf("the log has %s", f.log)
		}
	})
}

func TestReaperReturnsTheStoreErrorAfterClosingTheOthers(t *testing.T) {
	for _, method := range []string{"DeleteIfUnchanged c1", "EndedSessions"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			for _, id := range []string{"c1", "c2", "c3"} {
				f.connect(id, "u1", time.Hour)
			}
			time.Sleep(time.Hour)
			f.fail[method] = errStore
			if err := f.reaper.Handle(t.Context(), nil); !errors.Is(err, errStore) {
				t.Errorf("%s: %v, want the store's error", method, err)
			}
			delete(f.fail, method)
			time.Sleep(time.Minute)
			f.runReaper()
			for _, id := range []string{"c1", "c2", "c3"} {
				f.checkFrames(id, "closing TOKEN_EXPIRED reconnect=false")
				f.checkClosed(id, true)
				f.checkStored(id, false)
			}
		})
	}
}

// TestReaperClosesASessionWhoseDeleteFailed: the connection may be deleted all the same, and then nothing else finds the
// session.
func TestReaperClosesASessionWhoseDeleteFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		time.Sleep(time.Hour)
		f.fail["DeleteIfUnchanged c1"] = errStore
		f.fail["applied"] = errStore
		if err := f.reaper.Handle(t.Context(), nil); !errors.Is(err, errStore) {
			t.Errorf("%v, want the store's error", err)
		}
		f.checkStored("c1", false)
		f.checkFrames("c1", "closing TOKEN_EXPIRED reconnect=false")
		f.checkClosed("c1", true)
	})
}

// TestReaperLeavesSessionsForWhichThereIsNoTime: the process that deletes a connection must have the time to close it, too.
func TestReaperLeavesSessionsForWhichThereIsNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for n := range 200 {
			f.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		time.Sleep(time.Hour)
		f.gateway.delay = 2 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := f.reaper.Handle(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Error("the run ended after its time")
		}
		left := 0
		for n := range 200 {
			id := fmt.Sprint("c", n)
			if _, err := f.store.Get(t.Context(), id); err == nil {
				left++
			} else {
				f.checkClosed(id, true)
			}
		}
		if left == 0 || left == 200 {
			t.Errorf("%d of 200 sessions are left to the next run", left)
		}
		f.runReaper()
		for n := range 200 {
			f.checkClosed(fmt.Sprint("c", n), true)
		}
	})
}

// TestBroadcastSkipsEndedSessions does not run the reaper.
func TestBroadcastSkipsEndedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.connect("c1", "u1", time.Hour)
		time.Sleep(time.Hour)
		report, err := f.handler.Broadcaster.ToUser(t.Context(), "u1", message.Dismissed{ID: aNote})
		if diff := cmp.Diff([]any{1, 0, error(nil)}, []any{report.Expired, report.Delivered, err}); diff != "" {
			t.Errorf("expired, delivered, error (-want +got):\n%s", diff)
		}
		f.checkFrames("c1")
	})
}

var _ session.Gateway = (*gateway)(nil)
