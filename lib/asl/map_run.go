package asl

import (
	"encoding/json"
	"time"
)

// MapRun describes the child executions of a Distributed Map state.
type MapRun struct {
	MapRunLimits

	// ARN is the Map run's ARN.
	ARN string
	// State is the name of the Map state.
	State string
	// Items is the number of items. It is zero if they could not be read.
	Items int
	// Children is the number of child executions: fewer than Items if ItemBatcher makes batches.
	Children int
	// Express is set if the child executions are Express workflows.
	Express bool
	// Dataset returns the items that ItemReader has read as JSON text, for RedrivenMapRun. It returns nil if the text has more than limit
	// bytes. Dataset is nil if the state has no ItemReader, or if it could not read the items.
	Dataset func(limit int) json.RawMessage
	// SetLimits changes the limits of the Map run while it runs, as UpdateMapRun does. If more items have failed than the new limits
	// tolerate, the Map run fails. It has no effect after the end.
	SetLimits func(MapRunLimits)
}

// MapRunLimits are the limits of a Map run that can be changed while it runs.
type MapRunLimits struct {
	// MaxConcurrency is how many child executions run at once. Zero means that only the limit of all Distributed Maps applies, 1,000.
	MaxConcurrency int
	// ToleratedFailureCount is how many items may fail. Nil means that only ToleratedFailurePercentage counts.
	ToleratedFailureCount *int64
	// ToleratedFailurePercentage is how many of all items may fail, in percent. Nil means that only ToleratedFailureCount counts.
	// If both are nil, no item may fail. If both are set, the lower limit counts.
	ToleratedFailurePercentage *float64
}

// tolerated returns how many of the items may fail.
func (l MapRunLimits) tolerated(items int) int {
	var count, percentage float64
	if l.ToleratedFailureCount != nil {
		count = float64(*l.ToleratedFailureCount)
	}
	if l.ToleratedFailurePercentage != nil {
		percentage = *l.ToleratedFailurePercentage * float64(items) / maxPercentage
	}

	switch {
	case l.ToleratedFailureCount != nil && l.ToleratedFailurePercentage != nil:
		return int(min(count, percentage))
	case l.ToleratedFailureCount != nil:
		return int(count)
	default:
		return int(percentage)
	}
}

// concurrency returns how many child executions may run at once.
func (l MapRunLimits) concurrency() int {
	if l.MaxConcurrency <= 0 {
		return distributedConcurrency
	}
	return min(l.MaxConcurrency, distributedConcurrency)
}

// Child describes a child execution of a Distributed Map state.
type Child struct {
	// ID is the child execution's ARN.
	ID string
	// Name is the child execution's name.
	Name string
	// MapRunARN is the ARN of the Map run that the child belongs to.
	MapRunARN string
	// StateMachineID is the ARN of the state machine, with the label of the Map state.
	StateMachineID string
	// Index is the child's place among the children of the Map run, from 0.
	Index int
	// Redriven is set if the child ran before. A Standard child goes on from the state that failed, and an Express child starts again.
	Redriven bool
	// Items is the number of items in the input: more than 1 if ItemBatcher makes batches.
	Items int
	// Input is the child's input as JSON text.
	Input json.RawMessage
	// Start is when the child started. The redrive of a Standard child does not change it.
	Start time.Time
	// RedriveCount counts the redrives of a Standard child. It is 0 for an Express child, whose redrives cannot be told apart.
	RedriveCount int
	// RedriveTime is when the child was last redriven. It is zero if RedriveCount is zero.
	RedriveTime time.Time
	// Abort ends the child as ABORTED with an error, as StopExecution does. It does not wait for the end.
	Abort func(*Error)
}
