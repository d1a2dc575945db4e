package jsonata

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A function is a built-in function, or one that an expression defines.
type function struct {
	name  string
	sig   *signature
	arity int
	call  func(e *evaluation, args []any) (any, error)
}

// invoke calls a function. v is the context value.
func (e *evaluation) invoke(fn *function, args []any, v any) (any, error) {
	e.depth++
	defer func() { e.depth-- }()
	if fn.sig != nil {
		checked, err := fn.sig.check(fn.name, args, v)
		if err != nil {
			return nil, err
		}
		args = checked
	}
	return fn.call(e, args)
}

// invokeItem calls the function given to a higher-order function, with as many of the arguments as it takes.
func (e *evaluation) invokeItem(fn *function, args ...any) (any, error) {
	return e.invoke(fn, args[:max(1, min(fn.arity, len(args)))], undefined{})
}

// call evaluates a function call. first, if not nil, goes before the call's own arguments.
func (e *evaluation) call(n *node, v any, f *frame, first []any) (any, error) {
	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}

	if isUndefined(callee) && n.lhs.kind == kindPath && len(n.lhs.list) == 1 {
		if _, known := definitions()[n.lhs.list[0].text]; known {
			return nil, evalError("T1005", "Attempted to invoke a non-function. Did you mean $"+n.lhs.list[0].text+"?")
		}
	}

	args := append([]any{}, first...)
	for _, argument := range n.list {
		value, err := e.eval(argument, v, f)
		if err != nil {
			return nil, err
		}
		args = append(args, value)
	}

	switch callee := callee.(type) {
	case *function:
		return e.invoke(callee, args, v)
	case *regex:
		if len(args) > 0 {
			if s, ok := args[0].(string); ok {
				return firstMatch(callee, s), nil
			}
		}
		return undefined{}, nil
	default:
		return nil, evalError("T1006", "Attempted to invoke a non-function")
	}
}

// lambda makes a function of its definition.
func (e *evaluation) lambda(n *node, v any, f *frame) *function {
	return &function{
		name: "lambda", sig: n.sig, arity: len(n.list),
		call: func(e *evaluation, args []any) (any, error) {
			inner := &frame{parent: f}
			for i, parameter := range n.list {
				if i < len(args) {
					inner.set(parameter.text, args[i])
				} else {
					inner.set(parameter.text, undefined{})
				}
			}
			return e.eval(n.rhs, v, inner)
		},
	}
}

// partial makes a function of a call in which some arguments are left open.
func (e *evaluation) partial(n *node, v any, f *frame) (any, error) {
	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}

	fn, ok := callee.(*function)
	if !ok {
		return nil, evalError("T1008", "Attempted to partially apply a non-function")
	}

	given := make([]any, len(n.list))
	open := 0
	for i, argument := range n.list {
		if argument.kind == kindPlaceholder {
			open++
			continue
		}
		if given[i], err = e.eval(argument, v, f); err != nil {
			return nil, err
		}
	}

	return &function{
		name: fn.name, arity: open,
		call: func(e *evaluation, args []any) (any, error) {
			all := append([]any{}, given...)
			for i, next := 0, 0; i < len(all); i++ {
				if n.list[i].kind != kindPlaceholder {
					continue
				}
				all[i] = undefined{}
				if next < len(args) {
					all[i] = args[next]
				}
				next++
			}

			return e.invoke(fn, all, v)
		},
	}, nil
}

// apply evaluates the ~> operator.
func (e *evaluation) apply(n *node, v any, f *frame) (any, error) {
	left, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if n.rhs.kind == kindCall {
		return e.call(n.rhs, v, f, []any{left})
	}

	right, err := e.eval(n.rhs, v, f)
	if err != nil {
		return nil, err
	}

	second, ok := callable(right)
	if !ok {
		return nil, evalError("T2006", "The right side of the function application operator ~> must be a function")
	}

	first, ok := callable(left)
	if !ok {
		return e.invoke(second, []any{left}, undefined{})
	}

	return &function{
		name: "chain", arity: 1,
		call: func(e *evaluation, args []any) (any, error) {
			between, err := e.invoke(first, args, undefined{})
			if err != nil {
				return nil, err
			}
			return e.invoke(second, []any{between}, undefined{})
		},
	}, nil
}

// transform makes a function of the |pattern|update,delete| operator. It changes a copy of its argument.
func (e *evaluation) transform(n *node, f *frame) *function {
	return &function{
		name: "transform", arity: 1,
		call: func(e *evaluation, args []any) (any, error) {
			if len(args) == 0 || isUndefined(args[0]) {
				return undefined{}, nil
			}
			copied := deepCopy(args[0])
			matches, err := e.eval(n.lhs, copied, f)
			if err != nil || isUndefined(matches) {
				return copied, err
			}

			for _, match := range listOf(matches) {
				if o, ok := match.(*jsontree.Object); ok {
					if err := e.update(n, o, f); err != nil {
						return nil, err
					}
				}
			}

			return copied, nil
		},
	}
}

func (e *evaluation) update(n *node, o *jsontree.Object, f *frame) error {
	updates, err := e.eval(n.rhs, o, f)
	if err != nil {
		return err
	}

	if !isUndefined(updates) {
		changes, ok := updates.(*jsontree.Object)
		if !ok {
			return evalError("T2011", "The insert/update clause of the transform expression must evaluate to an object: "+describe(updates))
		}
		for _, key := range changes.Keys() {
			value, _ := changes.Get(key)
			o.Set(key, value)
		}
	}

	if n.other == nil {
		return nil
	}

	deletions, err := e.eval(n.other, o, f)
	if err != nil || isUndefined(deletions) {
		return err
	}

	kept := &jsontree.Object{}
	for _, key := range o.Keys() {
		if value, _ := o.Get(key); !contained(key, deletions) {
			kept.Set(key, value)
		}
	}

	for _, deletion := range listOf(deletions) {
		if _, ok := deletion.(string); !ok {
			return evalError("T2012", "The delete clause of the transform expression must evaluate to a string or array of strings: "+
				describe(deletions))
		}
	}

	*o = *kept
	return nil
}

func deepCopy(v any) any {
	if items, ok := asArray(v); ok {
		copied := make([]any, len(items))
		for i, item := range items {
			copied[i] = deepCopy(item)
		}
		return &array{items: copied}
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		return v
	}

	copied := &jsontree.Object{}
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		copied.Set(key, deepCopy(value))
	}
	return copied
}
