package csvimport_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
)

func openMemory(*testing.T) csvimport.Store { return &csvimport.Memory{} }

// TestResultsAreThoseOfTheNewestVersionInAllOrders runs concurrent imports of one upload in all orders of their requests,
// with failing requests and killed functions. The number of switches between imports and of faults is bounded.
func TestResultsAreThoseOfTheNewestVersionInAllOrders(t *testing.T) {
	storetest.Few(0).Run(t, openMemory)
}
