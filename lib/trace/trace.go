// Package trace follows executions of Step Functions by the events in their logs.
//
// A [Trace] is what the events of one execution say about it. Events may come in any order, repeatedly and with gaps: a Trace depends
// only on the set of the events that were added, and its encoding is bounded. A [Plan] is what the definition says, and [Averages] are
// what earlier executions took. [Trace.View] combines the three into steps, progress and the time left.
//
// The package does not know users and jobs. Package observe publishes what a View contains.
package trace

import (
	"maps"
	"slices"
	"time"
)

// Limits of a Trace. What comes after a limit is not stored, in the same way for each order of the events.
const (
	// MaxEventID is the largest ID of an event that is counted. It is the length of the longest history
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html). Express workflows may have more events; of those,
	// only the start and the end count.
	MaxEventID = 25_000
	// MaxStates is how many states a Trace has: those with the first names in the order of bytes.
	MaxStates = 400
	// maxMapRuns and maxFailures are how many of the first runs of Map states, and of the first failures, a Trace has by their IDs.
	maxMapRuns  = 64
	maxFailures = 64
	// maxRedrives is the largest redrive count of an epoch.
	maxRedrives = 9999
)

// Status is the status of an execution or of a step.
type Status string

// The statuses. A step has only the first three.
const (
	Running   Status = "running"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Aborted   Status = "aborted"
	TimedOut  Status = "timedOut"
)

// terminalEvents maps the types of the events that end an execution to its status.
var terminalEvents = map[string]Status{
	"ExecutionSucceeded": Succeeded, "ExecutionFailed": Failed, "ExecutionAborted": Aborted, "ExecutionTimedOut": TimedOut,
}

// Trace is what the events of one execution say about it. Its zero value has no events.
type Trace struct {
	seen   idSet
	states map[string]*stateTrace
	// mapRuns are runs of Map states by the ID of the event MapStateEntered.
	mapRuns map[int64]mapRun
	// failures are the IDs of events of tasks, iterations and states that failed.
	failures map[int64]bool

	redrives int64 // the highest redrive count of an event
	// end is the end after the last redrive; endID is the ID of its event.
	end         Status
	endID       int64
	started     int64 // the time of ExecutionStarted in milliseconds since 1970
	ended       int64
	newest      int64 // the time of the newest event
	lastID      int64 // the highest ID of an event, and whether that event is a failure
	lastFailure bool
}

// stateTrace is what the events say about all runs of a state: in a loop, in the iterations of a Map.
type stateTrace struct {
	Entered int64 `json:"n,omitzero"` // counts
	Exited  int64 `json:"x,omitzero"`
	// First is the time of the first event of the state. EnteredID and ExitedID are the IDs of the last events StateEntered and
	// StateExited, and ExitedAt and ExitedAfter the time and the previous event ID of the latter.
	First       int64 `json:"f,omitzero"`
	EnteredID   int64 `json:"ni,omitzero"`
	ExitedID    int64 `json:"xi,omitzero"`
	ExitedAfter int64 `json:"xa,omitzero"`
	ExitedAt    int64 `json:"xt,omitzero"`
	// ItemsStarted and ItemsDone count the iterations of a Map.
	ItemsStarted int64 `json:"is,omitzero"`
	ItemsDone    int64 `json:"id,omitzero"`
	// ItemAt is the time when the last item was done.
	ItemAt int64 `json:"it,omitzero"`
	// Fails is true for a Fail state.
	Fails bool `json:"fs,omitzero"`
}

// mapRun is one run of a Map state. Either the name or the length is missing as long as its event is.
type mapRun struct {
	Name      string `json:"n,omitzero"`
	Length    int64  `json:"l,omitzero"`
	HasLength bool   `json:"h,omitzero"`
}

// Add adds an event. It reports whether the trace did not have the event.
func (t *Trace) Add(e Event) bool {
	end, ends := terminalEvents[e.Type]
	counted := e.ID >= 1 && e.ID <= MaxEventID
	if counted && !t.seen.add(e.ID) {
		return false
	}
	t.Redrive(e.Redrives)
	if ends && e.Redrives == t.redrives {
		t.end, t.endID, t.ended = end, e.ID, e.Time
	}
	if e.Type == "ExecutionStarted" {
		t.started = e.Time
	}
	t.newest = max(t.newest, e.Time)
	if !counted {
		return true
	}
	failure := e.isFailure()
	if e.ID > t.lastID {
		t.lastID, t.lastFailure = e.ID, failure
	}
	if failure {
		t.addFailure(e.ID)
	}
	t.addToState(e)
	return true
}

// Redrive adds the redrive count of the execution: the end of an earlier run no longer counts. It reports whether the count was new. A
// count that no execution can have is ignored.
func (t *Trace) Redrive(count int64) bool {
	if count <= t.redrives || count > maxRedrives {
		return false
	}
	t.redrives = count
	t.end, t.endID, t.ended = "", 0, 0
	return true
}

// addToState adds an event to the state that it names.
func (t *Trace) addToState(e Event) {
	switch {
	case e.Type == "MapStateStarted":
		run := t.mapRuns[e.PreviousID]
		run.Length, run.HasLength = e.Length, true
		t.addMapRun(e.PreviousID, run)
	case e.Name == "":
	case e.entersState():
		s := t.state(e.Name)
		s.Entered++
		s.EnteredID = max(s.EnteredID, e.ID)
		s.Fails = s.Fails || e.Type == "FailStateEntered"
		s.at(e.Time)
		if e.Type == "MapStateEntered" {
			run := t.mapRuns[e.ID]
			run.Name = e.Name
			t.addMapRun(e.ID, run)
		}
	case e.exitsState():
		s := t.state(e.Name)
		s.Exited++
		if e.ID > s.ExitedID {
			s.ExitedID, s.ExitedAfter, s.ExitedAt = e.ID, e.PreviousID, e.Time
		}
		s.at(e.Time)
	case e.Type == "MapIterationStarted":
		s := t.state(e.Name)
		s.ItemsStarted++
		s.at(e.Time)
	case e.Type == "MapIterationSucceeded", e.Type == "MapIterationFailed", e.Type == "MapIterationAborted":
		s := t.state(e.Name)
		s.ItemsDone++
		s.ItemAt = max(s.ItemAt, e.Time)
		s.at(e.Time)
	}
}

func (s *stateTrace) at(ms int64) {
	if s.First == 0 || ms < s.First {
		s.First = ms
	}
}

// state returns the trace of a state. The caller may change it. If the Trace has MaxStates states with earlier names, the result is not
// a part of the Trace.
func (t *Trace) state(name string) *stateTrace {
	if s := t.states[name]; s != nil {
		return s
	}
	s := &stateTrace{}
	if t.states == nil {
		t.states = map[string]*stateTrace{}
	}
	t.states[name] = s
	if len(t.states) > MaxStates {
		delete(t.states, slices.Max(slices.Collect(maps.Keys(t.states))))
	}
	return s
}

func (t *Trace) addMapRun(id int64, run mapRun) {
	if t.mapRuns == nil {
		t.mapRuns = map[int64]mapRun{}
	}
	t.mapRuns[id] = run
	if len(t.mapRuns) > maxMapRuns {
		delete(t.mapRuns, slices.Max(slices.Collect(maps.Keys(t.mapRuns))))
	}
}

func (t *Trace) addFailure(id int64) {
	if t.failures == nil {
		t.failures = map[int64]bool{}
	}
	t.failures[id] = true
	if len(t.failures) > maxFailures {
		delete(t.failures, slices.Max(slices.Collect(maps.Keys(t.failures))))
	}
}

// End returns how the execution ended after its last redrive, or an empty status.
func (t *Trace) End() Status { return t.end }

// Redrives returns the highest redrive count of an event.
func (t *Trace) Redrives() int { return int(t.redrives) }

// Started returns the time of the event ExecutionStarted. It is zero if the trace does not have that event.
func (t *Trace) Started() time.Time { return toTime(t.started) }

// Newest returns the time of the newest event. It is zero if there is none.
func (t *Trace) Newest() time.Time { return toTime(t.newest) }

// Complete reports whether the execution has ended and the trace has all its events.
func (t *Trace) Complete() bool { return t.end != "" && t.endID > 0 && t.seen.count() == t.endID }

// items returns how many items the runs of a Map state have, as far as it is known. If the Trace does not have all runs, the others count
// like these.
func (t *Trace) items(name string) int64 {
	var total, runs int64
	for _, run := range t.mapRuns {
		if run.Name == name && run.HasLength {
			total += run.Length
			runs++
		}
	}
	s := t.states[name]
	if s == nil {
		return total
	}
	if runs > 0 && s.Entered > runs && len(t.mapRuns) >= maxMapRuns {
		total = total * s.Entered / runs
	}
	return max(total, s.ItemsStarted, s.ItemsDone)
}

func toTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
