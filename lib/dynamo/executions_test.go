package dynamo_test

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/trace/tracetest"
)

func TestExecutionsMeetTheStoreContract(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			table, _ := openFeed(t, variable, nil)
			var mu sync.Mutex
			var now time.Time
			clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
			store := &dynamo.Executions{Client: table.Client, Table: table.Table, Now: clock}
			tracetest.Run(t, store, rand.Text(), func(at time.Time) { mu.Lock(); defer mu.Unlock(); now = at })
		})
	}
}
