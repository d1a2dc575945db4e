package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxRunning is the progress above which a running execution is never shown, in percent.
const maxRunning = 99

// Step is a state that the execution has entered, or all runs of it.
type Step struct {
	// Name is the name of the state. Title is its comment, if it is one short line, or else its name.
	Name, Title string
	// At is the time of the first entry.
	At     time.Time
	Status Status
	// Done and Total count the items of a Map. Total is 0 for all others.
	Done, Total int64
	// Callback is true if the state waits for a task token.
	Callback bool
	// inner is true if the state is in a Parallel or Map state.
	inner bool
	kind  string
}

// View is what a user sees of an execution.
type View struct {
	// Steps are the states that the execution has entered, in the order of their first entries.
	Steps []Step
	// Progress is in percent. It depends on the events only, so it may be lower than before. It is 100 only if the execution has
	// succeeded.
	Progress float64
	// Ends is when the execution will probably end. It is zero if that is not known, or if the forecasts of earlier executions were
	// wrong by over a quarter of the time that is left.
	Ends time.Time
	// Stage is the step of the state machine itself that was entered last. Current is the step that was entered last anywhere, also inside
	// a Parallel or Map state. Both are nil before the first step.
	Stage, Current *Step
	// Waiting is true if all running states wait for task tokens. Retrying is true if the newest event is a failure.
	Waiting, Retrying bool
}

// View returns what a user sees of the execution. If p is nil, the states have no titles, and there is no progress until the end.
func (t *Trace) View(p *Plan, a *Averages) View {
	v := View{}
	for name, s := range t.states {
		v.Steps = append(v.Steps, t.step(p, name, s))
	}
	slices.SortFunc(v.Steps, func(x, y Step) int { return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Name, y.Name)) })
	v.findCurrent(t)
	v.Retrying = t.lastFailure && t.end == ""
	switch {
	case t.end == Succeeded:
		v.Progress = 100
	case p != nil:
		v.Progress = t.progress(p, a)
		if t.end == "" {
			v.Ends = t.forecastEnd(p, a)
		}
	}
	return v
}

// findCurrent sets Stage, Current and Waiting.
func (v *View) findCurrent(t *Trace) {
	running, waiting := 0, 0
	entered := func(s *Step) int64 {
		if s == nil {
			return 0
		}
		return t.states[s.Name].EnteredID
	}
	for i := range v.Steps {
		s := &v.Steps[i]
		if !s.inner && entered(s) > entered(v.Stage) {
			v.Stage = s
		}
		if s.Status != Running {
			continue
		}
		if v.Current == nil || entered(s) > entered(v.Current) {
			v.Current = s
		}
		if s.kind != "Parallel" && s.kind != kindMap {
			running++
			if s.Callback {
				waiting++
			}
		}
	}
	if v.Current == nil {
		v.Current = v.Stage
	}
	v.Waiting = t.end == "" && running > 0 && running == waiting
}

// step returns the step of a state.
func (t *Trace) step(p *Plan, name string, s *stateTrace) Step {
	step := Step{Name: name, Title: name, At: toTime(s.First), Status: Succeeded}
	var planned *state
	if p != nil {
		planned = p.states[name]
	}
	if planned != nil {
		step.Title, step.kind, step.Callback, step.inner = planned.title, planned.kind, planned.callback, planned.flow.parent != nil
	}
	if s.ItemsStarted > 0 || planned != nil && planned.kind == kindMap {
		step.Total = t.items(name)
		step.Done = min(s.ItemsDone, step.Total)
	}
	running := t.isRunning(planned, s)
	switch {
	case s.Fails, s.ExitedAfter > 0 && t.failures[s.ExitedAfter] && !running:
		step.Status = Failed
	case running && t.end == "":
		step.Status = Running
	case running && t.end != Succeeded:
		step.Status = Failed
	}
	return step
}

// isRunning reports whether a state has not been left. Events may be missing: where one state runs at a time, the entry of another state
// is the exit of the one before, and what is inside a state has ended with it.
func (t *Trace) isRunning(planned *state, s *stateTrace) bool {
	if planned == nil || planned.flow.concurrent {
		if s.Entered <= s.Exited {
			return false
		}
	} else if s.EnteredID <= s.ExitedID || s != t.latest(planned.flow) {
		return false
	}
	if planned == nil || planned.flow.parent == nil {
		return true
	}
	outer := t.states[planned.flow.parent.name]
	return outer == nil || t.isRunning(planned.flow.parent, outer)
}

// latest returns the state of a flow that was entered last, or nil.
func (t *Trace) latest(f *flow) *stateTrace {
	if s := t.latestState(f); s != nil {
		return t.states[s.name]
	}
	return nil
}

func (t *Trace) latestState(f *flow) *state {
	var newest *state
	var id int64
	for name, s := range f.states {
		if st := t.states[name]; st != nil && max(st.EnteredID, st.ExitedID) > id {
			newest, id = s, max(st.EnteredID, st.ExitedID)
		}
	}
	return newest
}

// progress returns the progress of an execution that has not succeeded, in percent: by time if earlier executions had the newest state of
// the state machine, and otherwise by the number of states on the longest path.
func (t *Trace) progress(p *Plan, a *Averages) float64 {
	percent := 100 * t.position(p.root)
	if end, ok := t.expectedEnd(p, a); ok {
		start := cmp.Or(t.started, t.states[p.root.start].first())
		elapsed, left := float64(t.newest-start), max(end-float64(t.newest), 0)
		if start > 0 && elapsed+left > 0 {
			percent = 100 * elapsed / (elapsed + left)
		}
	}
	return math.Round(min(max(percent, 0), maxRunning)*100) / 100
}

func (s *stateTrace) first() int64 {
	if s == nil {
		return 0
	}
	return s.First
}

// expectedEnd returns the time at which earlier executions would have ended, in milliseconds since 1970. It returns false if no earlier
// execution had the state in which this one is.
func (t *Trace) expectedEnd(p *Plan, a *Averages) (float64, bool) {
	current := t.latestState(p.root)
	if current == nil || a == nil || a.states[current.name].Runs == 0 {
		return 0, false
	}
	known, s := a.states[current.name], t.states[current.name]
	items := t.itemsOf(current)
	exited := s.ExitedID >= s.EnteredID
	switch {
	case exited && !current.repeats:
		return float64(s.ExitedAt) + known.Tail, true
	case items > 0 && !current.repeats:
		end := float64(s.First) + known.duration(items)
		if done := min(float64(s.ItemsDone)/float64(items), 1); done > 0 { // the more items are done, the more counts how long they took
			byItems := float64(s.First) + float64(s.ItemAt-s.First)/done
			end += (byItems - end) * done
		}
		return max(end, float64(t.newest)) + known.Tail, true
	default:
		return max(float64(s.First)+known.duration(0), float64(t.newest)) + known.Tail, true
	}
}

// forecastEnd returns the expected end if the earlier forecasts at the current state were good enough, and a zero time otherwise.
func (t *Trace) forecastEnd(p *Plan, a *Averages) time.Time {
	end, ok := t.expectedEnd(p, a)
	if !ok {
		return time.Time{}
	}
	current := t.latestState(p.root)
	if !a.states[current.name].isReliable(t.itemsOf(current)) {
		return time.Time{}
	}
	return toTime(int64(end))
}

// position returns how far a flow is on its longest path, from 0 to 1.
func (t *Trace) position(f *flow) float64 {
	current := t.latestState(f)
	if current == nil || f.length == 0 {
		return 0
	}
	s := t.states[current.name]
	rest := current.rest
	switch {
	case current.repeats:
	case s.ExitedID >= s.EnteredID:
		rest -= current.weight
	default:
		rest -= current.weight * t.inside(current)
	}
	return min(max(1-rest/f.length, 0), 1)
}

// inside returns how far a running state is, from 0 to 1: a Map counts its items, a Parallel the states of its branches.
func (t *Trace) inside(s *state) float64 {
	switch {
	case s.kind == kindMap:
		return t.insideMap(s)
	case len(s.inner) > 0:
		done, total := 0.0, 0.0
		for _, f := range s.inner {
			done += t.position(f) * f.length
			total += f.length
		}
		return done / total
	}
	return 0
}

// insideMap returns how many of the items of a Map are done. The states that have been left in other items count, too.
func (t *Trace) insideMap(s *state) float64 {
	items, st := t.items(s.name), t.states[s.name]
	if items == 0 || st == nil || s.distributed {
		return 0
	}
	left := 0.0
	for _, f := range s.inner {
		for name, inner := range f.states {
			if it := t.states[name]; it != nil {
				left += float64(it.Exited) * inner.weight / f.length
			}
		}
	}
	running := float64(max(st.ItemsStarted-st.ItemsDone, 0))
	done := max(float64(st.ItemsDone), min(left, float64(st.ItemsDone)+running))
	return min(done/float64(items), 1)
}

// Text returns the title of a step, with the items of a Map.
func (s Step) Text() string {
	if s.Total > 0 {
		return fmt.Sprintf("%s: %d of %d", s.Title, s.Done, s.Total)
	}
	return s.Title
}
