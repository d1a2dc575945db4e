package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
)

// storeTime is the time that the notifier gives the store for one update.
const storeTime = 2 * time.Second

// TestConcurrentWritersLoseNoState lets 40 processes write states of one job, one a second each, all at the same moment. A
// request takes 4 to 12 ms, there and back. Time is virtual.
func TestConcurrentWritersLoseNoState(t *testing.T) {
	const writers, seconds = 40, 30
	for _, spread := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint("within ", spread), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &model{latency: func() time.Duration { return 2*time.Millisecond + rand.N(4*time.Millisecond) }}
				client := m.client()
				var group sync.WaitGroup
				var longest atomic.Int64
				for n := range writers {
					group.Go(func() {
						s := &dynamo.Feed{Client: client, Table: "feed"}
						time.Sleep(time.Duration(n) * spread / writers)
						for second := range seconds {
							began := time.Now()
							u := stateUpdate("job", float64(second), began)
							u.ID = fmt.Sprint(n, " ", second)
							u.Key = u.ID
							ctx, cancel := context.WithTimeout(t.Context(), storeTime)
							if _, outcome, err := s.Apply(ctx, "user/u", u); err != nil || outcome != feed.Accepted {
								t.Errorf("after %v: %q, %v", time.Since(began), outcome, err)
							}
							cancel()
							longest.Store(max(longest.Load(), int64(time.Since(began))))
							time.Sleep(time.Until(began.Add(time.Second)))
						}
					})
				}
				group.Wait()
				row, err := (&dynamo.Feed{Client: client, Table: "feed"}).Job(t.Context(), "user/u", "job")
				if err != nil || row.Seq != writers*seconds {
					t.Errorf("after %d states the row is %+v, %v", writers*seconds, row, err)
				}
				t.Logf("the longest took %v", time.Duration(longest.Load()))
			})
		})
	}
}

// TestContentionIsReportedAsThrottled has another writer that changes the row before every request. Apply must return
// ErrContention before the deadline, without having written.
func TestContentionIsReportedAsThrottled(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"a deadline": storeTime, "hardly any time": 20 * time.Millisecond, "no deadline": 0} {
		for kind, u := range map[string]feed.Update{"a state": stateUpdate("job", 2, time.Now()), "a part": partUpdate("job", "1", 1, time.Now())} {
			t.Run(name+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &model{latency: func() time.Duration { return time.Millisecond }}
					s := &dynamo.Feed{Client: m.client(), Table: "feed"}
					if _, _, err := s.Apply(t.Context(), "user/u", stateUpdate("job", 1, u.At)); err != nil {
						t.Fatal(err)
					}
					refused := 0
					m.mutate = func(request any) { // another writes before each request of ours
						refused++
						m.items[[2]string{"user/u", "job#job"}]["id"] = str(fmt.Sprint("another ", refused))
						m.items[[2]string{"user/u", "job#job"}]["execution"] = str(fmt.Sprint("arn ", refused))
					}
					ctx, began := t.Context(), time.Now()
					if timeout > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, timeout)
						defer cancel()
					}
					_, _, err := s.Apply(ctx, "user/u", u)
					if !errors.Is(err, feed.ErrContention) || ctx.Err() != nil {
						t.Errorf("Apply: %v, when the context says %v", err, ctx.Err())
					}
					if took := time.Since(began); timeout != 20*time.Millisecond && (took < time.Second || took > storeTime) {
						t.Errorf("it gave up after %v and %d requests", took, refused)
					}
					if row, err := s.Job(t.Context(), "user/u", "job"); err != nil || row.Seq != 1 {
						t.Errorf("the row is %+v, %v", row, err)
					}
				})
			})
		}
	}
}
