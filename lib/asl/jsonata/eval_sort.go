package jsonata

import "github.com/herald-progress/herald/lib/asl/jsontree"

// A row is an item to sort and the values of the order-by terms for it.
type row struct {
	item any
	keys []any
}

// sort evaluates an order-by clause. The items are tuples if areTuples is set.
func (e *evaluation) sort(n *node, items []any, areTuples bool, f *frame) (*array, error) {
	if err := e.reserveItems(len(items) * (1 + len(n.list))); err != nil {
		return nil, err
	}
	rows := make([]row, len(items))
	keys := make([]any, len(items)*len(n.list))
	for i, item := range items {
		context, inner := item, f
		if t, ok := item.(*tuple); ok && areTuples {
			context, inner = t.value, t.frame(f)
		}
		rows[i] = row{item: item, keys: keys[i*len(n.list) : (i+1)*len(n.list)]}
		for j, t := range n.list {
			if len(items) == 1 {
				continue // A single item is compared with nothing.
			}
			key, err := e.eval(t, context, inner)
			if err != nil {
				return nil, err
			}
			rows[i].keys[j] = key
		}
	}

	sorted, err := mergeSort(rows, func(a, b row) (bool, error) { return e.isRowAfter(n.list, a, b) })
	if err != nil {
		return nil, err
	}

	result := &array{items: make([]any, len(sorted)), sequence: true}
	for i, r := range sorted {
		result.items[i] = r.item
	}
	return result, nil
}

// isRowAfter reports whether a comes after b in the order of the terms.
func (e *evaluation) isRowAfter(terms []*node, a, b row) (bool, error) {
	if err := e.step(1); err != nil {
		return false, err
	}
	for k, t := range terms {
		order, err := e.compareKeys(a.keys[k], b.keys[k])
		if err != nil {
			return false, err
		}
		hasUndefined := isUndefined(a.keys[k]) || isUndefined(b.keys[k])
		switch {
		case order == 0: // The next term decides.
		case t.isDescending && !hasUndefined: // Undefined keys come last in both directions.
			return order < 0, nil
		default:
			return order > 0, nil
		}
	}
	return false, nil
}

// mergeSort returns the items in order. isAfter reports whether a must come after b. Items of which neither comes after the other
// keep their order. isAfter need not be consistent.
func mergeSort[T any](items []T, isAfter func(a, b T) (bool, error)) ([]T, error) {
	sorted, spare := append([]T(nil), items...), make([]T, len(items))
	for width := 1; width < len(items); width *= 2 {
		for from := 0; from < len(items); from += 2 * width { // Merge two sorted runs.
			middle, to := min(from+width, len(items)), min(from+2*width, len(items))
			if err := mergeRuns(spare[from:to], sorted[from:middle], sorted[middle:to], isAfter); err != nil {
				return nil, err
			}
		}
		sorted, spare = spare, sorted
	}
	return sorted, nil
}

// mergeRuns merges two sorted runs into dst.
func mergeRuns[T any](dst, left, right []T, isAfter func(a, b T) (bool, error)) error {
	for i := range dst {
		takeRight := len(left) == 0
		if len(left) > 0 && len(right) > 0 {
			var err error
			if takeRight, err = isAfter(left[0], right[0]); err != nil {
				return err
			}
		}
		if takeRight {
			dst[i], right = right[0], right[1:]
		} else {
			dst[i], left = left[0], left[1:]
		}
	}
	return nil
}

// compareKeys compares two values of an order-by term. It returns a negative number if a comes first, 0 if they are equal, and a
// positive number if b comes first. An undefined value comes last.
func (e *evaluation) compareKeys(a, b any) (int, error) {
	stringA, isStringA := a.(string)
	stringB, isStringB := b.(string)
	if isStringA && isStringB {
		return e.compareTexts(stringA, stringB), nil
	}

	_, isNumberA := jsontree.Float(a)
	_, isNumberB := jsontree.Float(b)
	switch missing := isUndefined(a); {
	case !missing && !isStringA && !isNumberA, !isUndefined(b) && !isStringB && !isNumberB:
		return 0, evalError("T2008", "The expressions within an order-by clause must evaluate to numeric or string values")
	case missing && isUndefined(b):
		return 0, nil
	case missing:
		return 1, nil
	case isUndefined(b):
		return -1, nil
	case isStringA != isStringB:
		return 0, evalError("T2007", "Type mismatch when comparing values "+e.describe(a)+" and "+e.describe(b)+" in order-by clause")
	}

	if order := jsontree.CompareNumbers(a, b); order != jsontree.Uncomparable {
		return order, nil
	}
	return 0, nil // A comparison with NaN.
}
