package jsonata

// itemFunctions are the higher-order functions over arrays.
func itemFunctions() map[string]definition {
	return map[string]definition{
		"map":    {"<af>", mapItems},
		"filter": {"<af>", filterItems},
		"single": {"<af?>", single},
		"reduce": {"<afj?:j>", reduce},
	}
}

func mapItems(e *evaluation, args []any) (any, error) {
	result := newSequence()

	fn, ok := callable(argument(args, 1))
	if !ok || isUndefined(args[0]) {
		return undefined{}, nil
	}

	for i, item := range listOf(args[0]) {
		value, err := e.invokeItem(fn, item, int64(i), args[0])
		if err != nil {
			return nil, err
		}
		result.push(value)
	}

	return collapse(result, false), nil
}

// callable returns v as a function that can be given to a higher-order function.
func callable(v any) (*function, bool) {
	switch v := v.(type) {
	case *function:
		return v, true
	case *regex:
		return &function{name: "regex", arity: 1, call: func(_ *evaluation, args []any) (any, error) {
			if s, ok := argument(args, 0).(string); ok {
				return firstMatch(v, s), nil
			}
			return undefined{}, nil
		}}, true
	default:
		return nil, false
	}
}

// chosen returns the items for which the function given as the second argument is true.
func (e *evaluation) chosen(args []any) (*array, error) {
	result := newSequence()
	fn, ok := callable(argument(args, 1))
	for i, item := range listOf(args[0]) {
		keep := any(true)
		if ok {
			var err error
			if keep, err = e.invokeItem(fn, item, int64(i), args[0]); err != nil {
				return nil, err
			}
		}

		if truth(keep) {
			result.push(item)
		}
	}

	return result, nil
}

func filterItems(e *evaluation, args []any) (any, error) {
	if isUndefined(argument(args, 0)) {
		return undefined{}, nil
	}
	result, err := e.chosen(args)
	if err != nil {
		return nil, err
	}
	return collapse(result, false), nil
}

func single(e *evaluation, args []any) (any, error) {
	if isUndefined(argument(args, 0)) {
		return undefined{}, nil
	}
	result, err := e.chosen(args)
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

	fn, ok := argument(args, 1).(*function)
	if !ok || isUndefined(args[0]) {
		return undefined{}, nil
	}
	if fn.arity < operands {
		return nil, evalError("D3050", "The second argument of reduce function must be a function with at least two arguments")
	}

	items := listOf(args[0])
	result := argument(args, initialAt)
	first := 0
	if isUndefined(result) && len(items) > 0 {
		result, first = items[0], 1
	}

	for i := first; i < len(items); i++ {
		value, err := e.invokeItem(fn, result, items[i], int64(i), args[0])
		if err != nil {
			return nil, err
		}
		result = value
	}

	return result, nil
}
