package local_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

func TestATabSyncsWhenItMustHaveMissedSomething(t *testing.T) {
	t.Run("on open and 5 s later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.open(local.TabConfig{})
			time.Sleep(9 * time.Minute)
			s.expect("0s connect token", "0s sync", "5s sync", "4m0s ping", "8m0s ping")
		})
	})
	t.Run("now and then when all is quiet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.open(local.TabConfig{})
			time.Sleep(27 * time.Minute)
			s.expect("0s connect token", "0s sync", "5s sync", "4m0s ping", "8m0s ping", "12m0s ping", "16m0s ping", "20m0s ping", "24m0s ping")
			time.Sleep(34 * time.Minute)
			s.expect("28m0s ping", "30m5s sync", "32m0s ping", "36m0s ping", "40m0s ping", "44m0s ping", "48m0s ping", "52m0s ping", "56m0s ping",
				"1h0m0s ping", "1h0m5s sync")
		})
	})
	t.Run("when a running job is silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.open(local.TabConfig{})
			time.Sleep(10 * time.Second)
			s.expect("0s connect token", "0s sync", "5s sync")
			s.post(progress(1, message.StatusRunning))
			time.Sleep(20 * time.Second)
			s.post(progress(2, message.StatusRunning))
			time.Sleep(7 * time.Minute)
			s.expect("1m0s sync", "2m0s sync", "4m0s ping", "4m0s sync", "6m0s sync")
			s.post(progress(3, message.StatusRunning))
			time.Sleep(40 * time.Second)
			s.expect("8m0s ping", "8m0s sync")
			s.post(progress(4, message.StatusSucceeded))
			time.Sleep(2 * time.Minute)
			s.expect()
		})
	})
	t.Run("when there is more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, syncs := newSite(t), 0
			s.answer = func(action string) []message.Data {
				if syncs++; syncs < 4 {
					s.socket.frames <- note(fmt.Sprintf("0%d", syncs), true)

					return []message.Data{message.Synced{Notes: 1, More: true}}
				}

				return obliging(action)
			}
			s.open(local.TabConfig{})
			time.Sleep(time.Minute)
			s.expect("0s connect token", "0s sync", "0s sync", "0s sync", "0s sync", "5s sync")
		})
	})
	t.Run("when an answer does not come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.answer = func(string) []message.Data { return nil }
			s.open(local.TabConfig{})
			time.Sleep(time.Minute)
			s.expect("0s connect token", "0s sync", "5s sync", "11s sync", "19s sync", "31s sync", "51s sync")
		})
	})
	t.Run("not while an answer goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.answer = func(string) []message.Data { return nil }
			s.open(local.TabConfig{})
			for i := range 10 {
				time.Sleep(3 * time.Second)
				s.post(note(fmt.Sprintf("01%d", i), true))
			}
			s.post(control(message.Synced{Notes: 10}))
			time.Sleep(time.Minute)
			s.expect("0s connect token", "0s sync")
		})
	})
	t.Run("when parts of an answer are lost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.answer = func(string) []message.Data { return []message.Data{message.Synced{Jobs: 1}} }
			s.open(local.TabConfig{})
			time.Sleep(4 * time.Second)
			s.from(func() { s.answer = obliging })
			time.Sleep(time.Minute)
			s.expect("0s connect token", "0s sync", "1s sync", "3s sync", "5s sync")
		})
	})
	t.Run("not before the minute is over in which it asked too much", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.answer = func(string) []message.Data {
				return []message.Data{message.Error{Code: message.CloseRateLimited, Message: "m"}}
			}
			s.open(local.TabConfig{})
			s.from(func() { s.answer = obliging })
			s.post(progress(1, message.StatusRunning))
			time.Sleep(89 * time.Second)
			s.expect("0s connect token", "0s sync", "1m0s sync")
		})
	})
	t.Run("never, when told so", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			tab, _ := s.open(local.TabConfig{NoSync: true})
			s.post(progress(1, message.StatusRunning))
			time.Sleep(5 * time.Minute)
			s.expect("0s connect token", "4m0s ping")
			if err := tab.Sync(t.Context()); err != nil { // but by hand
				t.Error(err)
			}
			s.expect("5m0s sync")
		})
	})
}

// TestATabComesBack ends connections. Pauses are random, so that only their bounds are known.
func TestATabComesBack(t *testing.T) {
	t.Run("after a close, with what it knows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			tab, _ := s.open(local.TabConfig{})
			s.post(progress(7, message.StatusRunning))
			synctest.Wait()
			first := s.socket
			s.hangUp()
			time.Sleep(local.MinBackoff)
			synctest.Wait()
			if s.socket == first {
				t.Fatal("the tab has not come back")
			}
			if want, got := `{"action":"sync","have":{"u-42":["",7]}}`, tab.View().Sync(); got != want {
				t.Errorf("it knows %s, want %s", got, want)
			}
		})
	})
	t.Run("after a ping without an answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.answer = func(string) []message.Data { return nil }
			s.open(local.TabConfig{NoSync: true})
			time.Sleep(local.PingInterval + local.AnswerTimeout)
			s.expect("0s connect token", "4m0s ping", "4m10s drop")
		})
	})
	t.Run("with growing pauses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.refuse = &local.Refused{Status: 502}
			s.open(local.TabConfig{})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			// From the seventh on pauses are up to 30 s, 15 s on average; before they are 31.5 s at most together.
			if tries := len(s.log); tries < 20+6 || tries > 100 {
				t.Errorf("%d tries in ten minutes", tries)
			}
			s.from(func() { s.refuse, s.log = nil, nil })
			time.Sleep(local.MaxBackoff)
			synctest.Wait()
			if len(s.log) < 2 || !strings.HasSuffix(s.log[0], "connect token") {
				t.Errorf("at last it did %q", s.log)
			}
		})
	})
	t.Run("after a farewell that allows it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.open(local.TabConfig{NoSync: true})
			s.post(control(message.Closing{Code: message.CloseSessionLimit, Reconnect: true}))
			s.expect("0s connect token", "0s close")
			time.Sleep(local.MinBackoff)
			synctest.Wait()
			if len(s.log) != 1 || !strings.HasSuffix(s.log[0], "connect token") {
				t.Errorf("it did %q, want one connection", s.log)
			}
		})
	})
	t.Run("with another token, after the first is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.open(local.TabConfig{NoSync: true})
			s.from(func() { s.token = "another" })
			s.post(control(message.Closing{Code: message.CloseTokenExpired}))
			s.expect("0s connect token", "0s close")
			time.Sleep(local.MinBackoff)
			synctest.Wait()
			if len(s.log) != 1 || !strings.HasSuffix(s.log[0], "connect another") {
				t.Errorf("it did %q, want one connection", s.log)
			}
		})
	})
	t.Run("when there is a token again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.signedOut = errors.New("signed out")
			s.open(local.TabConfig{NoSync: true})
			time.Sleep(time.Minute)
			s.expect()
			s.from(func() { s.signedOut = nil })
			time.Sleep(local.MaxBackoff)
			synctest.Wait()
			if len(s.log) != 1 {
				t.Errorf("it did %q, want one connection", s.log)
			}
		})
	})
}

func TestATabGivesUpWhereThereIsNoUse(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse  error
		closing message.Closing
		want    string
	}{
		"the token is refused":         {refuse: &local.Refused{Status: 401}, want: "connect: refused with status 401"},
		"the origin is refused":        {refuse: &local.Refused{Status: 403}, want: "connect: refused with status 403"},
		"the token is over":            {closing: message.Closing{Code: message.CloseTokenExpired}, want: "local: the token is over"},
		"it has asked too much":        {closing: message.Closing{Code: message.CloseRateLimited, Reason: "Too many"}, want: "closed: Too many (RATE_LIMITED)"},
		"for a reason it has not seen": {closing: message.Closing{Code: "NEW", Reason: "New"}, want: "closed: New (NEW)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.refuse = tt.refuse
				_, ended := s.open(local.TabConfig{})
				if tt.refuse == nil {
					s.post(control(tt.closing))
				}
				if err := <-ended; err == nil || err.Error() != tt.want {
					t.Errorf("Run returns %v, want %s", err, tt.want)
				}
				if time.Since(s.start) > local.MinBackoff {
					t.Errorf("it takes %v", time.Since(s.start))
				}
			})
		})
	}
}

// TestATabRefreshesItsSession says welcome to a session of ten minutes.
func TestATabRefreshesItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ends := s.start.Add(10 * time.Minute)
		s.answer = func(action string) []message.Data {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch action {
			case "sync":
				return []message.Data{message.Welcome{ServerTime: message.Time{Time: time.Now()}, SessionEnd: message.Time{Time: ends}}, message.Synced{}}
			case "refresh":
				return []message.Data{message.Refreshed{SessionEnd: message.Time{Time: ends}}}
			default:
				return obliging(action)
			}
		}
		sleepUntil := func(d time.Duration) { time.Sleep(time.Until(s.start.Add(d))) }
		s.open(local.TabConfig{})
		sleepUntil(8*time.Minute + 30*time.Second)
		s.expect("0s connect token", "0s sync", "5s sync", "4m0s ping", "8m0s ping")
		s.from(func() { s.signedOut = errors.New("for a moment") })
		sleepUntil(9*time.Minute + 15*time.Second) // one try, a minute before the end
		s.from(func() { s.token, s.signedOut, ends = "second", nil, s.start.Add(20*time.Minute) })
		sleepUntil(18 * time.Minute)
		s.expect("9m30s refresh second", "12m0s ping", "16m0s ping")
		sleepUntil(19*time.Minute + 15*time.Second) // there was no other token a minute before the end
		s.from(func() { s.token = "third" })        // which does not prolong the session
		sleepUntil(30 * time.Minute)
		s.expect("19m30s refresh third", "20m0s ping", "20m5s sync", "24m0s ping", "28m0s ping")
	})
}

// TestATabAsksAfterItsSession loses the farewell: the tab hears from the answer that the session is over.
func TestATabAsksAfterItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		ends := s.start.Add(10 * time.Minute)
		s.answer = func(action string) []message.Data {
			switch now := time.Now(); {
			case action != "sync":
				return obliging(action)
			case now.Before(ends):
				return []message.Data{message.Welcome{ServerTime: message.Time{Time: now}, SessionEnd: message.Time{Time: ends}}, message.Synced{}}
			default:
				return []message.Data{message.Closing{Code: message.CloseSessionLimit, Reconnect: true}}
			}
		}
		s.open(local.TabConfig{})
		time.Sleep(10*time.Minute + local.EndGrace)
		s.expect("0s connect token", "0s sync", "5s sync", "4m0s ping", "8m0s ping", "10m5s sync", "10m5s close")
	})
}

func TestSyncWaitsForAnAnswerOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.answer = func(string) []message.Data { return nil }
		tab, _ := s.open(local.TabConfig{})
		returned := make(chan error, 1)
		go func() { returned <- tab.Sync(t.Context()) }()
		s.expect("0s connect token", "0s sync")
		s.from(func() { s.answer = obliging })
		s.post(control(message.Synced{})) // the answer to what was asked before
		if err := <-returned; err != nil {
			t.Error(err)
		}
		s.expect("0s sync")

		s.hangUp() // it waits for the next connection
		go func() { returned <- tab.Sync(t.Context()) }()
		if err := <-returned; err != nil || time.Since(s.start) > local.MinBackoff {
			t.Errorf("after %v: %v", time.Since(s.start), err)
		}
		s.from(func() { s.refuse = &local.Refused{Status: 502} })
		s.hangUp()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := tab.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a connection: %v", err)
		}
	})
}

func TestATabShowsNewsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		var shown []int64
		ctx, cancel := context.WithCancel(t.Context())
		tab := local.NewTab(local.TabConfig{
			Dial: s.dial, NoSync: true, Token: s.newToken,
			OnFrame: func(e message.Envelope, _ []byte) { shown = append(shown, e.Seq) },
		})
		ended := make(chan error, 1)
		go func() { ended <- tab.Run(ctx) }()
		synctest.Wait()
		for _, seq := range []int64{1, 3, 2, 3, 4} {
			s.post(progress(seq, message.StatusRunning))
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returns %v", err)
		}
		if diff := cmp.Diff([]int64{1, 3, 4}, shown); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		s.expect("0s connect token", "0s close")
	})
}
