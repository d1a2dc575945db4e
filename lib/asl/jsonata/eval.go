package jsonata

import (
	"math"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Each method below that evaluates a node takes the node n, the context value v, which is $ in the expression, and the frame f with
// the variables.

// eval evaluates n with its predicates and its group-by clause.
func (e *evaluation) eval(n *node, v any, f *frame) (any, error) {
	e.nodes++
	switch n.kind { // Shortcuts: these nodes evaluate no other nodes.
	case kindValue:
		if n.isPlain {
			return n.value, e.checkLeaf()
		}
	case kindVariable:
		if n.isPlain {
			return unwrapSequence(e.variable(n, v, f)), e.checkLeaf()
		}
	}

	e.depth++
	if e.depth > e.limits.Depth {
		return nil, evalError("U1001", "Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive.")
	}
	if e.nodes > e.limits.Steps {
		return nil, e.step(0)
	}

	result, err := e.evalKind(n, v, f)
	if err == nil && n.hasClauses() {
		result, err = e.applyClauses(n, result, f)
	}
	e.depth--
	if err != nil {
		return nil, err
	}

	if a, ok := result.(*array); ok {
		a.keepSingleton = a.keepSingleton || n.keepArray && a.sequence && !a.tuples
		return unwrapSequence(a), nil
	}
	return result, nil
}

// checkLeaf checks the limits for a node without operands.
func (e *evaluation) checkLeaf() error {
	if e.depth >= e.limits.Depth {
		return evalError("U1001", "Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive.")
	}
	if e.nodes > e.limits.Steps {
		return e.step(0)
	}
	return nil
}

// applyClauses applies the predicates and the group-by clause of n, which is no step of a path, to result.
func (e *evaluation) applyClauses(n *node, result any, f *frame) (any, error) {
	var err error
	for _, predicate := range n.details.predicates {
		if result, err = e.filter(predicate.expr, result, f); err != nil {
			return nil, err
		}
	}
	if group := n.details.group; group != nil && n.kind != kindPath { // A path applies its own group-by clause.
		return e.object(group, result, f)
	}
	return result, nil
}

// unwrapSequence converts the result of a node:
//
//	an empty sequence        undefined
//	a sequence of one item   the item; or the sequence, if its keepSingleton is set
//	any other value          the value unchanged
func unwrapSequence(v any) any {
	a, ok := v.(*array)
	switch {
	case !ok || !a.sequence || a.tuples:
		return v
	case len(a.items) == 0:
		return undefined{}
	case len(a.items) == 1 && !a.keepSingleton:
		return a.items[0]
	default:
		return a
	}
}

// evalKind evaluates n by its kind, without its predicates and its group-by clause.
func (e *evaluation) evalKind(n *node, v any, f *frame) (any, error) {
	switch n.kind {
	case kindValue, kindRegex:
		return n.value, nil
	case kindName:
		return e.lookupField(v, n.text)
	case kindVariable:
		return e.variable(n, v, f), nil
	case kindPath:
		return e.path(n, v, f)
	case kindBinary:
		return e.binary(n, v, f)
	case kindArray:
		return e.array(n, v, f)
	case kindObject:
		return e.object(n, v, f)
	case kindBlock:
		return e.block(n, v, f)
	case kindCondition:
		return e.condition(n, v, f)
	case kindWildcard:
		return e.wildcard(v)
	case kindDescendant:
		return e.descendant(v)
	case kindParent:
		value, _ := e.lookup(f, n.details.slot.label)
		return value, nil
	default:
		return e.evalFunction(n, v, f)
	}
}

// evalFunction evaluates a node that defines or calls a function, an assignment or a negation.
func (e *evaluation) evalFunction(n *node, v any, f *frame) (any, error) {
	switch n.kind {
	case kindNegate:
		return e.negate(n, v, f)
	case kindBind:
		value, err := e.eval(n.rhs, v, f)
		if err == nil {
			e.binds++
			e.nodes += len(f.names) // The frame is searched for the name.
			if err := e.reserve(pairBytes); err != nil {
				return nil, err
			}
			f.set(n.lhs.text, value)
		}
		return value, err
	case kindLambda:
		return e.lambda(n, v, f), nil
	case kindCall:
		if n.isTail {
			return &tailCall{node: n, context: v, frame: f}, nil
		}
		return e.call(n, v, f)
	case kindPartial:
		return e.partial(n, v, f)
	case kindTransform:
		return e.transform(n, f), nil
	case kindApply:
		return e.apply(n, v, f)
	default:
		return nil, evalError("D1001", "Unexpected symbol "+quote(n.text))
	}
}

// variable returns the value of a variable. $ is the context value. If no variable has the name, it may be that of a
// built-in function.
func (e *evaluation) variable(n *node, v any, f *frame) any {
	if n.text == "" {
		if a, ok := v.(*array); ok && a.outerWrapper {
			return a.items[0]
		}
		return v
	}
	if n.text == "$" {
		return e.input
	}
	if value, ok := e.lookup(f, n.text); ok {
		return value
	}
	if n.builtin != nil {
		return n.builtin
	}
	return undefined{}
}

func (e *evaluation) block(n *node, v any, f *frame) (any, error) {
	var (
		result any = undefined{}
		err    error
	)
	inner, m := f, e.mark()
	if n.hasBinds {
		inner = &frame{parent: f}
	}
	for _, part := range n.list {
		if result, err = e.eval(part, v, inner); err != nil {
			return nil, err
		}
	}
	if n.hasBinds { // The variables of the block are out of use.
		e.binds = m.binds
	}
	e.release(m, result)
	return result, nil
}

func (e *evaluation) condition(n *node, v any, f *frame) (any, error) {
	test, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	isTrue, err := e.toBoolean(test)
	switch {
	case err != nil:
		return nil, err
	case isTrue:
		return e.eval(n.rhs, v, f)
	case n.third == nil:
		return undefined{}, nil
	default:
		return e.eval(n.third, v, f)
	}
}

func (e *evaluation) negate(n *node, v any, f *frame) (any, error) {
	value, err := e.eval(n.rhs, v, f)
	if err != nil || isUndefined(value) {
		return value, err
	}

	x, ok := jsontree.Float(value)
	if !ok {
		return nil, evalError("D1002", "Cannot negate a non-numeric value: "+e.describe(value))
	}
	return numberValue(-x), nil
}

// array evaluates an array constructor. Arrays of other expressions are concatenated; an array constructor in it is one item.
func (e *evaluation) array(n *node, v any, f *frame) (any, error) {
	result := &array{noFlatten: n.noFlatten}
	for _, item := range n.list {
		value, err := e.eval(item, v, f)
		if err != nil {
			return nil, err
		}
		if isUndefined(value) {
			continue
		}

		items, ok := arrayItems(value)
		if !ok || item.kind == kindArray {
			if err := e.reserve(itemBytes); err != nil {
				return nil, err
			}
			result.items = append(result.items, value)
			continue
		}
		if own, ok := value.(*array); ok && result.items == nil && item.isRange {
			result.items = own.items // The range is new: nobody else has it.
			continue
		}
		if err := e.reserveItems(len(items)); err != nil {
			return nil, err
		}
		result.items = append(result.items, items...)
	}

	return result, nil
}

// integerRange evaluates the range operator: it returns the integers from a to b, or undefined if there are none.
func (e *evaluation) integerRange(a, b any) (any, error) {
	const maxItems = 10_000_000 // The error text names it as 1e7.
	from, to, err := rangeBounds(a, b)
	if err != nil {
		return nil, err
	}
	if isUndefined(a) || isUndefined(b) || from > to {
		return undefined{}, nil
	}
	if to-from >= maxItems {
		return nil, evalError("D2014", "The size of the sequence allocated by the range operator (..) must not exceed 1e7.  Attempted to allocate "+
			formatNumber(to-from+1, false)+".")
	}

	count := int(to-from) + 1
	if err := e.reserveItems(count); err != nil {
		return nil, err
	}
	items := make([]any, count)
	for i := range items {
		items[i] = numberValue(from + float64(i))
	}
	return &array{items: items, sequence: true}, nil
}

// rangeBounds returns the operands of the range operator as numbers. An undefined operand becomes 0.
func rangeBounds(a, b any) (from, to float64, err error) {
	from, okA := jsontree.Float(a)
	if !isUndefined(a) && (!okA || from != math.Trunc(from) || math.IsInf(from, 0)) {
		return 0, 0, evalError("T2003", "The left side of the range operator (..) must evaluate to an integer")
	}

	to, okB := jsontree.Float(b)
	if !isUndefined(b) && (!okB || to != math.Trunc(to) || math.IsInf(to, 0)) {
		return 0, 0, evalError("T2004", "The right side of the range operator (..) must evaluate to an integer")
	}
	return from, to, nil
}
