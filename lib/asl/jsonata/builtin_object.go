package jsonata

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// objectFunctions returns the functions for objects.
func objectFunctions() map[string]definition {
	return map[string]definition{
		"keys": {"<x-:a<s>>", keys},
		"lookup": {"<x-s:x>", func(e *evaluation, args []any) (any, error) {
			return e.lookupField(argAt(args, 0), stringArg(args, 1))
		}},
		"spread": {"<x-:a<o>>", ifDefined(func(e *evaluation, args []any) (any, error) {
			if _, ok := args[0].(*function); ok {
				return args[0], nil
			}
			return e.spread(args[0])
		})},
		"merge": {"<a<o>:o>", ifDefined(merge)},
		"each":  {"<o-f:a>", each},
		"sift":  {"<o-f?:o>", sift},
	}
}

// keys evaluates $keys: the keys of an object, or of all objects in an array at any depth, each key once.
func keys(e *evaluation, args []any) (any, error) {
	result := newSequence()
	return result, e.addKeys(argAt(args, 0), map[string]bool{}, result)
}

// addKeys appends the keys of v that are not yet in seen to result.
func (e *evaluation) addKeys(v any, seen map[string]bool, result *array) error {
	if err := e.step(1); err != nil {
		return err
	}
	if items, ok := arrayItems(v); ok {
		for _, item := range items {
			if err := e.addKeys(item, seen, result); err != nil {
				return err
			}
		}
		return nil
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		return nil
	}
	for _, key := range o.Keys() {
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := e.keep(result, key); err != nil {
			return err
		}
	}
	return nil
}

// spread evaluates $spread: it splits objects into objects with one key each. It returns any other value unchanged.
func (e *evaluation) spread(v any) (any, error) {
	result := newSequence()
	if items, ok := arrayItems(v); ok {
		for _, item := range items {
			parts, err := e.spread(item)
			if err != nil {
				return nil, err
			}
			added := itemsOf(parts)
			if err := e.reserveItems(len(added)); err != nil {
				return nil, err
			}
			result.items = append(result.items, added...)
			result.sequence = false // The reference implementation keeps even a single item in an array.
		}
		return result, nil
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		return v, nil
	}

	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		single := &jsontree.Object{}
		if err := e.setPair(single, key, value); err != nil {
			return nil, err
		}
		if err := e.keep(result, single); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// merge evaluates $merge: one object with the keys of all objects in an array. If objects have the same key, the result has
// the value of the last of these objects.
func merge(e *evaluation, args []any) (any, error) {
	result := &jsontree.Object{}
	for _, item := range itemsOf(args[0]) {
		if o, ok := item.(*jsontree.Object); ok {
			for _, key := range o.Keys() {
				value, _ := o.Get(key)
				if err := e.setPair(result, key, value); err != nil {
					return nil, err
				}
			}
		}
	}
	return result, nil
}

// each evaluates $each: the results of a function for each key of an object.
func each(e *evaluation, args []any) (any, error) {
	o, ok := argAt(args, 0).(*jsontree.Object)
	fn, isFunction := argAt(args, 1).(*function)
	if !ok || !isFunction {
		return undefined{}, nil
	}

	result := newSequence()
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		item, err := e.invokeCallback(fn, value, key, o)
		if err != nil {
			return nil, err
		}
		if err := e.keep(result, item); err != nil {
			return nil, err
		}
	}

	return result, nil
}

// sift evaluates $sift: an object with only those keys for which a function returns true, or undefined if there are none.
func sift(e *evaluation, args []any) (any, error) {
	o, ok := argAt(args, 0).(*jsontree.Object)
	fn, isFunction := argAt(args, 1).(*function)
	if !ok || !isFunction {
		return undefined{}, nil
	}

	result := &jsontree.Object{}
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		included, err := e.invokeCallback(fn, value, key, o)
		if err != nil {
			return nil, err
		}
		isTrue, err := e.toBoolean(included)
		if err != nil {
			return nil, err
		}
		if isTrue {
			if err := e.setPair(result, key, value); err != nil {
				return nil, err
			}
		}
	}

	if result.Len() == 0 {
		return undefined{}, nil
	}
	return result, nil
}
