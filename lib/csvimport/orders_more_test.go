//go:build !race

// The race detector makes these ten times slower.

package csvimport_test

import (
	"os"
	"testing"
)

// TestTheNewestVersionsResultsAreThereWholeInMoreOrders goes on where TestTheNewestVersionsResultsAreThereWhole ends; with
// HERALD_ORDERS=long for some minutes.
func TestTheNewestVersionsResultsAreThereWholeInMoreOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 20,000 histories; not with -short")
	}
	if os.Getenv("HERALD_ORDERS") == "long" {
		inAllOrders(t, bounds{{4, 0}, {2, 1}, {0, 2}}, bounds{{3, 0}, {1, 1}})
	} else {
		inAllOrders(t, bounds{{3, 0}, {1, 1}}, bounds{{2, 0}, {0, 1}})
	}
}
