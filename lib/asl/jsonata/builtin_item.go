package jsonata

// itemFunctions returns the higher-order functions over arrays.
func itemFunctions() map[string]definition {
	return map[string]definition{
		"map":    {"<af>", mapItems},
		"filter": {"<af>", filterItems},
		"single": {"<af?>", single},
		"reduce": {"<afj?:j>", reduce},
	}
}

// mapItems evaluates $map.
func mapItems(e *evaluation, args []any) (any, error) {
	fn, isFunction := asFunction(argAt(args, 1))
	if !isFunction || isUndefined(args[0]) {
		return undefined{}, nil
	}

	result := newSequence()
	for i, item := range itemsOf(args[0]) {
		value, err := e.invokeCallback(fn, item, int64(i), args[0])
		if err != nil {
			return nil, err
		}
		if err := e.keep(result, value); err != nil {
			return nil, err
		}
	}

	return result, nil
}

// matchingItems returns the items of the first argument for which the second argument, a function, returns true. Without a function
// it returns all items.
func (e *evaluation) matchingItems(args []any) (*array, error) {
	result := newSequence()
	fn, hasFunction := asFunction(argAt(args, 1))
	for i, item := range itemsOf(args[0]) {
		matches := any(true)
		if hasFunction {
			var err error
			if matches, err = e.invokeCallback(fn, item, int64(i), args[0]); err != nil {
				return nil, err
			}
		}

		isTrue, err := e.toBoolean(matches)
		if err != nil {
			return nil, err
		}
		if isTrue {
			if err := e.keep(result, item); err != nil {
				return nil, err
			}
		}
	}

	return result, nil
}

// filterItems evaluates $filter.
func filterItems(e *evaluation, args []any) (any, error) {
	if isUndefined(argAt(args, 0)) {
		return undefined{}, nil
	}
	result, err := e.matchingItems(args)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// single evaluates $single.
func single(e *evaluation, args []any) (any, error) {
	if isUndefined(argAt(args, 0)) {
		return undefined{}, nil
	}
	result, err := e.matchingItems(args)
	switch {
	case err != nil:
		return nil, err
	case len(result.items) == 0:
		return nil, evalError("D3139", "The $single() function expected exactly 1 matching result.  Instead it matched 0.")
	case len(result.items) > 1:
		return nil, evalError("D3138", "The $single() function expected exactly 1 matching result.  Instead it matched more.")
	default:
		return result.items[0], nil
	}
}

// reduce evaluates $reduce.
func reduce(e *evaluation, args []any) (any, error) {
	const (
		initialAt = 2 // The position of the initial value among the arguments, from 0.
		minArity  = 2 // The function combines the result so far and an item.
	)

	fn, ok := asFunction(argAt(args, 1))
	if !ok || isUndefined(args[0]) {
		return undefined{}, nil
	}
	if fn.arity < minArity {
		return nil, evalError("D3050", "The second argument of reduce function must be a function with at least two arguments")
	}

	items := itemsOf(args[0])
	result := argAt(args, initialAt)
	first := 0 // The first item that is combined.
	if isUndefined(result) && len(items) > 0 {
		result, first = items[0], 1
	}

	m := e.mark()
	for i := first; i < len(items); i++ {
		value, err := e.invokeCallback(fn, result, items[i], int64(i), args[0])
		if err != nil {
			return nil, err
		}
		result = value
		e.release(m, result)
	}

	return result, nil
}
