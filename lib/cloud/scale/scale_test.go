package scale_test

import (
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/cloud/scale"
)

// small is a scenario with 2,000 tabs whose quotas are never reached.
func small() scale.Scenario {
	const plenty = 1_000_000
	return scale.Scenario{
		Duration: 5 * time.Minute, Tabs: 2_000, TabsPerUser: 2, HotUsers: 4, HotTabs: 50, Jobs: 100, HotJobs: 2, JobDuration: time.Minute, StatesPerJob: 2,
		StateRetries: 2, StateRetryAfter: time.Second,
		OldestSession: time.Hour, Pause: client.Backoff, RetryFor: broadcast.Budget,
		Quotas: scale.Quotas{
			Connects: plenty, Requests: plenty, RequestBurst: plenty, Stage: plenty, StageBurst: plenty, Concurrency: plenty, PartitionWrites: plenty,
		},
		Times: scale.Times{
			Connect: 10 * time.Millisecond, Sync: 30 * time.Millisecond, State: 20 * time.Millisecond, Store: 15 * time.Millisecond,
			Post: 10 * time.Millisecond, Close: 30 * time.Millisecond, Network: 40 * time.Millisecond,
		},
		Seed: 7,
	}
}

func TestNothingIsRefusedOrLateBelowTheQuotas(t *testing.T) {
	s := small()
	r := scale.Simulate(s)
	if l, found := r.First(); found {
		t.Errorf("%v refused requests", l)
	}
	if want := s.Store + s.Post + s.Network; r.Delays.Quantile(0.5) != want || r.Delays.Quantile(1) != want {
		t.Errorf("states took %v to %v, want %v", r.Delays.Quantile(0.5), r.Delays.Quantile(1), want)
	}
	if r.PostsFailed > 0 || r.Undelivered > 0 || r.Waiting > 0 {
		t.Errorf("%d posts failed, %d states are not delivered, %d tabs waited", r.PostsFailed, r.Undelivered, r.Waiting)
	}
}

func TestEachStateIsDeliveredOrUndeliveredOnceForEachTab(t *testing.T) {
	s := small()
	s.Requests, s.RequestBurst = 150, 150 // fewer than the posts
	r := scale.Simulate(s)
	first, found := r.First()
	if !found || first != scale.RequestRate || r.PostsFailed == 0 {
		t.Fatalf("first %v, %d posts failed, want a quota of requests that is too small", first, r.PostsFailed)
	}
	free := small()
	all := scale.Simulate(free)
	if got, want := r.Delays.Count()+r.Undelivered, all.Delays.Count(); got != want {
		t.Errorf("%d states for tabs, want %d", got, want)
	}
}

func TestTabsComeBackAsFastAsTheQuotaOfConnectsAllows(t *testing.T) {
	s := small()
	s.OutageAt, s.OutageFor, s.Duration, s.Connects = time.Second, time.Minute, 8*time.Minute, 10
	r := scale.Simulate(s)
	if r.Back.Count() != s.Tabs || r.StillWaiting > 0 || r.Waiting != s.Tabs {
		t.Fatalf("%d tabs are back, %d are not, %d waited at most", r.Back.Count(), r.StillWaiting, r.Waiting)
	}
	fastest := time.Duration(s.Tabs/s.Connects) * time.Second
	if last := r.Back.Quantile(1); last < fastest-time.Second || last > fastest+client.MaxBackoff {
		t.Errorf("the last tab is back after %v, want %v and one pause at most", last, fastest)
	}
}

func TestTheReaperClosesSessionsAndTheirTabsComeBack(t *testing.T) {
	s := small()
	s.OldestSession, s.YoungestSession = 7_150*time.Second, 7_000*time.Second
	r := scale.Simulate(s)
	if r.Closed != s.Tabs || r.Connects != s.Tabs || r.StillWaiting > 0 {
		t.Errorf("%d sessions closed, %d connects, %d tabs still wait, want %d, %[4]d and 0", r.Closed, r.Connects, r.StillWaiting, s.Tabs)
	}
}

func TestAQuotaOfEachKindIsReported(t *testing.T) {
	for limit, change := range map[scale.Limit]func(*scale.Scenario){
		scale.StageRate:       func(s *scale.Scenario) { s.Stage, s.StageBurst = 1, 1 },
		scale.ConnectRate:     func(s *scale.Scenario) { s.Connects = 20 },
		scale.RequestRate:     func(s *scale.Scenario) { s.Requests, s.RequestBurst = 1, 1 },
		scale.Concurrency:     func(s *scale.Scenario) { s.Concurrency = 1 },
		scale.PartitionWrites: func(s *scale.Scenario) { s.PartitionWrites = 5 },
	} {
		s := small()
		s.OutageAt, s.OutageFor = time.Second, time.Second
		change(&s)
		r := scale.Simulate(s)
		if r.Refused[limit] == 0 || r.Peak[limit] == 0 {
			t.Errorf("%v: refused %v, peak %v", limit, r.Refused, r.Peak)
		}
	}
}
