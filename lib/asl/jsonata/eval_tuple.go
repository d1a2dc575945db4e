package jsonata

// A tuple is an item of a path whose steps bind variables: @$name, #$name or, for the operator %, the item's parents.
type tuple struct {
	value  any
	names  []string
	values []any
}

// frame returns a frame with the variables of the tuple.
func (t *tuple) frame(parent *frame) *frame {
	return &frame{parent: parent, names: t.names[:len(t.names):len(t.names)], values: t.values[:len(t.values):len(t.values)]}
}

// with returns a copy of the tuple with another value.
func (t *tuple) with(value any) *tuple {
	const more = 3 // A step binds three variables at most.
	return &tuple{
		value: value, names: append(make([]string, 0, len(t.names)+more), t.names...), values: append(make([]any, 0, len(t.values)+more), t.values...),
	}
}

func (t *tuple) set(name string, v any) {
	for i, other := range t.names {
		if other == name {
			t.values[i] = v
			return
		}
	}
	t.names, t.values = append(t.names, name), append(t.values, v)
}

func isTuples(v any) bool {
	a, ok := v.(*array)
	return ok && a.tuples
}

// tupleValues returns the values of a stream of tuples.
func (a *array) tupleValues() *array {
	values := &array{items: make([]any, 0, len(a.items)), sequence: true}
	for _, item := range a.items {
		if t, ok := item.(*tuple); ok {
			values.appendDefined(t.value)
		}
	}
	return values
}

// tupleStep evaluates one step of a path for each tuple. If there are no tuples yet, it makes them of the items of input.
func (e *evaluation) tupleStep(n *node, input []any, tuples *array, f *frame) (*array, error) {
	if n.kind == kindSort {
		return e.tupleSort(n, input, tuples, f)
	}
	if tuples == nil {
		if err := e.reserveItems(len(input)); err != nil {
			return nil, err
		}
		tuples = &array{sequence: true, tuples: true}
		for _, item := range input {
			tuples.items = append(tuples.items, &tuple{value: item})
		}
	}

	result := &array{sequence: true, tuples: true}
	for _, item := range tuples.items {
		t, _ := item.(*tuple)
		value, err := e.eval(n, t.value, t.frame(f))
		if err != nil {
			return nil, err
		}
		if isUndefined(value) {
			continue
		}
		for i, each := range itemsOf(value) {
			next, err := e.nextTuple(n, t, each, i)
			if err != nil {
				return nil, err
			}
			result.items = append(result.items, next)
		}
	}
	return e.tupleStages(n.get().stages, result, f)
}

// nextTuple returns the tuple of value, result i of the step n for the tuple t.
func (e *evaluation) nextTuple(n *node, t *tuple, value any, i int) (*tuple, error) {
	if err := e.reserve(itemBytes + pairBytes*(len(t.names)+1)); err != nil {
		return nil, err
	}
	if err := e.step(1 + len(t.names)); err != nil {
		return nil, err
	}
	d := n.get()
	if inner, ok := value.(*tuple); ok { // The step is a path with tuples of its own.
		next := t.with(inner.value)
		for j, name := range inner.names {
			next.set(name, inner.values[j])
		}
		if d.ancestor != nil {
			next.set(d.ancestor.label, t.value)
		}
		return next, nil
	}

	next := t.with(value)
	if d.focus != "" {
		next.set(d.focus, value)
		next.value = t.value
	}
	if d.index != "" {
		next.set(d.index, int64(i))
	}
	if d.ancestor != nil {
		next.set(d.ancestor.label, t.value)
	}
	return next, nil
}

// tupleSort evaluates an order-by clause in a path with tuples.
func (e *evaluation) tupleSort(n *node, input []any, tuples *array, f *frame) (*array, error) {
	if tuples != nil {
		sorted, err := e.sort(n, tuples.items, true, f)
		if err != nil {
			return nil, err
		}
		sorted.tuples = true
		return e.tupleStages(n.get().stages, sorted, f)
	}

	sorted, err := e.sort(n, input, false, f)
	if err != nil {
		return nil, err
	}
	result := &array{sequence: true, tuples: true}
	for i, item := range sorted.items {
		t := &tuple{value: item}
		if index := n.get().index; index != "" {
			t.set(index, int64(i))
		}
		result.items = append(result.items, t)
	}
	return e.tupleStages(n.get().stages, result, f)
}

// tupleStages applies the stages of a step: predicates, and variables for the index of each tuple.
func (e *evaluation) tupleStages(stages []stage, tuples *array, f *frame) (*array, error) {
	for _, s := range stages {
		if s.expr == nil {
			for i, item := range tuples.items {
				if t, ok := item.(*tuple); ok {
					t.set(s.index, int64(i))
				}
			}
			continue
		}
		filtered, err := e.filter(s.expr, tuples, f)
		if err != nil {
			return nil, err
		}
		tuples, _ = filtered.(*array)
	}
	return tuples, nil
}

// mergeTuples returns one tuple whose value and variables hold those of all tuples.
func (e *evaluation) mergeTuples(tuples []any) (*tuple, error) {
	first, ok := tuples[0].(*tuple)
	if !ok {
		return &tuple{value: undefined{}}, nil
	}
	merged := first.with(first.value)
	if len(tuples) == 1 {
		return merged, nil
	}

	column := func(get func(t *tuple) any) (any, error) {
		var (
			all any = undefined{}
			err error
		)
		g := &group{data: all}
		for i, item := range tuples {
			t, _ := item.(*tuple)
			if i == 0 {
				g.data = get(t)
				continue
			}
			if err = e.addToGroup(g, get(t)); err != nil {
				return nil, err
			}
		}
		return g.data, nil
	}

	var err error
	if merged.value, err = column(func(t *tuple) any { return t.value }); err != nil {
		return nil, err
	}
	for i, name := range merged.names {
		if merged.values[i], err = column(func(t *tuple) any {
			for j, other := range t.names {
				if other == name {
					return t.values[j]
				}
			}
			return undefined{}
		}); err != nil {
			return nil, err
		}
	}
	return merged, nil
}
