package states

import (
	"context"
	"fmt"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/durable"
)

const (
	// saveInterval is how often the histories of running executions are stored.
	saveInterval = 100 * time.Millisecond
	// defaultMaxStored is the default of Config.MaxStored.
	defaultMaxStored = 256 << 20
	// minDefinitions is how many definitions are stored before those that nothing uses are removed.
	minDefinitions = 1000
)

// saved is what the store has, or would have. StepFunctions.mu guards it.
type saved struct {
	definitions    map[string]bool // By their hashes.
	maxDefinitions int             // Before this number is exceeded, the definitions that nothing uses are removed.
	bytes          int64           // The size of all executions with their histories.
}

// savedExecution is what the store has of an execution. StepFunctions.mu guards it.
type savedExecution struct {
	events int     // How many of its events.
	chunks []int64 // The IDs of the first events of the parts of its history.
	record int     // The size of its record in bytes.
	bytes  int64   // The size of its record and of its history.
}

// add adds changes to the store, if there is one. The caller holds the lock.
func (s *StepFunctions) add(changes ...durable.Change) {
	if s.cfg.Store != nil {
		s.cfg.Store.Add(changes...)
	}
}

// flush waits until all changes are in the store.
func (s *StepFunctions) flush(ctx context.Context) error {
	if s.cfg.Store == nil {
		return nil
	}
	if err := s.cfg.Store.Flush(); err != nil {
		s.cfg.Log.ErrorContext(ctx, "the state of Step Functions is not stored", "err", err)
		return fmt.Errorf("step functions: %w", err)
	}
	return nil
}

// saveMachine stores a state machine with its definitions. The caller holds the lock.
func (s *StepFunctions) saveMachine(m *stateMachine) {
	if s.cfg.Store == nil {
		return
	}
	s.saveDefinition(m.current)
	s.add(durable.JSON(tableMachines, m.arn, m.record()))
}

// deleteMachine deletes a state machine. The caller holds the lock.
func (s *StepFunctions) deleteMachine(m *stateMachine) {
	delete(s.machines, m.arn)
	s.add(durable.Change{Table: tableMachines, Key: m.arn})
}

// saveDefinition stores the definition of a revision, unless it is there. The caller holds the lock.
func (s *StepFunctions) saveDefinition(r *revision) {
	hash := r.hash()
	if s.saved.definitions[hash] {
		return
	}
	if len(s.saved.definitions) >= s.saved.maxDefinitions {
		s.removeDefinitions()
	}
	s.saved.definitions[hash] = true
	s.add(durable.Change{Table: tableDefinitions, Key: hash, Value: []byte(r.definition)})
}

// removeDefinitions removes the definitions that nothing uses. The caller holds the lock.
func (s *StepFunctions) removeDefinitions() {
	used := map[string]bool{}
	for _, m := range s.machines {
		used[m.current.hash()] = true
		for _, v := range m.versions {
			used[v.revision.hash()] = true
		}
	}
	for _, x := range s.executions {
		used[x.revision.hash()] = true
	}
	for _, x := range s.ended { // The name of a newer execution may hide one of them.
		used[x.revision.hash()] = true
	}
	for hash := range s.saved.definitions {
		if !used[hash] {
			delete(s.saved.definitions, hash)
			s.add(durable.Change{Table: tableDefinitions, Key: hash})
		}
	}
	s.saved.maxDefinitions = max(minDefinitions, 2*len(used))
}

// saveExecution stores an execution with the rest of its history, in one step. Without a store it counts what the execution takes in
// memory. The caller holds the lock.
func (s *StepFunctions) saveExecution(x *execution) {
	if s.cfg.Store == nil {
		s.countSaved(x, x.size()-x.saved.bytes)
		return
	}
	s.saveDefinition(x.revision)
	c := durable.JSON(tableExecutions, sequenceKey(x.sequence), x.record())
	s.countSaved(x, int64(len(c.Value)-x.saved.record))
	x.saved.record = len(c.Value)
	s.add(append(s.newEvents(x), c)...)
}

// size returns the size of an execution's data and history in bytes. A text counts in each event that has it. The caller holds the lock.
func (x *execution) size() int64 {
	size := len(x.input) + len(x.result.Output)
	for _, event := range x.events {
		size += event.Details.Size()
	}
	for _, r := range x.mapRuns {
		size += len(r.dataset)
	}
	return int64(size)
}

// newEvents returns the change that stores the events that are not stored yet, if there are any. The caller holds the lock.
func (s *StepFunctions) newEvents(x *execution) []durable.Change {
	unsaved := x.events[x.saved.events:]
	if len(unsaved) == 0 {
		return nil
	}
	records := make([]eventRecord, len(unsaved))
	for i, event := range unsaved {
		records[i] = eventRecord(event)
	}
	c := durable.JSON(tableEvents, eventsKey(x.sequence, unsaved[0].ID), records)
	x.saved.events = len(x.events)
	x.saved.chunks = append(x.saved.chunks, unsaved[0].ID)
	s.countSaved(x, int64(len(c.Value)))
	return []durable.Change{c}
}

// countSaved adds to the sizes of what is stored. The caller holds the lock.
func (s *StepFunctions) countSaved(x *execution, bytes int64) {
	x.saved.bytes += bytes
	s.saved.bytes += bytes
}

// saveEvents stores the events of an execution that are not stored yet. The caller holds the lock.
func (s *StepFunctions) saveEvents(x *execution) {
	if s.cfg.Store != nil {
		s.add(s.newEvents(x)...)
	}
}

// removeHistory removes the events of an execution. The caller holds the lock.
func (s *StepFunctions) removeHistory(x *execution) {
	for _, first := range x.saved.chunks {
		s.add(durable.Change{Table: tableEvents, Key: eventsKey(x.sequence, first)})
	}
	s.countSaved(x, int64(x.saved.record)-x.saved.bytes)
	x.events, x.saved.events, x.saved.chunks = nil, 0, nil
}

// saveHistories stores the events of running executions again and again, until the service is closed.
func (s *StepFunctions) saveHistories(ctx context.Context) {
	ticks := time.NewTicker(saveInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		for x := range s.running {
			s.add(s.newEvents(x)...)
		}
		s.mu.Unlock()
		_ = s.flush(ctx) // It logs the error.
	}
}

// saveMapRun stores a Map run. The caller holds the lock.
func (s *StepFunctions) saveMapRun(r *mapRun) {
	if s.cfg.Store != nil {
		s.add(durable.JSON(tableMapRuns, sequenceKey(r.sequence), r.record()))
	}
}

// removeSaved removes an execution, its history and its Map runs from the store. The caller holds the lock.
func (s *StepFunctions) removeSaved(x *execution) {
	s.countSaved(x, -x.saved.bytes)
	s.add(durable.Change{Table: tableExecutions, Key: sequenceKey(x.sequence)})
	for _, first := range x.saved.chunks {
		s.add(durable.Change{Table: tableEvents, Key: eventsKey(x.sequence, first)})
	}
	for _, r := range x.mapRuns {
		s.add(durable.Change{Table: tableMapRuns, Key: sequenceKey(r.sequence)}, durable.Change{Table: tableDatasets, Key: sequenceKey(r.sequence)})
	}
}

// removeOldest removes the oldest ended executions and child executions if there are too many, or if they take too much room. The newest
// one stays. The caller holds the lock.
func (s *StepFunctions) removeOldest() {
	for {
		tooLarge := s.saved.bytes > s.cfg.MaxStored && len(s.ended)+len(s.endedChildren) > 1
		oldest := &s.ended
		if len(s.ended) == 0 || len(s.endedChildren) > 0 && s.endedChildren[0].stop.Before(s.ended[0].stop) {
			oldest = &s.endedChildren
		}
		switch {
		case len(s.ended) > s.cfg.MaxEnded:
			oldest = &s.ended
		case len(s.endedChildren) > s.cfg.MaxEndedChildren:
			oldest = &s.endedChildren
		case !tooLarge:
			return
		}
		s.removeExecution((*oldest)[0])
		*oldest = (*oldest)[1:]
	}
}

// interruption is the error of an execution that ran when the twin ended without stopping it.
var interruption = &asl.Error{Name: "TwinEnded", Cause: "The local twin ended while the execution was running. Start it again, or redrive it."}
