package feed_test

import (
	"fmt"
	"testing"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

func TestMemory(t *testing.T) {
	var m feed.Memory
	feedtest.Run(t, func(*testing.T) feed.Store { return &m })
}

func TestMemoryThatFails(t *testing.T) {
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
