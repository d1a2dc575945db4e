package session_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics/metricstest"
	"github.com/herald-progress/herald/lib/session"
)

// TestEachRunOfTheReaperRecordsTheLagOfTheOldestSession checks also the run that finds no session: without its 0, an alarm could not
// distinguish it from a reaper that does not run.
func TestEachRunOfTheReaperRecordsTheLagOfTheOldestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFixture(t), metricstest.NewLog()
		f.reaper.Metrics = log
		f.connect("c1", "u1", time.Hour)
		f.connect("c2", "u1", time.Hour+30*time.Second)
		f.connect("c3", "u1", 24*time.Hour)
		for _, run := range []struct {
			after time.Duration
			want  float64
		}{{time.Hour - time.Second, 0}, {5 * time.Minute, 299}, {time.Minute, 0}} {
			time.Sleep(run.after)
			f.runReaper()
			if diff := cmp.Diff(map[string][]float64{"ReaperLag": {run.want}}, log.Take(t)); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		}
	})
}

// TestARunThatCannotReadTheSessionsRecordsNoLag checks that a reaper whose reads fail is seen as one that does not run: it does not know
// the lag, though it has found no session.
func TestARunThatCannotReadTheSessionsRecordsNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFixture(t), metricstest.NewLog()
		f.reaper.Metrics = log
		f.fail["EndedSessions"] = errStore
		if err := f.reaper.Handle(t.Context(), nil); err == nil {
			t.Error("the reaper does not return the error of its store")
		}
		if diff := cmp.Diff(map[string][]float64{}, log.Take(t)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// TestTheLagIncludesTheTimeThatSessionsWaitForTheirTurn checks that a reaper that does not keep up shows it in the same run.
func TestTheLagIncludesTheTimeThatSessionsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFixture(t), metricstest.NewLog()
		f.reaper.Metrics = log
		for n := range 200 {
			f.connect(fmt.Sprint("c", n), "u1", time.Hour)
		}
		time.Sleep(time.Hour)
		f.gateway.delay = 2 * time.Second
		f.runReaper()
		if lag := log.Take(t)["ReaperLag"]; len(lag) != 1 || lag[0] < 10 {
			t.Errorf("the lag is %v, though the last sessions waited for over 10 s", lag)
		}
	})
}

func TestSyncedPagesAndRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFixture(t), metricstest.NewLog()
		f.handler.Metrics, f.handler.Limits = log, smallLimits
		f.connect("c1", "u1", time.Hour)
		check := func(name string, want map[string][]float64) {
			t.Helper()
			if diff := cmp.Diff(want, log.Take(t)); diff != "" {
				t.Errorf("%s: metrics (-want +got):\n%s", name, diff)
			}
		}
		f.send("c1", dance)
		check("an unknown action", map[string][]float64{})
		f.send("c1", `{"action":"sync"}`)
		check("a sync", map[string][]float64{"SyncedPages": {1}})
		for n := range 100 {
			f.addJob("u1", fmt.Sprint("j", n), 1)
		}
		f.send("c1", `{"action":"sync"}`) // costs more than the rest of the budget of 36 posts
		check("a sync that is shortened", map[string][]float64{"SyncedPages": {1}, "RateLimited": {1}})
		f.send("c1", `{"action":"sync"}`)
		check("a sync that is refused", map[string][]float64{"RateLimited": {1}})
		f.send("c1", dance)
		check("a message that is refused", map[string][]float64{"RateLimited": {1}})
	})
}

func TestRefusedConnectsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := newFixture(t), metricstest.NewLog()
		refused := 0.0
		f.handler.Metrics, f.handler.Limits = log, smallLimits
		for n := range 20 { // a budget of 36 posts, three for each connect
			if f.handshake(fmt.Sprint("c", n), "u1") == 429 {
				refused++
			}
		}
		if diff := cmp.Diff(map[string][]float64{"RateLimited": {refused}}, log.Take(t)); diff != "" || refused == 0 {
			t.Errorf("%v connects are refused, metrics (-want +got):\n%s", refused, diff)
		}
	})
}

// TestFailedConnectsAreCountedUnlessTheTokenIsToBlame: anyone can send forged tokens, so they must not raise an alarm.
func TestFailedConnectsAreCountedUnlessTheTokenIsToBlame(t *testing.T) {
	for name, tt := range map[string]struct {
		verify, store error
		want          map[string][]float64
	}{
		"connected":        {nil, nil, map[string][]float64{}},
		"keys unreachable": {fmt.Errorf("%w: status 503", auth.ErrUnavailable), nil, map[string][]float64{"ConnectsFailed": {1}}},
		"key unknown":      {auth.ErrUnknownKey, nil, map[string][]float64{}},
		"token invalid":    {auth.ErrInvalid, nil, map[string][]float64{}},
		"token expired":    {auth.ErrExpired, nil, map[string][]float64{}},
		"table down":       {nil, errStore, map[string][]float64{"ConnectsFailed": {1}}},
	} {
		t.Run(name, func(t *testing.T) {
			f, log := newFixture(t), metricstest.NewLog()
			f.fail["Put"] = tt.store
			h := &session.Connect{Verifier: failingVerifier{tt.verify}, Store: f.store, Limits: f.handler.Limits, Metrics: log}
			if _, err := h.Handle(t.Context(), connect("token")); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, log.Take(t)); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}

// failingVerifier verifies tokens, or returns an error.
type failingVerifier struct{ err error }

func (v failingVerifier) Verify(context.Context, string) (auth.Claims, error) {
	return auth.Claims{Subject: "u1", ExpiresAt: time.Now().Add(time.Hour)}, v.err
}

// TestAnswersNameTheTraceOfTheMessageThatTheyAnswer checks the answers to a sync with a job, and to an invalid message. The state of the
// job was pushed by another request, so the sync names no trace for it.
func TestAnswersNameTheTraceOfTheMessageThatTheyAnswer(t *testing.T) {
	const id = "1-5759e988-bd862e3fe1be46a994272793"
	for _, batch := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.handler.Trace = func(context.Context) string { return id }
			f.connect("c1", "u1", time.Hour)
			f.addJob("u1", "j", 1)
			f.send("c1", fmt.Sprintf(`{"action":"sync","batch":%v}`, batch))
			f.send("c1", dance)
			got := map[message.Type]string{}
			for _, e := range f.gateway.takeFrames("c1") {
				got[e.Type] = e.Trace
			}
			want := map[message.Type]string{"welcome": id, "upload_progress": "", "synced": id, "error": id}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("batch %v: traces (-want +got):\n%s", batch, diff)
			}
		})
	}
}
