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
		result.appendDefined(value)
	}

	return unwrapSequence(result, false), nil
}

// asFunction returns v, a function or a regular expression, as a function. ok is false if v is neither.
func asFunction(v any) (fn *function, ok bool) {
	switch v := v.(type) {
	case *function:
		return v, true
	case *regex:
		return &function{name: "regex", arity: 1, call: func(_ *evaluation, args []any) (any, error) {
			if s, ok := argAt(args, 0).(string); ok {
				return firstMatch(v, s), nil
			}
			return undefined{}, nil
		}}, true
	default:
		return nil, false
	}
}

// matchingItems returns the items of the first argument for which the second, a function, returns true; all items if there
// is no function.
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

		if toBoolean(matches) {
			result.appendDefined(item)
		}
	}

	return result, nil
}

func filterItems(e *evaluation, args []any) (any, error) {
	if isUndefined(argAt(args, 0)) {
		return undefined{}, nil
	}
	result, err := e.matchingItems(args)
	if err != nil {
		return nil, err
	}
	return unwrapSequence(result, false), nil
}

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

func reduce(e *evaluation, args []any) (any, error) {
	const (
		initialAt = 2
		operands  = 2
	)

	fn, ok := argAt(args, 1).(*function)
	if !ok || isUndefined(args[0]) {
		return undefined{}, nil
	}
	if fn.arity < operands {
		return nil, evalError("D3050", "The second argument of reduce function must be a function with at least two arguments")
	}

	items := itemsOf(args[0])
	result := argAt(args, initialAt)
	first := 0
	if isUndefined(result) && len(items) > 0 {
		result, first = items[0], 1
	}

	for i := first; i < len(items); i++ {
		value, err := e.invokeCallback(fn, result, items[i], int64(i), args[0])
		if err != nil {
			return nil, err
		}
		result = value
	}

	return result, nil
}
