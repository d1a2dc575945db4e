package jsonata

import (
	"math/rand/v2"
	"slices"
	"sort"

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
		"append": {"<xx:a>", func(_ *evaluation, args []any) (any, error) {
			return appendValues(argAt(args, 0), argAt(args, 1)), nil
		}},
		"reverse": {"<a:a>", ifDefined(func(args []any) (any, error) {
			items := slices.Clone(itemsOf(args[0]))
			slices.Reverse(items)
			return &array{items: items}, nil
		})},
		"shuffle": {"<a:a>", ifDefined(func(args []any) (any, error) {
			items := slices.Clone(itemsOf(args[0]))
			rand.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			return &array{items: items}, nil
		})},
		"distinct": {"<x:x>", ifDefined(distinct)},
		"zip":      {"<a+>", zip},
		"sort":     {"<af?:a>", sortArray},
	}
}

// distinct evaluates $distinct: it returns the array without each item that equals an earlier item.
func distinct(args []any) (any, error) {
	items, ok := arrayItems(args[0])
	if !ok || len(items) <= 1 {
		return args[0], nil
	}

	result := &array{sequence: isSequence(args[0])}
	for _, item := range items {
		if !slices.ContainsFunc(result.items, func(other any) bool { return equal(other, item) }) {
			result.items = append(result.items, item)
		}
	}
	return result, nil
}

// zip evaluates $zip. It returns an array whose first item is an array of the first items of all arguments, whose second item is an
// array of the second items, and so on, up to the length of the shortest argument.
func zip(_ *evaluation, args []any) (any, error) {
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

	items := slices.Clone(itemsOf(args[0]))
	isAfter, err := e.sortOrder(items, argAt(args, 1))
	if err != nil {
		return nil, err
	}

	var firstErr error
	sort.SliceStable(items, func(i, j int) bool {
		after, err := isAfter(items[j], items[i]) // Item i comes first if item j must come after it.
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return after
	})
	if firstErr != nil {
		return nil, firstErr
	}
	return &array{items: items}, nil
}

// sortOrder returns a function that reports whether a comes after b. It asks the comparator, if that is a function, and otherwise
// compares the values.
func (e *evaluation) sortOrder(items []any, comparator any) (func(a, b any) (bool, error), error) {
	if fn, ok := comparator.(*function); ok {
		return func(a, b any) (bool, error) {
			result, err := e.invokeCallback(fn, a, b)
			return toBoolean(result), err
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
		order, err := compareKeys(a, b)
		return order > 0, err
	}, nil
}
