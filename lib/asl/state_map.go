package asl

import (
	"context"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The greatest number of iterations that run at once. MaxConcurrency can only lower it.
const (
	inlineConcurrency      = 40
	distributedConcurrency = 1000
)

// runMap runs the iterations of a Map state and returns their outputs.
func (s *stateRun) runMap(ctx context.Context) (any, error) {
	items, err := s.mapItems()
	if err != nil {
		return nil, err
	}
	concurrency, err := s.concurrency()
	if err != nil {
		return nil, err
	}

	s.thread.record("MapStateStarted", details("mapStateStartedEventDetails", object{"length": len(items)}))
	var result any
	if s.state.mapFields.distributed {
		result, err = s.runDistributed(ctx, items, concurrency)
	} else {
		result, err = s.runInline(ctx, items, concurrency)
	}
	if err != nil {
		return nil, err
	}
	s.thread.record("MapStateSucceeded", nil)
	return result, nil
}

// mapItems returns the array that the state maps over.
func (s *stateRun) mapItems() ([]any, error) {
	m := s.state.mapFields
	if s.state.jsonata {
		v := s.input
		if m.items != nil {
			var err error
			if v, err = m.items.eval(s, "Items"); err != nil {
				return nil, err
			}
		}

		items, ok := v.([]any)
		switch {
		case ok:
			return items, nil
		case m.items == nil:
			return nil, queryFailuref("Items", "Map state input must be an array but was: %s", jsontree.Marshal(v))
		default:
			return nil, typeMismatch(m.items, "Items", "array", v)
		}
	}

	v, text := s.pathRoot, "$" // In JSONPath, s.pathRoot is the input after InputPath.
	if m.itemsPath != nil {
		var err error
		if v, err = s.evalPath(m.itemsPath); err != nil {
			return nil, err
		}
		text = m.itemsPath.text
		if m.itemsPath.root == rootContext {
			text = strings.TrimPrefix(text, "$") // The error text has one dollar sign, not two.
		}
	}

	items, ok := v.([]any)
	if !ok {
		return nil, runtimeFailuref(`Reference path "%s" must point to array.`, text)
	}
	return items, nil
}

// concurrency returns how many iterations run at once. A missing MaxConcurrency and 0 mean the greatest number.
func (s *stateRun) concurrency() (int, error) {
	limit := inlineConcurrency
	if s.state.mapFields.distributed {
		limit = distributedConcurrency
	}
	n, ok, err := s.evalNumber(s.state.mapFields.maxConcurrency, "integer")
	if err != nil || !ok || n < 1 {
		return limit, err
	}
	return int(min(n, float64(limit))), nil
}

// evalNumber evaluates a number of a Map state. ok is false if the definition has no such field. kind is "integer" or "float", as in
// error texts; a number from a path must be of this kind.
func (s *stateRun) evalNumber(field numberField, kind string) (number float64, ok bool, err error) {
	switch {
	case field.path != nil:
		v, err := s.evalPath(field.path)
		if err != nil {
			return 0, false, err
		}

		text := formatAsJava(v) // Step Functions also accepts a string that contains the number.
		n, err := strconv.ParseFloat(text, 64)
		_, isInteger := asInteger(jsontree.Number(text))
		if err != nil || kind == "integer" && !isInteger {
			return 0, false, runtimeFailuref("The %s field refers to value \"%s\" which is not a valid %s: %s", field.name, text, kind, field.path.text)
		}
		return n, true, nil
	case field.value != nil:
		v, err := field.value.eval(s, field.name)
		if err != nil {
			return 0, false, err
		}

		n, ok := jsontree.Float(v)
		if !ok {
			return 0, false, typeMismatch(field.value, field.name, typeNumber, v)
		}
		return n, true, nil
	default:
		return 0, false, nil
	}
}

// forEach starts n iterations, each in a goroutine, so that at most concurrency run at once. prepare(i) returns the function that runs
// iteration i. An error of prepare fails the group. ctx is the group's context: after its end no further iteration starts.
func (g *group) forEach(ctx context.Context, n, concurrency int, prepare func(i int) (func(), error)) {
	slots := make(chan struct{}, concurrency)
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return // If a slot was free and ctx was done, the select may have chosen the slot.
		}

		iteration, err := prepare(i)
		if err != nil {
			g.fail(toFailure(err), nil) // No event to record: the iteration has not started.
			return
		}

		g.running.Go(func() {
			iteration()
			<-slots
		})
	}
}

// runInline runs the iterations of an inline Map as threads of this execution.
func (s *stateRun) runInline(ctx context.Context, items []any, concurrency int) (any, error) {
	g, iterationCtx := newGroup(ctx, s.thread)
	outputs := make([]any, len(items))
	startedID := s.thread.previous // The ID of the event MapStateStarted.
	g.forEach(iterationCtx, len(items), concurrency, func(i int) (func(), error) {
		input, item, err := s.itemInput(items[i], i)
		if err != nil {
			return nil, err
		}

		t := g.newThread()
		t.item, t.previous = item, startedID
		t.iteration = object{"name": s.state.name, "index": i}
		return func() {
			t.record("MapIterationStarted", details("mapIterationStartedEventDetails", t.iteration))
			output, err := t.runFlow(iterationCtx, s.state.mapFields.processor, input)
			if err != nil {
				g.fail(toFailure(err), func() {
					t.record("MapIterationFailed", details("mapIterationFailedEventDetails", t.iteration))
					t.failed = true
				})
				return
			}

			t.record("MapIterationSucceeded", details("mapIterationSucceededEventDetails", t.iteration))
			outputs[i], t.succeeded = output, true
		}, nil
	})

	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	return outputs, nil
}

// itemInput returns the input of iteration i, whose item is v, and Map.Item of its context object.
func (s *stateRun) itemInput(v any, i int) (any, *jsontree.Object, error) {
	item := jsontree.NewObject("Index", int64(i), "Value", v)
	if s.state.mapFields.itemSelector == nil {
		return v, item, nil
	}
	withItem := *s // A copy, because concurrent iterations have other items.
	withItem.item = item
	input, err := s.state.mapFields.itemSelector.eval(&withItem, "ItemSelector")
	return input, item, err
}

// runDistributed runs the iterations of a Distributed Map as child executions, which record no history. It returns the outputs
// of the iterations that succeed.
func (s *stateRun) runDistributed(ctx context.Context, items []any, concurrency int) (any, error) {
	tolerated, err := s.toleratedFailures(len(items))
	if err != nil {
		return nil, err
	}

	mapRunARN := strings.Replace(s.thread.run.execution.StateMachineID, ":stateMachine:", ":mapRun:", 1) +
		"/" + s.state.name + ":" + jsonata.UUID()
	s.thread.record("MapRunStarted", details("mapRunStartedEventDetails", object{"mapRunArn": mapRunARN}))
	g, childCtx := newGroup(ctx, s.thread)
	outputs := make([]any, len(items))
	done := make([]bool, len(items)) // The iterations that have succeeded.
	failed := 0                      // The number of failed iterations; g.mu guards it.
	g.forEach(childCtx, len(items), concurrency, func(i int) (func(), error) {
		input, _, err := s.itemInput(items[i], i)
		if err != nil {
			return nil, err
		}

		child := s.newChildThread(input)
		return func() {
			output, err := child.runFlow(childCtx, s.state.mapFields.processor, input)
			if err == nil {
				outputs[i], done[i] = output, true
				return
			}
			if toFailure(err).aborted {
				return // An aborted iteration does not count as a failed one.
			}

			g.mu.Lock()
			failed++
			exceeded := failed > tolerated
			g.mu.Unlock()

			if exceeded {
				g.fail(&failure{name: errorThreshold, cause: "The specified tolerated failure threshold was exceeded", completeCause: true}, nil)
			}
		}, nil
	})

	if err := g.wait(ctx); err != nil {
		if f := toFailure(err); !f.aborted {
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

// newChildThread returns the thread of a child execution, without the parent's variables. It has no recorder, so it records no history.
func (s *stateRun) newChildThread(input any) *thread {
	child := s.thread.run.execution
	child.Name = jsonata.UUID()
	child.ID = strings.Replace(child.StateMachineID, ":stateMachine:", ":execution:", 1) + "/" + s.state.name + ":" + child.Name
	return &thread{run: &run{execution: child, input: input}, variables: &variables{}}
}

// toleratedFailures returns how many of the iterations may fail.
func (s *stateRun) toleratedFailures(iterations int) (int, error) {
	m := s.state.mapFields
	count, hasCount, err := s.evalNumber(m.toleratedCount, "integer")
	if err != nil {
		return 0, err
	}

	percentage, hasPercentage, err := s.evalNumber(m.toleratedPercentage, "float")
	if err != nil {
		return 0, err
	}
	if percentage < 0 || percentage > maxPercentage {
		return 0, runtimeFailuref("ToleratedFailurePercentage must be between 0 and 100.")
	}

	byPercentage := percentage * float64(iterations) / maxPercentage
	switch { // If both limits are set, the lower one applies. If none is set, byPercentage is 0: no iteration may fail.
	case hasCount && hasPercentage:
		return int(min(count, byPercentage)), nil
	case hasCount:
		return int(count), nil
	default:
		return int(byPercentage), nil
	}
}
