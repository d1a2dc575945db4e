//go:build !race

// The race detector makes these ten times slower.

package csvimport_test

import (
	"os"
	"testing"
)

// TestResultsAreThoseOfTheNewestVersionInMoreOrders is TestResultsAreThoseOfTheNewestVersionInAllOrders with more switches
// and faults. With HERALD_ORDERS=long it takes some minutes.
func TestResultsAreThoseOfTheNewestVersionInMoreOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 20,000 histories; not with -short")
	}
	if os.Getenv("HERALD_ORDERS") == "long" {
		inAllOrders(t, bounds{{4, 0}, {2, 1}, {0, 2}}, bounds{{3, 0}, {1, 1}})
	} else {
		inAllOrders(t, bounds{{3, 0}, {1, 1}}, bounds{{2, 0}, {0, 1}})
	}
}
