package csvimport_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
)

func openMemory(*testing.T) csvimport.Store { return &csvimport.Memory{} }

// TestResultsAreThoseOfTheNewestVersionInAllOrders runs concurrent imports of one upload in all orders of their requests,
// with failing requests and killed functions. The number of switches between imports and the number of faults are bounded.
func TestResultsAreThoseOfTheNewestVersionInAllOrders(t *testing.T) {
	const all = 0 // all histories run on the store
	storetest.Few(all).Run(t, openMemory)
}
