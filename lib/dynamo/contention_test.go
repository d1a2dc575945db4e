package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
)

// storeTime is how long the notifier waits for the store to apply one update.
const storeTime = 2 * time.Second

// TestConcurrentWritersLoseNoState lets 40 processes write states of one job. Each process writes 100 states, one a second. In one
// case all processes write at the same moment of the second, in the other their writes are spread over the second. A request and
// its response take 8 to 30 ms together, which is slow. Time is virtual.
func TestConcurrentWritersLoseNoState(t *testing.T) {
	const writers, seconds = 40, 100
	for page, want := range map[string]string{
		"statemachines/README.md": fmt.Sprintf("about %d states a second from parallel branches", writers), "README.md": fmt.Sprintf("about %d states a second", writers),
	} {
		text, err := os.ReadFile("../../" + page)
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
			t.Errorf("%s does not say %q, %v", page, want, err)
		}
	}
	for _, spread := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint("within ", spread), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{latency: func() time.Duration { return 4*time.Millisecond + rand.N(11*time.Millisecond) }}
				client := m.client()
				var group sync.WaitGroup
				var longest atomic.Int64
				for n := range writers {
					group.Go(func() {
						s := &dynamo.Feed{Client: client, Table: "feed"}
						time.Sleep(time.Duration(n) * spread / writers)
						for second := range seconds {
							startedAt := time.Now()
							u := stateUpdate("job", float64(second), startedAt)
							u.ID = fmt.Sprint(n, " ", second)
							u.Key = u.ID
							ctx, cancel := context.WithTimeout(t.Context(), storeTime)
							if _, outcome, err := s.Apply(ctx, "user/u", u); err != nil || outcome != feed.Accepted {
								t.Errorf("after %v: %q, %v", time.Since(startedAt), outcome, err)
							}
							cancel()
							longest.Store(max(longest.Load(), int64(time.Since(startedAt))))
							time.Sleep(time.Until(startedAt.Add(time.Second)))
						}
					})
				}
				group.Wait()
				row, err := (&dynamo.Feed{Client: client, Table: "feed"}).Job(t.Context(), "user/u", "job")
				if err != nil || row.Seq != writers*seconds {
					t.Errorf("after %d states the row is %+v, %v", writers*seconds, row, err)
				}
				t.Logf("the longest update took %v", time.Duration(longest.Load()))
			})
		})
	}
}

// TestTheUpdateThatWaitedLongestTriesMostOften lets 60 processes write states of one job, each process one state a second. That is
// more than one row can take when requests are slow, so some states may be throttled: at most one in a hundred, because newer
// updates do not overtake those that have waited longest. All states that are not throttled must be stored.
func TestTheUpdateThatWaitedLongestTriesMostOften(t *testing.T) {
	const writers, seconds = 60, 40
	synctest.Test(t, func(t *testing.T) {
		m := &model{latency: func() time.Duration { return 4*time.Millisecond + rand.N(11*time.Millisecond) }}
		client := m.client()
		var group sync.WaitGroup
		var throttled atomic.Int64
		for n := range writers {
			group.Go(func() {
				s := &dynamo.Feed{Client: client, Table: "feed"}
				for second := range seconds {
					startedAt := time.Now()
					u := stateUpdate("job", float64(second), startedAt)
					u.ID = fmt.Sprint(n, " ", second)
					ctx, cancel := context.WithTimeout(t.Context(), storeTime)
					_, _, err := s.Apply(ctx, "user/u", u)
					cancel()
					if errors.Is(err, feed.ErrContention) {
						throttled.Add(1)
					} else if err != nil {
						t.Errorf("after %v: %v, want success or ErrContention", time.Since(startedAt), err)
					}
					time.Sleep(time.Until(startedAt.Add(time.Second)))
				}
			})
		}
		group.Wait()
		row, err := (&dynamo.Feed{Client: client, Table: "feed"}).Job(t.Context(), "user/u", "job")
		if lost := throttled.Load(); err != nil || row.Seq != writers*seconds-lost || lost > writers*seconds/100 {
			t.Errorf("%d of %d states were throttled, and seq is %d, %v; want at most one in a hundred, and all others stored", lost, writers*seconds, row.Seq, err)
		}
	})
}

// TestContentionIsReportedAsThrottled changes the row before every request of Apply, as another writer would. Apply must return
// ErrContention before the deadline and write nothing.
func TestContentionIsReportedAsThrottled(t *testing.T) {
	const hardlyAnyTime = 20 * time.Millisecond // less than the time that Apply reserves for its last request
	for name, timeout := range map[string]time.Duration{"a deadline": storeTime, "hardly any time": hardlyAnyTime, "no deadline": 0} {
		for kind, u := range map[string]feed.Update{"a state": stateUpdate("job", 2, time.Now()), "a part": partUpdate("job", "1", 1, time.Now())} {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &model{latency: func() time.Duration { return time.Millisecond }}
					s := &dynamo.Feed{Client: m.client(), Table: "feed"}
					if _, _, err := s.Apply(t.Context(), "user/u", stateUpdate("job", 1, u.At)); err != nil {
						t.Fatal(err)
					}
					conflicts := 0
					m.mutate = func(any) { // Called before each request.
						conflicts++
						m.items[[2]string{"user/u", "job#job"}]["id"] = str(fmt.Sprint("another ", conflicts))
						m.items[[2]string{"user/u", "job#job"}]["execution"] = str(fmt.Sprint("arn ", conflicts))
					}
					ctx, startedAt := t.Context(), time.Now()
					if timeout > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, timeout)
						defer cancel()
					}
					_, _, err := s.Apply(ctx, "user/u", u)
					if !errors.Is(err, feed.ErrContention) || ctx.Err() != nil {
						t.Errorf("Apply: %v, the context's error is %v", err, ctx.Err())
					}
					if took := time.Since(startedAt); timeout != hardlyAnyTime && (took < time.Second || took > storeTime) {
						t.Errorf("Apply gave up after %v and %d requests", took, conflicts)
					}
					if row, err := s.Job(t.Context(), "user/u", "job"); err != nil || row.Seq != 1 {
						t.Errorf("the row is %+v, %v", row, err)
					}
				})
			})
		}
	}
}
