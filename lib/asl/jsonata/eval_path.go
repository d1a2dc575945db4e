package jsonata

import (
	"math"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// path evaluates the steps of a path. Each step is evaluated for every result of the step before.
func (e *evaluation) path(n *node, v any, f *frame) (any, error) {
	value, first, err := e.plainSteps(n, v, f)
	if err != nil || first == len(n.list) || first > 0 && isUndefined(value) {
		return value, err
	}

	input, isArray := arrayItems(value)
	if !isArray || first == 0 && n.list[0].kind == kindVariable { // A variable is evaluated once, not for each item of the context value.
		input = []any{value}
	}
	if first > 0 && len(input) == 0 {
		return undefined{}, nil
	}
	return e.steps(n, first, input, f)
}

// plainSteps evaluates the first steps of a path, as long as they are names and select single values. It returns their result, and the
// index of the first step that it has not evaluated.
func (e *evaluation) plainSteps(n *node, v any, f *frame) (value any, next int, err error) {
	if n.keepSingleton || n.get().group != nil || !n.list[0].isPlain || n.list[0].kind == kindValue {
		return v, 0, nil
	}
	if value = v; n.list[0].kind == kindVariable {
		if value, err = e.eval(n.list[0], v, f); err != nil {
			return nil, 0, err
		}
		next = 1
	}

	for ; next < len(n.list) && n.list[next].isPlain && n.list[next].kind == kindName; next++ {
		o, ok := value.(*jsontree.Object)
		if !ok {
			break
		}
		e.nodes++
		if value, ok = o.Get(n.list[next].text); !ok {
			value, next = undefined{}, len(n.list)-1
		}
	}
	if next == len(n.list) && next > 0 && isSequence(value) { // As the variable of a path with one step: its result is not unwrapped again.
		return unwrapSequence(value), next, e.checkLeaf()
	}
	return value, next, e.checkLeaf()
}

// steps evaluates the steps of a path from index first on, for the items of input.
func (e *evaluation) steps(n *node, first int, input []any, f *frame) (any, error) {
	var (
		result any    = undefined{}
		tuples *array // The stream of tuples, from the first step on that makes tuples.
		err    error
	)
	for i := first; i < len(n.list); i++ {
		step := n.list[i]
		switch {
		case i == 0 && step.noFlatten: // An array constructor is evaluated once, not for each item.
			result, err = e.eval(step, &array{items: input, sequence: true}, f)
		case tuples != nil || step.isTuple:
			tuples, err = e.tupleStep(step, input, tuples, f)
		default:
			result, err = e.pathStep(step, input, f, i == len(n.list)-1)
		}
		if err != nil {
			return nil, err
		}
		if tuples != nil {
			continue
		}

		items, ok := arrayItems(result)
		if isUndefined(result) || ok && len(items) == 0 {
			break // There is nothing for the next step.
		}
		if input = items; !ok {
			input = []any{result}
		}
	}

	if tuples != nil {
		return e.tupleResult(n, tuples, f)
	}
	return e.pathResult(n, result, f)
}

// pathResult returns the result of a path whose last step returned result.
func (e *evaluation) pathResult(n *node, result any, f *frame) (any, error) {
	if n.keepSingleton {
		result = markSingleton(result)
	}
	if group := n.get().group; group != nil {
		return e.object(group, result, f)
	}
	return result, nil
}

// tupleResult returns the result of a path whose last step made tuples.
func (e *evaluation) tupleResult(n *node, tuples *array, f *frame) (any, error) {
	if group := n.get().group; group != nil {
		return e.object(group, tuples, f)
	}
	result := tuples
	if !n.isTuple { // Nobody needs the bindings of the tuples any more.
		result = tuples.tupleValues()
	}
	if n.keepSingleton {
		return markSingleton(result), nil
	}
	return result, nil
}

// markSingleton marks an array, so that unwrapSequence returns it as an array even if it has one item.
func markSingleton(v any) any {
	a, ok := v.(*array)
	switch {
	case ok && a.noFlatten && !a.sequence: // The array is itself the one item.
		return &array{items: []any{a}, sequence: true, keepSingleton: true}
	case ok:
		a.keepSingleton = true
		return a
	default:
		return v
	}
}

// pathStep evaluates one step of a path for each item of input. It returns all results in one sequence, in which it flattens arrays.
func (e *evaluation) pathStep(n *node, input []any, f *frame, isLast bool) (any, error) {
	if n.kind == kindSort {
		sorted, err := e.sort(n, input, false, f)
		if err != nil {
			return nil, err
		}
		return e.applyStages(n.get().stages, sorted, f)
	}

	if len(input) == 1 {
		return e.singleStep(n, input[0], f, isLast)
	}

	flat := &array{items: make([]any, 0, min(len(input), maxReserved)), sequence: true}
	var first any              // The first value of the last step, until there is another one.
	seen, held := false, false // Whether there was a first value, and whether it is still to be appended.
	for _, item := range input {
		value, err := e.stepValue(n, item, f)
		switch {
		case err != nil:
			return nil, err
		case isUndefined(value):
			continue
		case isLast && !seen:
			first, seen, held = value, true, true
			continue
		case held:
			if err := e.appendFlat(flat, first); err != nil {
				return nil, err
			}
			held = false
		}
		if err := e.appendFlat(flat, value); err != nil {
			return nil, err
		}
	}

	if held { // Only one item gave a value.
		return e.lastValue(first)
	}
	return flat, nil
}

// maxReserved is the greatest number of items for which a sequence has room from its beginning.
const maxReserved = 1 << 12

// singleStep does what pathStep does, for one item.
func (e *evaluation) singleStep(n *node, item any, f *frame, isLast bool) (any, error) {
	value, err := e.stepValue(n, item, f)
	if err != nil || isUndefined(value) {
		return undefined{}, err
	}
	if isLast {
		return e.lastValue(value)
	}
	return e.flatValue(value)
}

// lastValue returns the result of a path whose last step returned only value: an array that is no sequence stays as it is.
func (e *evaluation) lastValue(value any) (any, error) {
	if _, ok := arrayItems(value); ok && !isSequence(value) {
		return value, nil
	}
	return e.flatValue(value)
}

// flatValue returns a sequence with value, or with its items.
func (e *evaluation) flatValue(value any) (any, error) {
	items, isArray := arrayItems(value)
	if !isArray || isNoFlatten(value) {
		return newSequence(value), nil
	}
	return &array{items: items[:len(items):len(items)], sequence: true}, nil
}

// appendFlat appends value, or its items, to a sequence.
func (e *evaluation) appendFlat(flat *array, value any) error {
	items, isArray := arrayItems(value)
	if isArray && !isNoFlatten(value) {
		if err := e.reserveItems(len(items)); err != nil {
			return err
		}
		flat.items = append(flat.items, items...)
		return nil
	}
	if err := e.reserve(itemBytes); err != nil {
		return err
	}
	flat.items = append(flat.items, value)
	return nil
}

// stepValue evaluates a step and its stages for one item.
func (e *evaluation) stepValue(n *node, item any, f *frame) (any, error) {
	var (
		value any
		err   error
	)
	if n.kind == kindName && !n.hasClauses() { // What eval does, for the most frequent step.
		e.nodes++
		if err = e.checkLeaf(); err != nil {
			return nil, err
		}
		if value, err = e.lookupField(item, n.text); err != nil {
			return nil, err
		}
		if a, ok := value.(*array); ok && a.sequence {
			a.keepSingleton = a.keepSingleton || n.keepArray
			value = unwrapSequence(a)
		}
	} else if value, err = e.eval(n, item, f); err != nil {
		return nil, err
	}
	if n.details == nil {
		return value, nil
	}
	return e.applyStages(n.details.stages, value, f)
}

// applyStages applies predicates to v, one after the other.
func (e *evaluation) applyStages(stages []stage, v any, f *frame) (any, error) {
	var err error
	for _, s := range stages {
		if s.expr == nil { // An index: see tupleStep.
			continue
		}
		if v, err = e.filter(s.expr, v, f); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// filter applies a predicate to the items of v. A predicate is an index, a list of indexes, or a condition.
func (e *evaluation) filter(n *node, v any, f *frame) (any, error) {
	var single [1]any
	items, isArray := arrayItems(v)
	if !isArray {
		single[0] = v
		items = single[:]
	}

	if n.kind == kindValue && n.get().predicates == nil { // A literal index need not be evaluated for each item.
		if x, ok := jsontree.Float(n.value); ok {
			return itemAt(items, x, isTuples(v)), nil
		}
	}

	results := &array{sequence: true, tuples: isTuples(v)}
	for i, item := range items {
		context, inner := item, f
		if t, ok := item.(*tuple); ok && results.tuples {
			context, inner = t.value, t.frame(f)
		}
		m := e.mark()
		value, err := e.eval(n, context, inner)
		if err != nil {
			return nil, err
		}
		e.release(m, value)

		matches, err := e.isSelected(value, i, len(items), func() error { return e.keep(results, item) })
		if err != nil {
			return nil, err
		}
		if matches {
			if err := e.keep(results, item); err != nil {
				return nil, err
			}
		}
	}

	return results, nil
}

// keep appends an item to a sequence, unless it is undefined.
func (e *evaluation) keep(results *array, item any) error {
	if isUndefined(item) {
		return nil
	}
	if err := e.reserve(itemBytes); err != nil {
		return err
	}
	results.items = append(results.items, item)
	return nil
}

// isSelected reports whether the value of a predicate selects the item at index i of count items. A list of indexes may select it
// more than once: isSelected calls selectItem for each time, and returns false.
func (e *evaluation) isSelected(value any, i, count int, selectItem func() error) (bool, error) {
	switch x := value.(type) {
	case bool:
		return x, nil
	case int64:
		return resolveIndex(float64(x), count) == i, nil
	case float64:
		return resolveIndex(x, count) == i, nil
	}

	indexes, ok := asIndexes(value)
	if !ok {
		return e.toBoolean(value)
	}
	if err := e.step(len(indexes)); err != nil {
		return false, err
	}
	for _, x := range indexes {
		if resolveIndex(x, count) == i {
			if err := selectItem(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// itemAt returns the item at index x: in a sequence, or as it is if it is an array. If there is no such item, it returns an empty
// sequence.
func itemAt(items []any, x float64, tuples bool) any {
	i := resolveIndex(x, len(items))
	if i < 0 || i >= len(items) || isUndefined(items[i]) {
		return &array{sequence: true, tuples: tuples}
	}
	if _, ok := arrayItems(items[i]); ok {
		return items[i]
	}
	return &array{items: items[i : i+1 : i+1], sequence: true, tuples: tuples}
}

// resolveIndex rounds x down to an index into a list of the given length. A negative index counts from the end.
func resolveIndex(x float64, length int) int {
	if math.Abs(x) > math.MaxInt32 {
		return -1
	}
	i := int(math.Floor(x))
	if i < 0 {
		i += length
	}
	return i
}

// asIndexes returns the numbers in v, which is a number or an array of numbers. ok is false for any other v.
func asIndexes(v any) (indexes []float64, ok bool) {
	if x, ok := jsontree.Float(v); ok {
		return []float64{x}, true
	}
	items, ok := arrayItems(v)
	if !ok || len(items) == 0 {
		return nil, false
	}

	indexes = make([]float64, len(items))
	for i, item := range items {
		if indexes[i], ok = jsontree.Float(item); !ok {
			return nil, false
		}
	}
	return indexes, true
}
