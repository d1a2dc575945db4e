package jsonata

import "strconv"

// A processor converts the parser's tree into a tree that can be evaluated: it collects the steps of each path and their predicates
// in one node, resolves built-in functions and the parents that % selects. It changes the parser's tree.
type processor struct {
	config Config
	binds  int // The number of assignments so far.
	slots  int // The number of operators % so far.
}

// processTree processes a whole expression.
func processTree(n *node, config Config) (*node, error) {
	p := processor{config: config}
	root, err := p.process(n)
	if err != nil {
		return nil, err
	}
	if root.kind == kindParent || root.seeking != nil {
		return nil, errNoParent(root)
	}
	root.walk(func(n *node) {
		if n.kind == kindName {
			n.isPlain = n.predicates == nil && n.stages == nil && n.group == nil && !n.isTuple && !n.keepArray
		}
		if n.kind == kindObject {
			n.findKeys()
		}
	})
	return root, nil
}

// findKeys stores the keys of an object constructor, if they are all different literals.
func (n *node) findKeys() {
	keys := make([]string, len(n.pairs))
	seen := make(map[string]bool, len(n.pairs))
	for i, pair := range n.pairs {
		key, ok := pair[0].value.(string)
		if !ok || pair[0].kind != kindValue || !pair[0].isPlain || seen[key] {
			return
		}
		keys[i], seen[key] = key, true
	}
	n.keys = keys
}

func errNoParent(n *node) error {
	return syntaxError("S0217", n.pos, "The object representing the 'parent' cannot be derived from this expression")
}

func (p *processor) process(n *node) (*node, error) {
	if n == nil {
		return nil, nil
	}

	switch n.kind {
	case kindName:
		step := *n
		step.keepArray = false
		return &node{kind: kindPath, pos: n.pos, list: []*node{&step}, keepSingleton: n.keepArray, keepArray: n.keepArray}, nil
	case kindBinary:
		return p.binary(n)
	case kindObject:
		if n.lhs != nil {
			return p.groupBy(n)
		}
	case kindSort:
		return p.sort(n)
	case kindNegate:
		if n.rhs.kind == kindValue {
			return p.negative(n)
		}
	case kindValue:
		n.isPlain = !n.keepArray
	case kindVariable:
		n.isPlain = !n.keepArray
		return n, p.resolve(n)
	case kindParent:
		const most = 1000
		if p.slots++; p.slots > most {
			return nil, syntaxError("S0500", n.pos, "The expression has too many operators %")
		}
		n.slot = &slot{label: "!" + strconv.Itoa(p.slots), level: 1}
	case kindBind:
		p.binds++
	case kindLambda:
		return p.lambda(n)
	}

	return p.operands(n)
}

// binary processes an operator with two operands.
func (p *processor) binary(n *node) (*node, error) {
	switch n.text {
	case ".":
		return p.dot(n)
	case "[":
		return p.predicate(n)
	case "@":
		return p.focus(n)
	case "#":
		return p.index(n)
	default:
		return p.operands(n)
	}
}

// negative processes the negation of a literal: a negative number becomes a literal.
func (p *processor) negative(n *node) (*node, error) {
	switch x := n.rhs.value.(type) {
	case int64:
		return &node{kind: kindValue, pos: n.pos, value: -x, isPlain: true}, nil
	case float64:
		return &node{kind: kindValue, pos: n.pos, value: -x, isPlain: true}, nil
	default:
		return p.operands(n)
	}
}

// resolve finds the built-in function that a variable may name.
func (p *processor) resolve(n *node) error {
	if n.text == "eval" && !p.config.Latest && n.kind == kindVariable {
		return syntaxError("S0500", n.pos, "The function $eval is not supported")
	}
	fn, err := findBuiltin(n.text)
	n.builtin = fn
	return err
}

// operands processes the operands of n in place, and returns n.
func (p *processor) operands(n *node) (*node, error) {
	if n.kind == kindEnd {
		return nil, syntaxError("S0207", n.pos, "Unexpected end of expression")
	}

	binds := p.binds
	for _, operand := range []**node{&n.lhs, &n.rhs, &n.third} {
		processed, err := p.process(*operand)
		if err != nil {
			return nil, err
		}
		*operand = processed
		isCallee := operand == &n.lhs && (n.kind == kindCall || n.kind == kindPartial)
		if n.kind != kindTransform && n.kind != kindApply && !isCallee { // As in the reference implementation.
			passOn(n, processed)
		}
	}
	if err := p.list(n, n.list); err != nil {
		return nil, err
	}
	if err := p.pairs(n, n.pairs); err != nil {
		return nil, err
	}

	return n, p.finish(n, binds)
}

// finish sets what follows from the processed operands of n. binds is the number of assignments before n.
func (p *processor) finish(n *node, binds int) error {
	switch n.kind {
	case kindBlock: // A path treats a block as an array constructor if a part of the block begins with one.
		n.hasBinds = p.binds > binds
		for _, part := range n.list {
			if part.noFlatten || part.kind == kindPath && part.list[0].noFlatten {
				n.noFlatten = true
			}
		}
	case kindCall, kindPartial:
		if n.lhs.kind == kindPath && n.lhs.list[0].kind == kindName { // The name of a function without its $?
			return p.resolve(n.lhs.list[0])
		}
	case kindApply:
		n.keepArray = n.keepArray || n.lhs.keepArray || n.rhs.keepArray
	}
	return nil
}

// lambda processes a function definition.
func (p *processor) lambda(n *node) (*node, error) {
	body, err := p.process(n.rhs)
	if err != nil {
		return nil, err
	}
	markTail(body)
	n.lhs, n.rhs = nil, body
	return n, nil
}

// markTail marks the calls in the last place of a function's body.
func markTail(n *node) {
	if n == nil || n.predicates != nil || n.group != nil {
		return
	}
	switch n.kind {
	case kindCall:
		n.isTail = true
	case kindCondition:
		markTail(n.rhs)
		markTail(n.third)
	case kindBlock:
		if len(n.list) > 0 {
			markTail(n.list[len(n.list)-1])
		}
	}
}

// list processes each node of a list, which belongs to the node owner, in place.
func (p *processor) list(owner *node, list []*node) error {
	for i, item := range list {
		processed, err := p.process(item)
		if err != nil {
			return err
		}
		list[i] = processed
		passOn(owner, processed)
	}
	return nil
}

// pairs processes each key and value in place.
func (p *processor) pairs(owner *node, pairs [][2]*node) error {
	for i := range pairs {
		if err := p.list(owner, pairs[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// dot processes a.b: it appends the steps of b to the path a.
func (p *processor) dot(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	path := left
	if left.kind != kindPath {
		path = &node{kind: kindPath, pos: n.pos, list: []*node{left}}
		if left.kind == kindParent {
			path.seeking = []*slot{left.slot}
		}
		left.isPlain = left.isPlain && left.predicates == nil && left.group == nil
	}

	right, err := p.process(n.rhs)
	if err != nil {
		return nil, err
	}

	added := len(path.list) // The position of the first step that is added.
	if right.kind == kindPath {
		path.list = append(path.list, right.list...)
		path.keepSingleton = path.keepSingleton || right.keepSingleton
		if right.group != nil { // The clause of a step in parentheses or of the last step.
			path.group = right.group
		}
	} else {
		if right.predicates != nil {
			right.stages, right.predicates = right.predicates, nil
		}
		path.list = append(path.list, right)
	}
	if n.keepArray {
		path.keepArray = true
	}

	if left != path {
		added = 0 // The caller that made the path left has finished its steps.
	}
	if err := finishPath(path, added); err != nil {
		return nil, err
	}
	return path, resolveParents(path)
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
			step.kind, step.text, step.isPlain = kindName, name, false
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

// lastStep returns the last step of a path, or n itself if it is no path.
func lastStep(n *node) *node {
	if n.kind == kindPath {
		return n.list[len(n.list)-1]
	}
	return n
}

// predicate processes a[b]: it adds the predicate b to a, or to the last step of a path a.
func (p *processor) predicate(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	step := lastStep(left)
	if left.group != nil || step.group != nil {
		return nil, syntaxError("S0209", n.pos, "A predicate cannot follow a grouping expression in a step")
	}

	filter, err := p.process(n.rhs)
	if err != nil {
		return nil, err
	}
	for _, s := range filter.seeking {
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
	if left.kind == kindPath {
		step.stages = append(step.stages, stage{expr: filter})
	} else {
		step.predicates = append(step.predicates, stage{expr: filter})
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
	if left.group != nil {
		return nil, syntaxError("S0210", n.pos, "Each step can only have one grouping expression")
	}

	left.group, left.isPlain = &node{kind: kindObject, pos: n.pos, pairs: n.pairs}, false
	left.keepArray = left.keepArray || n.keepArray
	return left, p.pairs(left.group, n.pairs)
}

// sort processes a^(…): it appends the order-by clause to the path a.
func (p *processor) sort(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	path := left
	if left.kind != kindPath {
		path = &node{kind: kindPath, pos: n.pos, list: []*node{left}}
	}

	step := &node{kind: kindSort, pos: n.pos}
	for _, t := range n.terms {
		expr, err := p.process(t.expr)
		if err != nil {
			return nil, err
		}
		passOn(step, expr)
		step.terms = append(step.terms, term{descending: t.descending, expr: expr})
	}

	path.list = append(path.list, step)
	path.keepArray = path.keepArray || n.keepArray
	return path, resolveParents(path)
}
