package jsonata

import (
	"slices"
	"strconv"
)

// A processor converts the parser's tree into a tree that can be evaluated: it collects the steps of each path and their predicates
// in one node, resolves built-in functions and the parents that % selects. It changes the parser's tree.
type processor struct {
	allocator
	config Config
	binds  int // The number of assignments so far.
	slots  int // The number of operators % so far.
}

// processTree processes a whole expression. It takes new nodes from the allocator.
func processTree(n *node, a allocator, config Config) (*node, error) {
	p := processor{allocator: a, config: config}
	root, err := p.process(n)
	if err != nil {
		return nil, err
	}
	if root.kind == kindParent || root.get().seeking != nil {
		return nil, errNoParent(root)
	}
	return root, nil
}

// findKeys stores the keys of an object constructor, if they are all different literals.
func (n *node) findKeys() {
	for i := 0; i < len(n.list); i += 2 {
		if _, ok := n.list[i].value.(string); !ok || n.list[i].kind != kindValue || !n.list[i].isPlain {
			return
		}
	}

	names := make([]string, len(n.list)/2)
	for i := range names {
		names[i], _ = n.list[2*i].value.(string)
	}
	sorted := slices.Sorted(slices.Values(names))
	if len(slices.Compact(sorted)) == len(names) {
		n.add().names = names
	}
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
		path := p.newNode(n.pos).toPath(n)
		path.keepSingleton, path.keepArray = n.keepArray, n.keepArray
		n.keepArray, n.isPlain = false, true
		return path, nil
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
		n.add().slot = &slot{label: "!" + strconv.Itoa(p.slots), level: 1}
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
	n.builtin = builtins()[n.text]
	if n.text != "eval" {
		return nil
	}
	if !p.config.Latest && n.kind == kindVariable {
		return syntaxError("S0500", n.pos, "The function $eval is not supported")
	}
	n.builtin = &function{name: n.text, sig: mustSignature("<sx?:x>"), arity: 2, call: evaluateText}
	return nil
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
	case kindObject:
		n.findKeys()
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
	if n == nil || n.hasClauses() {
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

// toPath turns n into a path whose first step is step. n is an operator that has been processed.
func (n *node) toPath(step *node) *node {
	const room = 4 // Most paths have no more steps.
	*n = node{kind: kindPath, pos: n.pos, keepArray: n.keepArray, list: append(make([]*node, 0, room), step)}
	return n
}

// dot processes a.b: it appends the steps of b to the path a.
func (p *processor) dot(n *node) (*node, error) {
	left, err := p.process(n.lhs)
	if err != nil {
		return nil, err
	}

	path, right := left, n.rhs
	if left.kind != kindPath {
		path = n.toPath(left)
		if left.kind == kindParent {
			path.add().seeking = []*slot{left.details.slot}
		}
		left.isPlain = left.isPlain && !left.hasClauses()
	}

	added := len(path.list) // The position of the first step that is added.
	if err := p.addSteps(path, right); err != nil {
		return nil, err
	}
	path.keepArray = path.keepArray || n.keepArray

	if left != path {
		added = 0 // The caller that made the path left has finished its steps.
	}
	if err := finishPath(path, added); err != nil {
		return nil, err
	}
	return path, resolveParents(path)
}

// addSteps appends the steps of b to the path of a.b.
func (p *processor) addSteps(path, b *node) error {
	if b.kind == kindName { // What process does, without a path for the name.
		path.keepSingleton = path.keepSingleton || b.keepArray
		b.keepArray, b.isPlain = false, true
		path.list = append(path.list, b)
		return nil
	}

	right, err := p.process(b)
	if err != nil {
		return err
	}
	if right.kind == kindPath {
		path.list = append(path.list, right.list...)
		path.keepSingleton = path.keepSingleton || right.keepSingleton
		if group := right.get().group; group != nil { // The clause of a step in parentheses or of the last step.
			path.add().group = group
		}
		return nil
	}

	if predicates := right.get().predicates; predicates != nil {
		right.details.stages, right.details.predicates = predicates, nil
	}
	path.list = append(path.list, right)
	return nil
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
			step.isPlain = !step.keepArray && !step.hasClauses() && step.get().stages == nil && !step.isTuple
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
