package jsonata

import (
	"math"
	"sort"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// path evaluates the steps of a path, each over the results of the one before.
func (e *evaluation) path(n *node, v any, f *frame) (any, error) {
	input := []any{v}
	if items, ok := asArray(v); ok && n.list[0].kind != kindVariable {
		input = items
	}

	var (
		result any = newSequence(input...)
		err    error
	)
	for i, step := range n.list {
		if i == 0 && step.consArray {
			result, err = e.eval(step, newSequence(input...), f)
		} else {
			result, err = e.step(step, listOf(result), f, i == len(n.list)-1)
		}

		if err != nil {
			return nil, err
		}
		if items, ok := asArray(result); isUndefined(result) || ok && len(items) == 0 {
			break
		}
	}

	if n.keepSingleton {
		result = keepSingleton(result)
	}

	if n.group != nil {
		return e.object(n.group, result, f)
	}
	return result, nil
}

func keepSingleton(v any) any {
	a, ok := v.(*array)
	switch {
	case ok && a.cons && !a.sequence:
		return &array{items: []any{a}, sequence: true, keepSingleton: true}
	case ok:
		a.keepSingleton = true
		return a
	default:
		return v
	}
}

// step evaluates one step of a path over the given items.
func (e *evaluation) step(n *node, input []any, f *frame, last bool) (any, error) {
	if n.kind == kindSort {
		sorted, err := e.sort(n, &array{items: input}, f)
		if err != nil {
			return nil, err
		}
		return e.filterAll(n.stages, sorted, f)
	}

	results := make([]any, 0, len(input))
	for _, item := range input {
		value, err := e.eval(n, item, f)
		if err != nil {
			return nil, err
		}
		if value, err = e.filterAll(n.stages, value, f); err != nil {
			return nil, err
		}

		if !isUndefined(value) {
			results = append(results, value)
		}
	}

	if last && len(results) == 1 {
		if _, ok := asArray(results[0]); ok && !isSequence(results[0]) {
			return results[0], nil
		}
	}

	flat := newSequence()
	for _, value := range results {
		items, ok := asArray(value)
		if a, made := value.(*array); !ok || made && a.cons {
			flat.items = append(flat.items, value)
		} else {
			flat.items = append(flat.items, items...)
		}
	}

	return flat, nil
}

// filterAll applies predicates one after the other.
func (e *evaluation) filterAll(filters []*node, v any, f *frame) (any, error) {
	var err error
	for _, filter := range filters {
		if v, err = e.filter(filter, v, f); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// filter evaluates a predicate: an index, a list of indices, or a condition.
func (e *evaluation) filter(n *node, v any, f *frame) (any, error) {
	results := newSequence()
	if isUndefined(v) {
		return results, nil
	}

	items := listOf(v)
	if n.kind == kindValue {
		if x, ok := jsontree.Float(n.value); ok {
			return itemAt(items, x), nil
		}
	}

	for i, item := range items {
		value, err := e.eval(n, item, f)
		if err != nil {
			return nil, err
		}

		if wanted, ok := indices(value); ok {
			for _, x := range wanted {
				if position(x, len(items)) == i {
					results.push(item)
				}
			}
		} else if truth(value) {
			results.push(item)
		}
	}

	return results, nil
}

func itemAt(items []any, x float64) any {
	i := position(x, len(items))
	if i < 0 || i >= len(items) {
		return newSequence()
	}
	if nested, ok := items[i].(*array); ok {
		return nested
	}
	if nested, ok := asArray(items[i]); ok {
		return &array{items: nested}
	}

	return newSequence(items[i])
}

// position returns the index that x means in a list of the given length: negative ones count from its end.
func position(x float64, length int) int {
	i := int(math.Floor(x))
	if i < 0 {
		i += length
	}
	return i
}

// indices returns v as a list of numbers and whether it is one.
func indices(v any) ([]float64, bool) {
	if x, ok := jsontree.Float(v); ok {
		return []float64{x}, true
	}
	items, ok := asArray(v)
	if !ok || len(items) == 0 {
		return nil, false
	}

	numbers := make([]float64, len(items))
	for i, item := range items {
		if numbers[i], ok = jsontree.Float(item); !ok {
			return nil, false
		}
	}
	return numbers, true
}

// lookup returns the value of key in an object, or those in an array of objects.
func lookup(v any, key string) any {
	if o, ok := v.(*jsontree.Object); ok {
		if value, ok := o.Get(key); ok {
			return value
		}
		return undefined{}
	}

	items, ok := asArray(v)
	if !ok {
		return undefined{}
	}

	results := newSequence()
	for _, item := range items {
		value := lookup(item, key)
		if nested, ok := asArray(value); ok {
			results.items = append(results.items, nested...)
		} else {
			results.push(value)
		}
	}

	return results
}

func wildcard(v any) any {
	if a, ok := v.(*array); ok && a.outer && len(a.items) > 0 {
		v = a.items[0]
	}

	results := newSequence()
	if o, ok := v.(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			value, _ := o.Get(key)
			flatten(value, results)
		}
	} else if items, ok := asArray(v); ok {
		for _, item := range items {
			flatten(item, results)
		}
	}

	return results
}

// flatten appends v to results, or all that v holds when it is an array.
func flatten(v any, results *array) {
	items, ok := asArray(v)
	if !ok {
		results.push(v)
		return
	}
	for _, item := range items {
		flatten(item, results)
	}
}

// descendants appends v and all that it holds to results.
func descendants(v any, results *array) *array {
	items, isArray := asArray(v)
	if !isArray {
		results.push(v)
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

	items := listOf(v)
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

	var failure error
	sort.SliceStable(rows, func(i, j int) bool {
		for k, t := range n.terms {
			order, err := compareKeys(rows[i].keys[k], rows[j].keys[k])
			if err != nil && failure == nil {
				failure = err
			}
			if order != 0 {
				return (order < 0) != (t.descending && !isUndefined(rows[i].keys[k]) && !isUndefined(rows[j].keys[k]))
			}
		}
		return false
	})

	sorted := newSequence()
	for _, r := range rows {
		sorted.items = append(sorted.items, r.item)
	}
	return sorted, failure
}

// compareKeys compares two values of an order-by term; those that are not there come last.
func compareKeys(a, b any) (int, error) {
	switch missing := isUndefined(a); {
	case missing && isUndefined(b):
		return 0, nil
	case missing:
		return 1, nil
	case isUndefined(b):
		return -1, nil
	}

	textA, stringA := a.(string)
	textB, stringB := b.(string)
	order := jsontree.CompareNumbers(a, b)
	switch {
	case stringA && stringB:
		return compareText(textA, textB), nil
	case order != jsontree.Uncomparable:
		return order, nil
	default:
		_, numberA := jsontree.Float(a)
		_, numberB := jsontree.Float(b)
		if (stringA || numberA) && (stringB || numberB) {
			return 0, evalError("T2007", "Type mismatch when comparing values "+describe(a)+" and "+describe(b)+" in order-by clause")
		}
		return 0, evalError("T2008", "The expressions within an order-by clause must evaluate to numeric or string values")
	}
}
