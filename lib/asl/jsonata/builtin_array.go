package jsonata

import (
	"math/rand/v2"
	"slices"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// arrayFunctions returns the functions for arrays.
func arrayFunctions() map[string]definition {
	return map[string]definition{
		"count": {"<a:n>", func(_ *evaluation, args []any) (any, error) {
			if isUndefined(argAt(args, 0)) {
				return int64(0), nil
			}
			return int64(len(itemsOf(args[0]))), nil
		}},
		"append": {"<xx:a>", func(e *evaluation, args []any) (any, error) {
			return e.appendValues(argAt(args, 0), argAt(args, 1))
		}},
		"reverse": {"<a:a>", ifDefined(func(e *evaluation, args []any) (any, error) {
			if len(itemsOf(args[0])) <= 1 {
				return args[0], nil // Also a sequence stays one.
			}
			items, err := e.cloneItems(args[0])
			if err != nil {
				return nil, err
			}
			slices.Reverse(items)
			return &array{items: items}, nil
		})},
		"shuffle": {"<a:a>", ifDefined(func(e *evaluation, args []any) (any, error) {
			items, err := e.cloneItems(args[0])
			if err != nil {
				return nil, err
			}
			rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			return &array{items: items}, nil
		})},
		"distinct": {"<x:x>", ifDefined(distinct)},
		"zip":      {"<a+>", zip},
		"sort":     {"<af?:a>", sortArray},
	}
}

// cloneItems returns the items of v in a new slice.
func (e *evaluation) cloneItems(v any) ([]any, error) {
	items := itemsOf(v)
	if err := e.reserveItems(len(items)); err != nil {
		return nil, err
	}
	return slices.Clone(items), nil
}

// distinct evaluates $distinct: it returns the array without each item that equals an earlier item.
func distinct(e *evaluation, args []any) (any, error) {
	items, ok := arrayItems(args[0])
	if !ok || len(items) <= 1 {
		return args[0], nil
	}
	if err := e.reserveItems(len(items)); err != nil {
		return nil, err
	}

	result := &array{sequence: isSequence(args[0])}
	seen := make(map[string]bool, len(items))
	var key []byte
	for _, item := range items {
		var err error
		if key, err = e.appendIdentity(key[:0], item); err != nil {
			return nil, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			result.items = append(result.items, item)
		}
	}
	return result, nil
}

// zip evaluates $zip. It returns an array whose first item is an array of the first items of all arguments, whose second item is an
// array of the second items, and so on, up to the length of the shortest argument.
func zip(e *evaluation, args []any) (any, error) {
	length := -1 // The length of the shortest argument.
	for _, arg := range args {
		n := len(itemsOf(arg))
		if isUndefined(arg) { // An undefined argument is an empty array here.
			n = 0
		}
		if length < 0 || n < length {
			length = n
		}
	}

	if err := e.reserveItems(max(length, 0) * (len(args) + 1)); err != nil {
		return nil, err
	}
	rows := []any{}
	for i := range max(length, 0) {
		row := make([]any, len(args))
		for j, arg := range args {
			row[j] = itemsOf(arg)[i]
		}
		rows = append(rows, &array{items: row})
	}

	return &array{items: rows}, nil
}

// sortArray evaluates $sort.
func sortArray(e *evaluation, args []any) (any, error) {
	if isUndefined(argAt(args, 0)) {
		return undefined{}, nil
	}

	if items, ok := arrayItems(args[0]); ok && len(items) <= 1 {
		return args[0], nil
	}
	items, err := e.cloneItems(args[0])
	if err != nil {
		return nil, err
	}
	isAfter, err := e.sortOrder(items, argAt(args, 1))
	if err != nil {
		return nil, err
	}
	sorted, err := mergeSort(items, isAfter)
	if err != nil {
		return nil, err
	}
	return &array{items: sorted}, nil
}

// sortOrder returns a function that reports whether a comes after b. It asks the comparator, if that is a function, and otherwise
// compares the values.
func (e *evaluation) sortOrder(items []any, comparator any) (func(a, b any) (bool, error), error) {
	if fn, ok := comparator.(*function); ok {
		return func(a, b any) (bool, error) {
			result, err := e.invokeCallback(fn, a, b)
			if err != nil {
				return false, err
			}
			return e.toBoolean(result)
		}, nil
	}

	allNumbers, allStrings := true, true
	for _, item := range items {
		_, isNumber := jsontree.Float(item)
		_, isString := item.(string)
		allNumbers, allStrings = allNumbers && isNumber, allStrings && isString
	}

	if !allNumbers && !allStrings {
		return nil, evalError("D3070", "The single argument form of the sort function can only be applied to an array of strings or an array "+
			"of numbers. Use the second argument to specify a comparison function")
	}

	return func(a, b any) (bool, error) {
		if err := e.step(1); err != nil {
			return false, err
		}
		order, err := e.compareKeys(a, b)
		return order > 0, err
	}, nil
}
