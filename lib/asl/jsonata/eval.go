package jsonata

import (
	"math"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A frame holds the variables of a block or a function call. lookup continues in the parent frame.
type frame struct {
	parent    *frame
	variables map[string]any
}

func (f *frame) lookup(name string) (any, bool) {
	for ; f != nil; f = f.parent {
		if v, ok := f.variables[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (f *frame) set(name string, v any) {
	if f.variables == nil {
		f.variables = make(map[string]any)
	}
	f.variables[name] = v
}

// The limits of an evaluation.
const (
	maxDepth = 20_000     // The number of nested expressions and function calls.
	maxSteps = 20_000_000 // The number of evaluated nodes.
)

// An evaluation is one evaluation of an expression.
type evaluation struct {
	now      time.Time            // The time of $now and $millis.
	builtins map[string]*function // By name, without $.
	depth    int                  // See maxDepth.
	steps    int                  // See maxSteps.
}

// Each method below that evaluates a node takes the node n, the context value v, which is $ in the expression, and the frame f with
// the variables.

// eval evaluates n with its filters and its group-by clause.
func (e *evaluation) eval(n *node, v any, f *frame) (any, error) {
	e.depth++
	e.steps++
	defer func() { e.depth-- }()

	if e.depth > maxDepth || e.steps > maxSteps {
		return nil, evalError("U1001", "Stack overflow error: Check for non-terminating recursive function.")
	}

	result, err := e.evalKind(n, v, f)
	if err != nil {
		return nil, err
	}
	if result, err = e.applyFilters(n.filters, result, f); err != nil {
		return nil, err
	}
	if n.group != nil && n.kind != kindPath { // A path applies its own group-by clause.
		if result, err = e.object(n.group, result, f); err != nil {
			return nil, err
		}
	}
	if n.keepArray {
		return keepSequence(result), nil
	}
	return unwrapSequence(result), nil
}

// unwrapSequence converts the result of a node:
//
//	an empty sequence        undefined
//	a sequence of one item   the item; or the sequence, if its keepSingleton is set
//	any other value          the value unchanged
func unwrapSequence(v any) any {
	a, ok := v.(*array)
	switch {
	case !ok || !a.sequence:
		return v
	case len(a.items) == 0:
		return undefined{}
	case len(a.items) == 1 && !a.keepSingleton:
		return a.items[0]
	default:
		return a
	}
}

// keepSequence converts the result of a node with keepArray: an empty sequence becomes undefined. Any other sequence stays an array.
func keepSequence(v any) any {
	if a, ok := v.(*array); ok && a.sequence {
		a.keepSingleton = true
	}
	return unwrapSequence(v)
}

// evalKind evaluates n by its kind, without its filters and its group-by clause.
func (e *evaluation) evalKind(n *node, v any, f *frame) (any, error) {
	switch n.kind {
	case kindValue, kindRegex:
		return n.value, nil
	case kindName:
		return lookupField(v, n.text), nil
	case kindVariable:
		return e.variable(n, v, f), nil
	case kindWildcard:
		return wildcard(v), nil
	case kindDescendant:
		return unwrapSequence(descendants(v, newSequence())), nil
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
	case kindSort:
		return e.sort(n, v, f)
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
			f.set(n.lhs.text, value)
		}
		return value, err
	case kindLambda:
		return e.lambda(n, v, f), nil
	case kindCall:
		return e.call(n, v, f, nil) // No arguments come before those of the call.
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
		return v
	}
	if value, ok := f.lookup(n.text); ok {
		return value
	}
	if b, ok := e.builtins[n.text]; ok {
		return b
	}
	return undefined{}
}

func (e *evaluation) block(n *node, v any, f *frame) (any, error) {
	var (
		result any = undefined{}
		err    error
	)
	inner := &frame{parent: f}
	for _, part := range n.list {
		if result, err = e.eval(part, v, inner); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func (e *evaluation) condition(n *node, v any, f *frame) (any, error) {
	test, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if toBoolean(test) {
		return e.eval(n.rhs, v, f)
	}
	if n.third == nil {
		return undefined{}, nil
	}
	return e.eval(n.third, v, f)
}

func (e *evaluation) negate(n *node, v any, f *frame) (any, error) {
	value, err := e.eval(n.rhs, v, f)
	if err != nil || isUndefined(value) {
		return value, err
	}

	x, ok := jsontree.Float(value)
	if !ok {
		return nil, evalError("D1002", "Cannot negate a non-numeric value: "+describe(value))
	}
	return numberValue(-x), nil
}

// array evaluates an array constructor. The items of an inner array become items of the result, unless the inner array is itself an
// array constructor.
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

		if items, ok := arrayItems(value); ok && item.kind != kindArray {
			result.items = append(result.items, items...)
		} else {
			result.items = append(result.items, value)
		}
	}

	return result, nil
}

// object evaluates an object constructor or a group-by clause over the items of v. Items that give the same key form a group:
// the value of that key is evaluated once, with the items of the group as its context.
func (e *evaluation) object(n *node, v any, f *frame) (any, error) {
	type group struct {
		pair int // The index in n.pairs of the pair that gave the key.
		data any // The items of the group.
	}

	items := itemsOf(v)
	if len(items) == 0 { // Without items, the keys and values are still evaluated once.
		items = []any{undefined{}}
	}

	groups, keys := map[string]*group{}, []string{}
	for _, item := range items {
		for i, pair := range n.pairs {
			key, err := e.eval(pair[0], item, f)
			if err != nil {
				return nil, err
			}
			if isUndefined(key) {
				continue
			}

			name, ok := key.(string)
			if !ok {
				return nil, evalError("T1003", "Key in object structure must evaluate to a string; got: "+describe(key))
			}

			g, exists := groups[name]
			switch {
			case !exists:
				groups[name] = &group{pair: i, data: item}
				keys = append(keys, name)
			case g.pair != i:
				return nil, evalError("D1009", "Multiple key definitions evaluate to same key: "+quote(name))
			default:
				g.data = appendValues(g.data, item)
			}
		}
	}

	result := &jsontree.Object{}
	for _, key := range keys {
		value, err := e.eval(n.pairs[groups[key].pair][1], groups[key].data, f)
		if err != nil {
			return nil, err
		}
		if !isUndefined(value) {
			result.Set(key, value)
		}
	}

	return result, nil
}

// integerRange evaluates the range operator: it returns the integers from a to b, or undefined if there are none.
func integerRange(a, b any) (any, error) {
	const maxItems = 10_000_000 // The error text names it as 1e7.
	from, to, err := rangeBounds(a, b)
	if err != nil {
		return nil, err
	}
	if isUndefined(a) || isUndefined(b) || from > to {
		return undefined{}, nil
	}
	if to-from >= maxItems {
		return nil, evalError("D2014", "The size of the sequence allocated by the range operator (..) must not exceed 1e7")
	}

	items := make([]any, 0, int(to-from)+1)
	for x := from; x <= to; x++ {
		items = append(items, numberValue(x))
	}
	return &array{items: items, sequence: true}, nil
}

// rangeBounds returns the operands of the range operator as numbers. An undefined operand becomes 0.
func rangeBounds(a, b any) (from, to float64, err error) {
	from, okA := jsontree.Float(a)
	if !isUndefined(a) && (!okA || from != math.Trunc(from)) {
		return 0, 0, evalError("T2003", "The left side of the range operator (..) must evaluate to an integer")
	}

	to, okB := jsontree.Float(b)
	if !isUndefined(b) && (!okB || to != math.Trunc(to)) {
		return 0, 0, evalError("T2004", "The right side of the range operator (..) must evaluate to an integer")
	}
	return from, to, nil
}
