package local

import "github.com/herald-progress/herald/lib/local/gateway"

// Faults is how posts to connections go wrong.
type Faults = gateway.Faults

// SetFaults has posts to connections go wrong in this way from now on; the faults must be valid.
func (t *Twin) SetFaults(f Faults) { t.gateway.SetFaults(f) }
