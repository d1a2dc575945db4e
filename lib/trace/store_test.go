package trace_test

import (
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/trace"
	"github.com/herald-progress/herald/lib/trace/tracetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	var now time.Time
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	tracetest.Run(t, &trace.Memory{Now: clock}, "", func(at time.Time) { mu.Lock(); defer mu.Unlock(); now = at })
}
