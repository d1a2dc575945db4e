package asl

import (
	"maps"
	"slices"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A probe is in the run of a state by itself: see RunState. It answers instead of tasks, branches and iterations, and collects the
// intermediate values. A nil *probe does nothing.
type probe struct {
	data             *jsontree.Object // The inspectionData.
	mock             *StateMock       // Nil if nothing is mocked.
	result           any              // The value of mock.Result.
	context          *jsontree.Object // The context object; nil if it is not replaced.
	readerData       any
	failedIterations *int
}

// set adds an intermediate value. As on AWS, the value is a text with its JSON, but a number and the details of an error are not.
func (p *probe) set(name string, v any) {
	if p == nil {
		return
	}
	if name != "errorDetails" {
		v = jsontree.Text(v)
	}
	p.data.Set(name, v)
}

// setNumber adds a number of a Map state.
func (p *probe) setNumber(name string, n any) {
	if p != nil {
		p.data.Set(name, n)
	}
}

// setVariables adds the variables, if there are any.
func (p *probe) setVariables(v *variables) {
	if len(v.values) == 0 {
		return
	}
	o := &jsontree.Object{}
	for _, name := range slices.Sorted(maps.Keys(v.values)) {
		o.Set(name, v.values[name])
	}
	p.set("variables", o)
}

// isMocked reports whether the probe answers for the state's task, branches or iterations.
func (p *probe) isMocked() bool { return p != nil && p.mock != nil }

// mockedResult returns the mocked result of the state, after it has evaluated the fields that a run of the state evaluates.
func (s *stateRun) mockedResult() (any, error) {
	p := s.thread.run.probe
	switch s.state.kind {
	case kindTask:
		if _, _, err := s.newTask(); err != nil {
			return nil, err
		}
	case kindParallel:
		if _, err := s.effectiveInput(); err != nil {
			return nil, err
		}
	default:
		if err := s.mockedMap(); err != nil {
			return nil, err
		}
	}

	if mocked := p.mock.Error; mocked != nil {
		return nil, &failure{name: mocked.Name, cause: mocked.Cause, completeCause: true}
	}
	return p.result, nil
}

// mockedMap evaluates the fields of a Map state. Its error is a threshold's if more iterations have failed than a field of the state
// tolerates. Without such a field, no number of failed iterations is an error.
func (s *stateRun) mockedMap() error {
	p, m := s.thread.run.probe, s.state.mapFields
	items, _ := p.readerData.([]any)
	var err error
	if m.reader == nil {
		if items, err = s.mapItems(); err != nil {
			return err
		}
	}

	concurrency, _, err := s.evalNumber(m.maxConcurrency, "integer")
	if err != nil {
		return err
	}
	p.setNumber("maxConcurrency", int64(concurrency))

	l, err := s.mapRunLimits(int(concurrency))
	if err != nil {
		return err
	}
	if l.ToleratedFailureCount != nil {
		p.setNumber("toleratedFailureCount", *l.ToleratedFailureCount)
	}
	if l.ToleratedFailurePercentage != nil {
		p.setNumber("toleratedFailurePercentage", *l.ToleratedFailurePercentage)
	}
	hasLimit := l.ToleratedFailureCount != nil || l.ToleratedFailurePercentage != nil
	if hasLimit && p.failedIterations != nil && *p.failedIterations > l.tolerated(len(items)) && p.mock.Error == nil {
		return thresholdFailure()
	}
	return nil
}
