package jsonata

import (
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A function is a built-in function or a function that an expression defines.
type function struct {
	name  string
	sig   *signature // It is nil if the function accepts any arguments.
	arity int        // The number of parameters.
	call  func(e *evaluation, args []any) (any, error)
}

// invoke calls a function. v is the context value, which may replace a missing argument.
func (e *evaluation) invoke(fn *function, args []any, v any) (any, error) {
	e.depth++
	defer func() { e.depth-- }()
	if fn.sig != nil {
		bound, err := fn.sig.bindArgs(fn.name, args, v)
		if err != nil {
			return nil, err
		}
		args = bound
	}
	return fn.call(e, args)
}

// invokeCallback calls fn, the argument of a higher-order function, with the first of args: as many as fn has parameters, and at least
// one.
func (e *evaluation) invokeCallback(fn *function, args ...any) (any, error) {
	return e.invoke(fn, args[:max(1, min(fn.arity, len(args)))], undefined{})
}

// call evaluates a function call. firstArgs come before the call's own arguments.
func (e *evaluation) call(n *node, v any, f *frame, firstArgs []any) (any, error) {
	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}

	if isUndefined(callee) && n.lhs.kind == kindPath && len(n.lhs.list) == 1 { // The name of a function without its $?
		if _, ok := definitions()[n.lhs.list[0].text]; ok {
			return nil, evalError("T1005", "Attempted to invoke a non-function. Did you mean $"+n.lhs.list[0].text+"?")
		}
	}

	args := append([]any{}, firstArgs...)
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

// lambda returns the function of a function definition.
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

// partial evaluates a partial application, such as $f(?, 1): it returns a function whose parameters are the placeholders.
func (e *evaluation) partial(n *node, v any, f *frame) (any, error) {
	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}

	fn, ok := callee.(*function)
	if !ok {
		return nil, evalError("T1008", "Attempted to partially apply a non-function")
	}

	boundArgs := make([]any, len(n.list)) // With nil for each placeholder.
	unbound := 0                          // The number of placeholders.
	for i, argument := range n.list {
		if argument.kind == kindPlaceholder {
			unbound++
			continue
		}
		if boundArgs[i], err = e.eval(argument, v, f); err != nil {
			return nil, err
		}
	}

	return &function{
		name: fn.name, arity: unbound,
		call: func(e *evaluation, args []any) (any, error) {
			all := append([]any{}, boundArgs...)
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

// apply evaluates the operator ~>: it calls a function with the left value, or chains two functions.
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

	second, ok := asFunction(right)
	if !ok {
		return nil, evalError("T2006", "The right side of the function application operator ~> must be a function")
	}

	first, ok := asFunction(left)
	if !ok {
		return e.invoke(second, []any{left}, undefined{})
	}

	return &function{
		name: "chain", arity: 1,
		call: func(e *evaluation, args []any) (any, error) {
			result, err := e.invoke(first, args, undefined{})
			if err != nil {
				return nil, err
			}
			return e.invoke(second, []any{result}, undefined{})
		},
	}, nil
}

// transform returns the function of the operator |pattern|update,delete|. The function returns a changed deep copy of its argument. It
// changes only objects of that copy: the pattern may also select an object of a variable, which other expressions share.
func (e *evaluation) transform(n *node, f *frame) *function {
	return &function{
		name: "transform", arity: 1,
		call: func(e *evaluation, args []any) (any, error) {
			if len(args) == 0 || isUndefined(args[0]) {
				return undefined{}, nil
			}
			objects := map[*jsontree.Object]bool{} // The objects of the copy.
			copied := deepCopy(args[0], objects)
			matches, err := e.eval(n.lhs, copied, f)
			if err != nil || isUndefined(matches) {
				return copied, err
			}

			for _, match := range itemsOf(matches) {
				if o, ok := match.(*jsontree.Object); ok && objects[o] {
					if err := e.applyUpdate(n, o, f); err != nil {
						return nil, err
					}
				}
			}

			return copied, nil
		},
	}
}

// applyUpdate changes one object as the update and delete clauses of a transform say.
func (e *evaluation) applyUpdate(n *node, o *jsontree.Object, f *frame) error {
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

	if n.third == nil {
		return nil
	}

	deletions, err := e.eval(n.third, o, f)
	if err != nil || isUndefined(deletions) {
		return err
	}

	remaining := &jsontree.Object{}
	for _, key := range o.Keys() {
		if value, _ := o.Get(key); !isIn(key, deletions) {
			remaining.Set(key, value)
		}
	}

	for _, deletion := range itemsOf(deletions) {
		if _, ok := deletion.(string); !ok {
			return evalError("T2012", "The delete clause of the transform expression must evaluate to a string or array of strings: "+
				describe(deletions))
		}
	}

	*o = *remaining
	return nil
}

// deepCopy returns a copy of v without any part of v. It adds the objects in the copy to objects.
func deepCopy(v any, objects map[*jsontree.Object]bool) any {
	if items, ok := arrayItems(v); ok {
		copied := make([]any, len(items))
		for i, item := range items {
			copied[i] = deepCopy(item, objects)
		}
		return &array{items: copied}
	}

	o, ok := v.(*jsontree.Object)
	if !ok {
		return v
	}

	copied := &jsontree.Object{}
	objects[copied] = true
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		copied.Set(key, deepCopy(value, objects))
	}
	return copied
}
