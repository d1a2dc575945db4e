//go:build !race

// The race detector makes this test ten times slower.

package csvimport_test

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/herald-progress/herald/lib/csvimport/storetest"
)

// TestResultsAreThoseOfTheNewestVersionInMoreOrders is TestResultsAreThoseOfTheNewestVersionInAllOrders with more switches
// and faults. With HERALD_RANDOM it takes about a minute.
func TestResultsAreThoseOfTheNewestVersionInMoreOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 16,000 histories; not with -short")
	}
	percent := debug.SetGCPercent(800) // Collect garbage rarely: a history leaves much of it, and hardly any live memory.
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	orders := storetest.More()
	if os.Getenv("HERALD_RANDOM") != "" {
		orders = storetest.Many()
	}
	orders.Run(t, openMemory)
}
