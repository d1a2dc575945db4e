package csvimport_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/csvimport/storetest"
)

func TestMemoryMeetsTheStoreContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) csvimport.Store { return &csvimport.Memory{} })
}
