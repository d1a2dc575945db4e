package jsonata

// process converts the parser's tree into a tree that can be evaluated: it collects the steps of each path and their filters in one
// node. It changes the parser's tree.
func process(n *node) (*node, error) {
	if n == nil {
		return nil, nil
	}

	switch n.kind {
	case kindName:
		step := *n
		step.keepArray = false
		return &node{kind: kindPath, pos: n.pos, list: []*node{&step}, keepSingleton: n.keepArray}, nil
	case kindBinary:
		switch n.text {
		case ".":
			return processDot(n)
		case "[":
			return processFilter(n)
		}
	case kindObject:
		if n.lhs != nil {
			return processGroup(n)
		}
	case kindSort:
		return processSort(n)
	case kindNegate: // A negative integer becomes a literal.
		if n.rhs.kind == kindValue {
			if integer, ok := n.rhs.value.(int64); ok {
				return &node{kind: kindValue, pos: n.pos, value: -integer}, nil
			}
		}
	case kindVariable:
		if unsupportedFunctions[n.text] {
			return nil, syntaxError("S0500", n.pos, "The function $"+n.text+" is not supported")
		}
	}

	return processOperands(n)
}

// processOperands processes the operands of n in place, and returns n.
func processOperands(n *node) (*node, error) {
	var err error
	for _, operand := range []**node{&n.lhs, &n.rhs, &n.third} {
		if *operand, err = process(*operand); err != nil {
			return nil, err
		}
	}
	if n.kind != kindLambda { // The parameters of a function definition are names, not expressions.
		if err := processList(n.list); err != nil {
			return nil, err
		}
	}
	if err := processPairs(n.pairs); err != nil {
		return nil, err
	}

	switch n.kind {
	case kindLambda, kindPlaceholder:
		n.lhs = nil // It is only the word function.
	case kindBlock: // A path treats a block as an array constructor if a part of the block begins with one.
		for _, part := range n.list {
			if part.noFlatten || part.kind == kindPath && part.list[0].noFlatten {
				n.noFlatten = true
			}
		}
	}

	return n, nil
}

// processList processes each node of a list in place.
func processList(list []*node) error {
	for i, item := range list {
		processed, err := process(item)
		if err != nil {
			return err
		}
		list[i] = processed
	}
	return nil
}

// processPairs processes each key and value in place.
func processPairs(pairs [][2]*node) error {
	for i := range pairs {
		if err := processList(pairs[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// processDot processes a.b: it appends the steps of b to the path a.
func processDot(n *node) (*node, error) {
	left, err := process(n.lhs)
	if err != nil {
		return nil, err
	}

	path := left
	if left.kind != kindPath {
		path = &node{kind: kindPath, pos: n.pos, list: []*node{left}}
	}

	right, err := process(n.rhs)
	if err != nil {
		return nil, err
	}

	added := len(path.list) // The position of the first step that is added.
	if right.kind == kindPath {
		path.list = append(path.list, right.list...)
		path.keepSingleton = path.keepSingleton || right.keepSingleton
	} else {
		if right.filters != nil {
			right.stages, right.filters = right.filters, nil
		}
		path.list = append(path.list, right)
	}

	if left == path && added > 1 {
		return path, finishPath(path, added) // The call of processDot that made the path left has finished its steps.
	}
	return path, finishPath(path, 0)
}

// finishPath finishes the steps of a path, beginning with the step at index from: it converts string literals to names, and sets the
// flags of the path and of its first and last step.
func finishPath(path *node, from int) error {
	for _, step := range path.list[from:] {
		if step.kind == kindValue {
			name, ok := step.value.(string)
			if !ok {
				return syntaxError("S0213", step.pos, "The literal value "+quote(step.text)+" cannot be used as a step within a path expression")
			}
			step.kind, step.text = kindName, name
		}

		if step.keepArray {
			path.keepSingleton = true
		}
	}

	for _, end := range []*node{path.list[0], path.list[len(path.list)-1]} {
		if end.kind == kindArray {
			end.noFlatten = true
		}
	}
	return nil
}

// processFilter processes a[b]: it adds the predicate b to a, or to the last step of a path a.
func processFilter(n *node) (*node, error) {
	left, err := process(n.lhs)
	if err != nil {
		return nil, err
	}

	filter, err := process(n.rhs)
	if err != nil {
		return nil, err
	}

	step := left
	if left.kind == kindPath {
		step = left.list[len(left.list)-1]
	}

	if left.group != nil || step.group != nil {
		return nil, syntaxError("S0209", n.pos, "A predicate cannot follow a grouping expression in a step")
	}

	if left.kind == kindPath {
		step.stages = append(step.stages, filter)
	} else {
		step.filters = append(step.filters, filter)
	}
	return left, nil
}

// processGroup processes a{…}: it adds the group-by clause to a.
func processGroup(n *node) (*node, error) {
	left, err := process(n.lhs)
	if err != nil {
		return nil, err
	}
	if left.group != nil {
		return nil, syntaxError("S0210", n.pos, "Each step can only have one grouping expression")
	}

	if err := processPairs(n.pairs); err != nil {
		return nil, err
	}

	left.group = &node{kind: kindObject, pos: n.pos, pairs: n.pairs}
	return left, nil
}

// processSort processes a^(…): it appends the order-by clause to the path a.
func processSort(n *node) (*node, error) {
	left, err := process(n.lhs)
	if err != nil {
		return nil, err
	}

	path := left
	if left.kind != kindPath {
		path = &node{kind: kindPath, pos: n.pos, list: []*node{left}}
	}

	step := &node{kind: kindSort, pos: n.pos}
	for _, t := range n.terms {
		expr, err := process(t.expr)
		if err != nil {
			return nil, err
		}
		step.terms = append(step.terms, term{descending: t.descending, expr: expr})
	}

	path.list = append(path.list, step)
	return path, nil
}
