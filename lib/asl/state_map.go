package asl

import (
	"context"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// The greatest number of iterations that run at once. MaxConcurrency can only lower it.
const (
	inlineConcurrency      = 40
	distributedConcurrency = 1000
)

// runMap runs the iterations of a Map state and returns their outputs.
func (s *stateRun) runMap(ctx context.Context) (any, error) {
	var (
		items []any
		err   error
	)
	if s.state.mapFields.reader == nil {
		if items, err = s.mapItems(); err != nil {
			return nil, err
		}
	} else if !s.state.mapFields.distributed {
		return nil, runtimeFailuref("Only a Map state whose ProcessorConfig has the mode DISTRIBUTED can have an ItemReader.")
	}
	concurrency, _, err := s.evalNumber(s.state.mapFields.maxConcurrency, "integer")
	if err != nil {
		return nil, err
	}

	s.thread.record("MapStateStarted", NewDetails("mapStateStartedEventDetails", object{"length": len(items)}))
	var result any
	if s.state.mapFields.distributed {
		result, err = s.runDistributed(ctx, items, int(min(max(concurrency, 0), maxReaderItems)))
	} else {
		result, err = s.runInline(ctx, items, inlineLimit(concurrency))
	}
	if err != nil {
		return nil, err
	}
	s.thread.recordBeside("MapStateSucceeded", nil)
	return result, nil
}

// mapItems returns the items of the array or object that the state maps over. AWS's documentation allows an object, but executions that
// were recorded on AWS fail for an object in JSONata, and for one from the context object. So only a JSONPath of the input may select one.
func (s *stateRun) mapItems() ([]any, error) {
	m := s.state.mapFields
	if s.state.jsonata {
		return s.itemsByQuery(m.items)
	}

	v, text := s.pathRoot, "$" // In JSONPath, s.pathRoot is the input after InputPath.
	allowsObject := true
	if m.itemsPath != nil {
		var err error
		if v, err = s.evalPath(m.itemsPath); err != nil {
			return nil, err
		}

		text = m.itemsPath.text
		if m.itemsPath.root == rootContext {
			allowsObject = false
			text = strings.TrimPrefix(text, "$") // The error text has one dollar sign, not two.
		}
	}

	items, ok := v.([]any)
	if o, isObject := v.(*jsontree.Object); isObject && allowsObject {
		items, ok = entriesOf(o), true
	}
	if !ok {
		return nil, runtimeFailuref(`Reference path "%s" must point to array.`, text)
	}
	if m.itemsPath != nil {
		s.thread.run.probe.set("afterItemsPath", v)
	}
	return items, nil
}

// itemsByQuery does what mapItems does, for a JSONata state. items is its field Items, nil if it has none.
func (s *stateRun) itemsByQuery(items template) ([]any, error) {
	v := s.input
	if items != nil {
		var err error
		if v, err = items.eval(s, "Items"); err != nil {
			return nil, err
		}
	}

	array, ok := v.([]any)
	switch {
	case ok:
		return array, nil
	case items == nil:
		return nil, queryFailuref("Items", "Map state input must be an array but was: %s", jsontree.Marshal(v))
	default:
		return nil, typeMismatch(items, "Items", "array", v)
	}
}

// An entry is an item of a Map state that iterates over an object: a key with its value.
type entry struct {
	key   string
	value any
}

// entriesOf returns the entries of an object, in the order of its keys.
func entriesOf(o *jsontree.Object) []any {
	items := make([]any, o.Len())
	for i, key := range o.Keys() {
		value, _ := o.Get(key)
		items[i] = &entry{key, value}
	}
	return items
}

// inlineLimit returns how many iterations of an inline Map run at once. A missing MaxConcurrency and 0 mean the greatest number.
func inlineLimit(maxConcurrency float64) int {
	if maxConcurrency < 1 {
		return inlineConcurrency
	}
	return int(min(maxConcurrency, inlineConcurrency))
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

// forEach starts n iterations, each in a goroutine, for which it takes a slot. prepare(i) returns the function that runs iteration i. An
// error of prepare fails the group. ctx is the group's context: after its end no further iteration starts.
func (g *group) forEach(ctx context.Context, n int, free *slots, prepare func(i int) (func(), error)) {
	for i := range n {
		if !free.take(ctx) {
			return
		}

		iteration, err := prepare(i)
		if err != nil {
			g.fail(toFailure(err), nil) // No event to record: the iteration has not started.
			return
		}

		g.running.Go(func() {
			iteration()
			free.release()
		})
	}
}

// runInline runs the iterations of an inline Map as threads of this execution.
func (s *stateRun) runInline(ctx context.Context, items []any, concurrency int) (any, error) {
	g, iterationCtx := newGroup(ctx, s.thread)
	outputs := make([]any, len(items))
	previous := s.thread.previous // The ID of the event MapStateStarted.
	g.forEach(iterationCtx, len(items), newSlots(concurrency), func(i int) (func(), error) {
		input, item, err := s.itemInput(items[i], i)
		if err != nil {
			return nil, err
		}

		t := g.newThread()
		t.item, t.previous, t.path = item, previous, s.childPath(i)
		t.iteration = object{"name": s.state.name, "index": i}
		return func() {
			t.record("MapIterationStarted", NewDetails("mapIterationStartedEventDetails", t.iteration))
			output, err := t.runFlow(iterationCtx, s.state.mapFields.processor, input)
			if err != nil {
				g.fail(toFailure(err), func() {
					t.recordBeside("MapIterationFailed", NewDetails("mapIterationFailedEventDetails", t.iteration))
					t.failed = true
				})
				return
			}

			if concurrency == 1 {
				previous = t.previous // As on AWS, the next iteration follows the last event inside this one.
			}
			t.lastID = t.recordBeside("MapIterationSucceeded", NewDetails("mapIterationSucceededEventDetails", t.iteration))
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
	if e, ok := v.(*entry); ok {
		item = jsontree.NewObject("Index", int64(i), "Key", e.key, "Value", e.value)
		v = jsontree.NewObject("Key", e.key, "Value", e.value)
	}
	if s.state.mapFields.itemSelector == nil {
		return v, item, nil
	}
	withItem := *s // A copy, because concurrent iterations have other items.
	withItem.item = item
	input, err := s.state.mapFields.itemSelector.eval(&withItem, "ItemSelector")
	return input, item, err
}
