package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
)

func TestFanOutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storeWith(t)
		for i := range 1000 {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		s := &sender{delay: 10 * time.Millisecond}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		start := time.Now()
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != 1000 {
			t.Fatalf("%+v, %v", report, err)
		}
		if s.maxInFlight != broadcast.InFlight {
			t.Errorf("%d posts in flight at most, want %d", s.maxInFlight, broadcast.InFlight)
		}
		if took, want := time.Since(start), 80*time.Millisecond; took != want {
			t.Errorf("1000 posts of 10 ms took %v of virtual time, want %v", took, want)
		}
	})
}

func TestThrottlingIsReportedForMoreConnectionsThanInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := storeWith(t), &sender{answers: map[string][]error{}, delay: 10 * time.Millisecond}
		for i := range 3 * broadcast.InFlight {
			id := fmt.Sprint("c", i)
			put(t, store, id, time.Minute, time.Hour)
			s.answers[id] = []error{broadcast.ErrThrottled}
		}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if !errors.Is(err, broadcast.ErrThrottled) || report.Failed != 3*broadcast.InFlight {
			t.Errorf("%+v, %v; want all failed, ErrThrottled", report, err)
		}
	})
}

func TestThrottlingIsNotAnsweredByMoreRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		throttled int // how many posts to each connection are throttled before one succeeds
		delivered int // connections
	}{"for a moment": {1, 300}, "to the end": {1000, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, s := storeWith(t), &sender{answers: map[string][]error{}, delay: 10 * time.Millisecond}
				for i := range 300 {
					id := fmt.Sprint("c", i)
					put(t, store, id, time.Minute, time.Hour)
					s.answers[id] = append(slices.Repeat([]error{broadcast.ErrThrottled}, tt.throttled), nil)
				}
				b := &broadcast.Broadcaster{Store: store, Sender: s}
				report, _ := b.ToUser(t.Context(), "u1", hello)
				requests := 0
				for _, frames := range s.frames {
					requests += len(frames)
				}
				if report.Delivered != tt.delivered || requests > 6*broadcast.InFlight {
					t.Errorf("%+v by %d requests, want %d delivered by at most %d", report, requests, tt.delivered, 6*broadcast.InFlight)
				}
			})
		})
	}
}

func TestThrottledConnectionsDelayNobodyElse(t *testing.T) {
	const throttled, connections = 10, 4000 // posts to 4,000 connections take longer than most retries of a throttled post
	synctest.Test(t, func(t *testing.T) {
		store, s := storeWith(t), &sender{answers: map[string][]error{}, delay: 100 * time.Millisecond}
		for i := range connections {
			id := fmt.Sprintf("c%04d", i)
			put(t, store, id, time.Minute, time.Hour)
			if i < throttled {
				s.answers[id] = []error{broadcast.ErrThrottled}
			}
		}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != connections-throttled || report.Failed != throttled {
			t.Errorf("%+v, %v; want %d failed, and the others delivered", report, err, throttled)
		}
	})
}

func TestAHangingConnectionDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{delay: time.Hour}
		b := &broadcast.Broadcaster{Store: storeWith(t, "hung", "hung too"), Sender: s}
		start := time.Now()
		report, err := b.ToUser(t.Context(), "u1", hello)
		if !errors.Is(err, broadcast.ErrDelivery) || report.Failed != 2 {
			t.Errorf("%+v, %v; want 2 failed", report, err)
		}
		if took := time.Since(start); took > broadcast.Budget {
			t.Errorf("took %v, over the budget of %v", took, broadcast.Budget)
		}
	})
}

func TestTheCallersDeadlineLeavesTimeForThePartialReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storeWith(t)
		for i := range 3 * broadcast.InFlight {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{delay: 400 * time.Millisecond}}
		report, err := b.ToUser(ctx, "u1", hello)
		want := broadcast.Report{Connections: 3 * broadcast.InFlight, Delivered: broadcast.InFlight, Failed: 2 * broadcast.InFlight}
		if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(broadcast.Report{}, "MessageID")); diff != "" || err != nil {
			t.Errorf("%v, report (-want +got):\n%s", err, diff)
		}
		if ctx.Err() != nil {
			t.Error("the report came after the caller's deadline")
		}
	})
}

// twoPages is a store with two connections in its first page. Its second page is read a second later, or fails. Before that, twoPages
// checks that the connections of the first page have been posted to.
type twoPages struct {
	*connection.Memory

	fail   error // of the second page
	sender *sender
	t      *testing.T
}

func (p *twoPages) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		n := 0
		for c, err := range p.Memory.ByUser(ctx, id) {
			if n++; n == 3 {
				time.Sleep(time.Second) // virtual: the next page is being read
				p.sender.mu.Lock()
				if len(p.sender.frames) != 2 {
					p.t.Errorf("%d posts while the second page was being read, want the 2 of the first page", len(p.sender.frames))
				}
				p.sender.mu.Unlock()
				if p.fail != nil {
					yield(connection.Connection{}, p.fail)

					return
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func TestPostsStartWhileLaterPagesAreRead(t *testing.T) {
	for name, fail := range map[string]error{"page comes": nil, "page fails": errors.New("throughput exceeded")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sender{delay: 10 * time.Millisecond}
				store := &twoPages{Memory: storeWith(t, "a", "b", "c", "d"), fail: fail, sender: s, t: t}
				b := &broadcast.Broadcaster{Store: store, Sender: s}
				report, err := b.ToUser(t.Context(), "u1", hello)
				if fail == nil && (err != nil || report.Delivered != 4) {
					t.Errorf("%+v, %v; want 4 delivered", report, err)
				}
				if fail != nil && (!errors.Is(err, broadcast.ErrStore) || report.Delivered != 2) {
					t.Errorf("%+v, %v; want ErrStore after 2 delivered", report, err)
				}
			})
		})
	}
}

// slowPages is a store whose second page takes longer than the budget. Its first page has all connections of the user.
type slowPages struct{ *connection.Memory }

func (p slowPages) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range p.Memory.ByUser(ctx, id) {
			if !yield(c, err) {
				return
			}
		}
		<-ctx.Done()
		yield(connection.Connection{}, ctx.Err())
	}
}

func TestTheBudgetEndsWhilePagesAreRead(t *testing.T) {
	for name, want := range map[string]error{"u1": nil, "nobody": broadcast.ErrStore} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &broadcast.Broadcaster{Store: slowPages{storeWith(t, "a", "b")}, Sender: &sender{}}
				report, err := b.ToUser(t.Context(), name, hello)
				if !errors.Is(err, want) || want == nil && report.Delivered != 2 {
					t.Errorf("%+v, %v; want a partial report, %v", report, err, want)
				}
			})
		})
	}
}
