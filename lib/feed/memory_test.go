package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

func TestMemoryMeetsTheStoreContract(t *testing.T) {
	var m feed.Memory
	feedtest.Run(t, func(*testing.T) feed.Store { return &m })
}

// clock stands until time is let pass.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time       { return c.now }
func (c *clock) Pass(d time.Duration) { c.now = c.now.Add(d) }

func TestMemoryExpiresNotesAndCorrectsClocks(t *testing.T) {
	feedtest.RunClock(t, func(*testing.T) (feed.Store, feedtest.Clock) {
		c := &clock{now: start}
		return &feed.Memory{Now: c.Now}, c
	})
}

func TestRetriesSucceedWhenMemoryCallsFail(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			faults := feedtest.NewFaults(seed, 0.2)
			feedtest.RunFaulty(t, func(*testing.T) feed.Store { return feedtest.Faulty{Store: &feed.Memory{}, Faults: faults} })
			if faults.Injected() == 0 {
				t.Error("no call failed")
			}
		})
	}
}

// TestMemoryHoldsItsRulesInEverySchedule runs every order of the writers' calls, with faults: more of them than of DynamoDB's requests, as
// there are fewer calls.
func TestMemoryHoldsItsRulesInEverySchedule(t *testing.T) {
	feedtest.RunInterleaved(t, 1, func(processes int, now func() time.Time) feedtest.Table {
		m := &feed.Memory{Now: now}
		w := feedtest.Table{}
		for range processes {
			w.Stores = append(w.Stores, feedtest.Scheduled{Store: m})
		}
		return w
	})
}
