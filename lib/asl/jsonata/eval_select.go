package jsonata

import "github.com/herald-progress/herald/lib/asl/jsontree"

// lookupField returns the value of a key in an object. For an array, it returns the values of the key in all objects of the array.
func (e *evaluation) lookupField(v any, key string) (any, error) {
	if o, ok := v.(*jsontree.Object); ok {
		if value, ok := o.Get(key); ok {
			return value, nil
		}
		return undefined{}, nil
	}

	items, ok := arrayItems(v)
	if !ok {
		return undefined{}, nil
	}

	results := newSequence()
	return results, e.lookupItems(items, key, results)
}

// lookupItems appends the values of a key in all objects among items to results. It flattens arrays among the values.
func (e *evaluation) lookupItems(items []any, key string, results *array) error {
	if err := e.step(len(items)); err != nil {
		return err
	}
	for _, item := range items {
		if nested, ok := arrayItems(item); ok {
			if err := e.lookupItems(nested, key, results); err != nil {
				return err
			}
			continue
		}
		o, ok := item.(*jsontree.Object)
		if !ok {
			continue
		}
		value, ok := o.Get(key)
		if !ok {
			continue
		}
		if nested, ok := arrayItems(value); ok {
			if err := e.reserveItems(len(nested)); err != nil {
				return err
			}
			results.items = append(results.items, nested...)
			continue
		}
		if err := e.keep(results, value); err != nil {
			return err
		}
	}
	return nil
}

// wildcard returns the values of an object, or the items of an array. It flattens arrays inside them.
func (e *evaluation) wildcard(v any) (any, error) {
	results := newSequence()
	if a, ok := v.(*array); ok && a.outerWrapper && len(a.items) > 0 {
		v = a.items[0]
	}
	if o, ok := v.(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			value, _ := o.Get(key)
			if err := e.flatten(value, results); err != nil {
				return nil, err
			}
		}
	} else if items, ok := arrayItems(v); ok {
		for _, item := range items {
			if err := e.flatten(item, results); err != nil {
				return nil, err
			}
		}
	}

	return results, nil
}

// flatten appends v to results. If v is an array, it appends the items of v at any depth instead.
func (e *evaluation) flatten(v any, results *array) error {
	items, ok := arrayItems(v)
	if !ok {
		return e.keep(results, v)
	}
	if err := e.step(len(items)); err != nil {
		return err
	}
	for _, item := range items {
		if err := e.flatten(item, results); err != nil {
			return err
		}
	}
	return nil
}

// descendant evaluates the operator **.
func (e *evaluation) descendant(v any) (any, error) {
	results := newSequence()
	if isUndefined(v) {
		return v, nil
	}
	return results, e.descendants(v, results)
}

// descendants appends v and all values inside v, at any depth, to results. It does not append arrays themselves.
func (e *evaluation) descendants(v any, results *array) error {
	if err := e.step(1); err != nil {
		return err
	}
	items, isArray := arrayItems(v)
	if !isArray {
		if err := e.keep(results, v); err != nil {
			return err
		}
	}

	if o, ok := v.(*jsontree.Object); ok {
		for _, key := range o.Keys() {
			value, _ := o.Get(key)
			if err := e.descendants(value, results); err != nil {
				return err
			}
		}
	}

	for _, item := range items {
		if err := e.descendants(item, results); err != nil {
			return err
		}
	}
	return nil
}
