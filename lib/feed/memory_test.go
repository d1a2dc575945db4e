package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

func TestMemoryMeetsTheStoreContract(t *testing.T) {
	var m feed.Memory // All tests share it, because the contract allows rows of other tests.
	feedtest.Run(t, func(*testing.T) feed.Store { return &m })
}

// clock is a [feedtest.Clock] that stands still until Pass advances it.
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
			faults := feedtest.NewFaults(seed, 0.2) // A fifth of the calls fails.
			feedtest.RunFaulty(t, func(*testing.T) feed.Store { return feedtest.Faulty{Store: &feed.Memory{}, Faults: faults} })
			if faults.Injected() == 0 {
				t.Error("no call failed")
			}
		})
	}
}

// TestMemoryHoldsItsRulesInEverySchedule runs every order of the writers' calls, with faults. A step is one call here. A test of
// DynamoDB has more steps, because one call sends several requests. So there is time for schedules with one more fault here.
func TestMemoryHoldsItsRulesInEverySchedule(t *testing.T) {
	const extraFaults = 1
	feedtest.RunInterleaved(t, extraFaults, func(processes int, now func() time.Time) feedtest.Table {
		m := &feed.Memory{Now: now}
		table := feedtest.Table{}
		for range processes {
			table.Stores = append(table.Stores, feedtest.Scheduled{Store: m})
		}
		return table
	})
}
