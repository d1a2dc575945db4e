package local

import "github.com/herald-progress/herald/lib/local/gateway"

// Faults says which posts to connections fail, and how.
type Faults = gateway.Faults

// SetFaults replaces the faults of posts to connections. The faults must be valid.
func (t *Twin) SetFaults(f Faults) { t.gateway.SetFaults(f) }
