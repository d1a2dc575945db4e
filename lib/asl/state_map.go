package asl

import (
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The number of iterations that the service runs at once when MaxConcurrency does not say less.
const (
	inlineConcurrency      = 40
	distributedConcurrency = 1000
)

// mapState runs a Map state once.
func (s *scope) mapState() (any, error) {
	body := s.state.mapOver

	items, err := s.items()
	if err != nil {
		return nil, err
	}

	concurrency, err := s.concurrency(body)
	if err != nil {
		return nil, err
	}

	s.thread.record("MapStateStarted", details("mapStateStartedEventDetails", object{"length": len(items)}))
	var result any
	if body.distributed {
		result, err = s.distributed(items, concurrency)
	} else {
		result, err = s.inline(items, concurrency)
	}

	if err != nil {
		return nil, err
	}

	s.thread.record("MapStateSucceeded", nil)
	return result, nil
}

// items returns the array that the state maps over.
func (s *scope) items() ([]any, error) {
	body := s.state.mapOver
	if s.state.jsonata {
		v := s.input
		if body.items != nil {
			var err error
			if v, err = body.items.eval(s, "Items"); err != nil {
				return nil, err
			}
		}

		items, ok := v.([]any)
		switch {
		case ok:
			return items, nil
		case body.items == nil:
			return nil, queryf("Items", "Map state input must be an array but was: %s", jsontree.Marshal(v))
		default:
			return nil, mismatch(body.items, "Items", "array", v)
		}
	}

	v, text := s.data, "$"
	if body.itemsPath != nil {
		var err error
		if v, err = s.evalPath(body.itemsPath); err != nil {
			return nil, err
		}
		text = body.itemsPath.text
		if body.itemsPath.root == rootContext {
			text = strings.TrimPrefix(text, "$")
		}
	}

	items, ok := v.([]any)
	if !ok {
		return nil, runtimef(`Reference path "%s" must point to array.`, text)
	}
	return items, nil
}

// concurrency returns how many iterations run at once.
func (s *scope) concurrency(body *mapBody) (int, error) {
	most := inlineConcurrency
	if body.distributed {
		most = distributedConcurrency
	}
	n, given, err := s.count(body.maxConcurrency, "integer")
	if err != nil || !given || n < 1 {
		return most, err
	}
	return int(min(n, float64(most))), nil
}

// count evaluates a number of a Map state, and whether it is given. kind is integer or float.
func (s *scope) count(c count, kind string) (float64, bool, error) {
	switch {
	case c.path != nil:
		v, err := s.evalPath(c.path)
		if err != nil {
			return 0, false, err
		}

		n, err := strconv.ParseFloat(display(v), 64)
		if _, whole := wholeNumber(jsontree.Number(display(v))); err != nil || kind == "integer" && !whole {
			return 0, false, runtimef("The %s field refers to value \"%s\" which is not a valid %s: %s", c.field, display(v), kind, c.path.text)
		}
		return n, true, nil
	case c.value != nil:
		v, err := c.value.eval(s, c.field)
		if err != nil {
			return 0, false, err
		}

		n, ok := jsontree.Float(v)
		if !ok {
			return 0, false, mismatch(c.value, c.field, typeNumber, v)
		}
		return n, true, nil
	default:
		return 0, false, nil
	}
}

// iterate runs one goroutine per item, so many at once. A failure of start stops it.
func (g *group) iterate(n, concurrency int, start func(i int) (func(), error)) {
	slots := make(chan struct{}, concurrency)
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-g.ctx.Done():
			return
		}

		if g.ctx.Err() != nil {
			return
		}

		iteration, err := start(i)
		if err != nil {
			g.fail(asFailure(err), nil)
			return
		}

		g.wait.Go(func() {
			iteration()
			<-slots
		})
	}
}

// inline runs the iterations of an inline Map as parts of this execution.
func (s *scope) inline(items []any, concurrency int) (any, error) {
	g := newGroup(s.thread)
	outputs := make([]any, len(items))
	before := s.thread.previous
	g.iterate(len(items), concurrency, func(i int) (func(), error) {
		input, item, err := s.itemInput(items[i], i)
		if err != nil {
			return nil, err
		}

		m := g.thread()
		m.item, m.name, m.index, m.previous = item, s.state.name, i, before
		place := object{"name": s.state.name, "index": i}
		return func() {
			m.record("MapIterationStarted", details("mapIterationStartedEventDetails", place))
			output, err := m.runFlow(s.state.mapOver.flow, input)
			if err != nil {
				g.fail(asFailure(err), func() {
					m.record("MapIterationFailed", details("mapIterationFailedEventDetails", place))
					m.name = "" // It is not aborted.
				})
				return
			}

			m.record("MapIterationSucceeded", details("mapIterationSucceededEventDetails", place))
			outputs[i], m.done = output, true
		}, nil
	})

	if err := g.end(); err != nil {
		return nil, err
	}
	return outputs, nil
}

// itemInput returns the input of an iteration, and its part of the context object.
func (s *scope) itemInput(v any, i int) (any, *jsontree.Object, error) {
	item := jsontree.NewObject("Index", int64(i), "Value", v)
	if s.state.mapOver.itemSelector == nil {
		return v, item, nil
	}
	selector := *s
	selector.item = item
	input, err := s.state.mapOver.itemSelector.eval(&selector, "ItemSelector")
	return input, item, err
}

// distributed runs the iterations of a Distributed Map as executions of their own, which leave no history.
func (s *scope) distributed(items []any, concurrency int) (any, error) {
	tolerated, err := s.tolerance(len(items))
	if err != nil {
		return nil, err
	}

	arn := strings.Replace(s.thread.run.execution.StateMachineID, ":stateMachine:", ":mapRun:", 1) +
		"/" + s.state.name + ":" + jsonata.UUID()
	s.thread.record("MapRunStarted", details("mapRunStartedEventDetails", object{"mapRunArn": arn}))
	g := newGroup(s.thread)
	outputs := make([]any, len(items))
	done := make([]bool, len(items))
	failed := 0

	g.iterate(len(items), concurrency, func(i int) (func(), error) {
		input, _, err := s.itemInput(items[i], i)
		if err != nil {
			return nil, err
		}

		child := s.child(g, input)
		return func() {
			output, err := child.runFlow(s.state.mapOver.flow, input)
			if err == nil {
				outputs[i], done[i] = output, true
				return
			}
			if asFailure(err).aborted {
				return
			}

			g.mu.Lock()
			failed++
			exceeded := failed > tolerated
			g.mu.Unlock()

			if exceeded {
				g.fail(&failure{name: errorThreshold, cause: "The specified tolerated failure threshold was exceeded", placed: true}, nil)
			}
		}, nil
	})

	if err := g.end(); err != nil {
		if f := asFailure(err); !f.aborted {
			s.thread.record("MapRunFailed", details("mapRunFailedEventDetails", errorDetails(f.name, f.cause)))
		}
		return nil, err
	}

	s.thread.record("MapRunSucceeded", nil)
	succeeded := []any{}
	for i, output := range outputs {
		if done[i] {
			succeeded = append(succeeded, output)
		}
	}

	return succeeded, nil
}

// child makes the thread of a child execution: without the parent's variables and history.
func (s *scope) child(g *group, input any) *thread {
	x := s.thread.run.execution
	x.Name = jsonata.UUID()
	x.ID = strings.Replace(x.StateMachineID, ":stateMachine:", ":execution:", 1) + "/" + s.state.name + ":" + x.Name
	return &thread{run: &run{execution: x, input: input}, variables: &variables{}, ctx: g.ctx}
}

// tolerance returns how many iterations may fail.
func (s *scope) tolerance(length int) (int, error) {
	body := s.state.mapOver
	number, hasNumber, err := s.count(body.toleratedCount, "integer")
	if err != nil {
		return 0, err
	}

	share, hasShare, err := s.count(body.toleratedShare, "float")
	if err != nil {
		return 0, err
	}
	if share < 0 || share > wholePercentage {
		return 0, runtimef("ToleratedFailurePercentage must be between 0 and 100.")
	}

	byShare := share * float64(length) / wholePercentage
	switch {
	case hasNumber && hasShare:
		return int(min(number, byShare)), nil
	case hasNumber:
		return int(number), nil
	default:
		return int(byShare), nil
	}
}
