package jsonata

// focus processes a@$b: the last step of a binds $b to its result and keeps its context value.
func (p *processor) focus(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}
	step := lastStep(left)
	switch {
	case step.get().stages != nil || step.get().predicates != nil:
		return nil, syntaxError("S0215", n.pos, "A context variable binding must precede any predicates on a step")
	case step.kind == kindSort:
		return nil, syntaxError("S0216", n.pos, "A context variable binding must precede the 'order-by' clause on a step")
	}

	step.keepArray = step.keepArray || n.keepArray
	step.add().focus, step.isTuple, step.isPlain = n.rhs.text, true, false
	return left, nil
}

// index processes a#$b: the last step of a binds $b to the index of its result.
func (p *processor) index(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	path, step := left, lastStep(left)
	name := n.rhs.text
	d := step.add()
	if left.kind != kindPath {
		path = n.toPath(left)
		d.stages, d.predicates = d.predicates, nil
	}
	if d.stages == nil {
		d.index = name
	} else {
		d.stages = append(d.stages, stage{index: name})
	}
	step.isTuple, step.isPlain = true, false
	path.keepArray = path.keepArray || n.keepArray
	return path, nil
}

// passOn lets the node owner look for the parents that its part looks for.
func passOn(owner, part *node) {
	if part == nil || part.details == nil {
		return
	}
	if seeking := part.details.seeking; seeking != nil {
		d := owner.add()
		d.seeking = append(d.seeking, seeking...)
	}
	if part.kind == kindParent {
		d := owner.add()
		d.seeking = append(d.seeking, part.details.slot)
	}
}

// resolveParents finds the steps of a path whose context values are the parents that its last step looks for.
func resolveParents(path *node) error {
	last := lastStep(path)
	if last.details == nil {
		return nil
	}
	slots := last.details.seeking
	if last.kind == kindParent {
		slots = append(slots[:len(slots):len(slots)], last.details.slot)
	}
	for _, s := range slots {
		i := len(path.list) - 2 // The step before the last one.
		for s.level > 0 {
			if i < 0 {
				d := path.add()
				d.seeking = append(d.seeking, s)
				break
			}

			step := path.list[i]
			i--
			for i >= 0 && step.get().focus != "" && path.list[i].get().focus != "" { // Steps that keep their context value count as one.
				step = path.list[i]
				i--
			}
			if err := seekParent(step, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// seekParent lets a step hold its context value for the slot, if the slot's parent is that value. Otherwise the slot is one step
// nearer to its parent.
func seekParent(n *node, s *slot) error {
	switch n.kind {
	case kindName, kindWildcard:
		s.level--
		if s.level == 0 {
			d := n.add()
			if d.ancestor != nil {
				s.label = d.ancestor.label // Two operators % select the same parent.
			}
			d.ancestor, n.isTuple, n.isPlain = s, true, false
		}
	case kindParent:
		s.level++
	case kindBlock:
		if len(n.list) > 0 {
			n.isTuple = true
			return seekParent(n.list[len(n.list)-1], s)
		}
	case kindPath:
		n.isTuple = true
		for i := len(n.list) - 1; i >= 0; i-- {
			if err := seekParent(n.list[i], s); err != nil {
				return err
			}
			if s.level == 0 {
				break
			}
		}
	default:
		return errNoParent(n)
	}
	return nil
}
