package jsonata

import (
	"math"
	"sort"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// path evaluates the steps of a path. Each step is evaluated for every result of the step before.
func (e *evaluation) path(n *node, v any, f *frame) (any, error) {
	input := []any{v}
	if items, ok := arrayItems(v); ok && n.list[0].kind != kindVariable {
		input = items // A variable is evaluated once, not for each item of the context value.
	}

	var (
		result any = newSequence(input...)
		err    error
	)
	for i, step := range n.list {
		if i == 0 && step.noFlatten { // An array constructor is evaluated once, not for each item.
			result, err = e.eval(step, newSequence(input...), f)
		} else {
			result, err = e.step(step, itemsOf(result), f, i == len(n.list)-1)
		}
		if err != nil {
			return nil, err
		}
		if items, ok := arrayItems(result); isUndefined(result) || ok && len(items) == 0 {
			break // There is nothing for the next step.
		}
	}

	if n.keepSingleton {
		result = markSingleton(result)
	}
	if n.group != nil {
		return e.object(n.group, result, f)
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

// step evaluates one step of a path for each item of input. It returns all results in one sequence, in which it flattens arrays.
func (e *evaluation) step(n *node, input []any, f *frame, isLast bool) (any, error) {
	if n.kind == kindSort {
		sorted, err := e.sort(n, &array{items: input}, f)
		if err != nil {
			return nil, err
		}
		return e.applyFilters(n.stages, sorted, f)
	}

	results := make([]any, 0, len(input))
	for _, item := range input {
		value, err := e.eval(n, item, f)
		if err != nil {
			return nil, err
		}
		if value, err = e.applyFilters(n.stages, value, f); err != nil {
			return nil, err
		}

		if !isUndefined(value) {
			results = append(results, value)
		}
	}

	if isLast && len(results) == 1 { // If the last step returns a single array, that array is the result, and is not flattened.
		if _, ok := arrayItems(results[0]); ok && !isSequence(results[0]) {
			return results[0], nil
		}
	}

	flat := newSequence()
	for _, value := range results {
		items, isArray := arrayItems(value)
		if isArray && !isNoFlatten(value) {
			flat.items = append(flat.items, items...)
		} else {
			flat.items = append(flat.items, value)
		}
	}

	return flat, nil
}

// applyFilters applies predicates to v, one after the other.
func (e *evaluation) applyFilters(filters []*node, v any, f *frame) (any, error) {
	var err error
	for _, filter := range filters {
		if v, err = e.filter(filter, v, f); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// filter applies a predicate to the items of v. A predicate is an index, a list of indexes, or a condition.
func (e *evaluation) filter(n *node, v any, f *frame) (any, error) {
	results := newSequence()
	if isUndefined(v) {
		return results, nil
	}

	items := itemsOf(v)
	if n.kind == kindValue { // A literal index need not be evaluated for each item.
		if x, ok := jsontree.Float(n.value); ok {
			return itemAt(items, x), nil
		}
	}

	for i, item := range items {
		value, err := e.eval(n, item, f)
		if err != nil {
			return nil, err
		}

		if indexes, ok := asIndexes(value); ok {
			for _, x := range indexes {
				if resolveIndex(x, len(items)) == i {
					results.appendDefined(item)
				}
			}
		} else if toBoolean(value) {
			results.appendDefined(item)
		}
	}

	return results, nil
}

// itemAt returns the item at index x: in a sequence, or as it is if it is an array. If there is no such item, it returns an empty
// sequence.
func itemAt(items []any, x float64) any {
	i := resolveIndex(x, len(items))
	if i < 0 || i >= len(items) {
		return newSequence()
	}
	if nested, ok := items[i].(*array); ok {
		return nested
	}
	if nested, ok := arrayItems(items[i]); ok {
		return &array{items: nested}
	}
	return newSequence(items[i])
}

// resolveIndex rounds x down to an index into a list of the given length. A negative index counts from the end.
func resolveIndex(x float64, length int) int {
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

// lookupField returns the value of a key in an object. For an array, it returns the values of the key in all objects of the array.
func lookupField(v any, key string) any {
	if o, ok := v.(*jsontree.Object); ok {
		if value, ok := o.Get(key); ok {
			return value
		}
		return undefined{}
	}

	items, ok := arrayItems(v)
	if !ok {
		return undefined{}
	}

	results := newSequence()
	for _, item := range items {
		value := lookupField(item, key)
		if nested, ok := arrayItems(value); ok {
			results.items = append(results.items, nested...)
		} else {
			results.appendDefined(value)
		}
	}

	return results
}

// wildcard returns the values of an object, or the items of an array. It flattens arrays inside them.
func wildcard(v any) any {
	results := newSequence()
	if o, ok := v.(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			value, _ := o.Get(key)
			flatten(value, results)
		}
	} else if items, ok := arrayItems(v); ok {
		for _, item := range items {
			flatten(item, results)
		}
	}

	return results
}

// flatten appends v to results. If v is an array, it appends the items of v at any depth instead.
func flatten(v any, results *array) {
	items, ok := arrayItems(v)
	if !ok {
		results.appendDefined(v)
		return
	}
	for _, item := range items {
		flatten(item, results)
	}
}

// descendants appends v and all values inside v, at any depth, to results, and returns results. It does not append arrays themselves.
func descendants(v any, results *array) *array {
	items, isArray := arrayItems(v)
	if !isArray {
		results.appendDefined(v)
	}

	if o, ok := v.(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			value, _ := o.Get(key)
			descendants(value, results)
		}
	}

	for _, item := range items {
		descendants(item, results)
	}
	return results
}

// sort evaluates an order-by clause.
func (e *evaluation) sort(n *node, v any, f *frame) (any, error) {
	type row struct {
		item any
		keys []any
	}

	items := itemsOf(v)
	rows := make([]row, len(items))
	for i, item := range items {
		rows[i] = row{item: item, keys: make([]any, len(n.terms))}
		for j, t := range n.terms {
			key, err := e.eval(t.expr, item, f)
			if err != nil {
				return nil, err
			}
			rows[i].keys[j] = key
		}
	}

	var firstErr error
	sort.SliceStable(rows, func(i, j int) bool {
		for k, t := range n.terms {
			order, err := compareKeys(rows[i].keys[k], rows[j].keys[k])
			if err != nil && firstErr == nil {
				firstErr = err
			}
			hasUndefined := isUndefined(rows[i].keys[k]) || isUndefined(rows[j].keys[k])
			switch {
			case order == 0: // The next term decides.
			case t.descending && !hasUndefined: // Undefined keys come last in both directions.
				return order > 0
			default:
				return order < 0
			}
		}
		return false
	})

	sorted := newSequence()
	for _, r := range rows {
		sorted.items = append(sorted.items, r.item)
	}
	return sorted, firstErr
}

// compareKeys compares two values of an order-by term. It returns a negative number if a comes first, 0 if they are equal, and a
// positive number if b comes first. An undefined value comes last.
func compareKeys(a, b any) (int, error) {
	switch missing := isUndefined(a); {
	case missing && isUndefined(b):
		return 0, nil
	case missing:
		return 1, nil
	case isUndefined(b):
		return -1, nil
	}

	stringA, isStringA := a.(string)
	stringB, isStringB := b.(string)
	order := jsontree.CompareNumbers(a, b)
	switch {
	case isStringA && isStringB:
		return compareUTF16(stringA, stringB), nil
	case order != jsontree.Uncomparable:
		return order, nil
	default:
		_, isNumberA := jsontree.Float(a)
		_, isNumberB := jsontree.Float(b)
		if (isStringA || isNumberA) && (isStringB || isNumberB) {
			return 0, evalError("T2007", "Type mismatch when comparing values "+describe(a)+" and "+describe(b)+" in order-by clause")
		}
		return 0, evalError("T2008", "The expressions within an order-by clause must evaluate to numeric or string values")
	}
}
