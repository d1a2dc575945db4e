package jsonata

// predicate processes a[b]: it adds the predicate b to a, or to the last step of a path a.
func (p *processor) predicate(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	step := lastStep(left)
	if left.get().group != nil || step.get().group != nil {
		return nil, syntaxError("S0209", n.pos, "A predicate cannot follow a grouping expression in a step")
	}

	filter, err := p.process(n.rhs)
	if err != nil {
		return nil, err
	}
	for _, s := range filter.get().seeking {
		if s.level == 1 {
			if err := seekParent(step, s); err != nil {
				return nil, err
			}
		} else {
			s.level--
		}
	}
	passOn(step, filter)

	step.isPlain = false
	d := step.add()
	if left.kind == kindPath {
		d.stages = append(d.stages, stage{expr: filter})
	} else {
		d.predicates = append(d.predicates, stage{expr: filter})
	}
	left.keepArray = left.keepArray || n.keepArray
	return left, nil
}

// groupBy processes a{…}: it adds the group-by clause to a.
func (p *processor) groupBy(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}
	if left.get().group != nil {
		return nil, syntaxError("S0210", n.pos, "Each step can only have one grouping expression")
	}

	left.keepArray = left.keepArray || n.keepArray
	left.add().group, left.isPlain = n, false
	n.lhs, n.keepArray = nil, false
	if err := p.list(n, n.list); err != nil {
		return nil, err
	}
	n.findKeys()
	return left, nil
}

// sort processes a^(…): it appends the order-by clause to the path a.
func (p *processor) sort(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	step := p.newNode(n.pos)
	step.kind, step.list = kindSort, n.list
	for i, criterion := range step.list {
		isDescending := criterion.isDescending
		expr, err := p.process(criterion)
		if err != nil {
			return nil, err
		}
		passOn(step, expr)
		expr.isDescending = isDescending
		step.list[i] = expr
	}

	path := left
	if left.kind != kindPath {
		path = n.toPath(left)
	}
	path.list = append(path.list, step)
	path.keepArray = path.keepArray || n.keepArray
	return path, resolveParents(path)
}
