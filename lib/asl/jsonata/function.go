package jsonata

// A function is a built-in function or a function that an expression defines.
type function struct {
	name  string
	sig   *signature                                          // It is nil if the function accepts any arguments.
	arity int                                                 // The number of parameters.
	call  func(e *evaluation, args []any, v any) (any, error) // v is the context value.
}

// A tailCall is the result of a function's body that ends in a call. The caller of the function evaluates it, so that it does not
// nest; and the call's result is not unwrapped: see unwrapSequence.
type tailCall struct {
	node    *node
	context any
	frame   *frame
}

// invoke calls a function. v is the context value, which may replace a missing argument.
func (e *evaluation) invoke(fn *function, args []any, v any) (any, error) {
	result, err := e.invokeOnce(fn, args, v)
	for err == nil {
		tail, ok := result.(*tailCall)
		if !ok {
			break
		}
		if err = e.step(1); err != nil {
			break
		}
		var (
			next     *function
			nextArgs []any
		)
		if next, nextArgs, err = e.callee(tail.node, tail.context, tail.frame); err != nil {
			break
		}
		result, err = e.invokeOnce(next, nextArgs, tail.context)
	}
	return result, err
}

// invokeOnce does what invoke does, but may return a *tailCall.
func (e *evaluation) invokeOnce(fn *function, args []any, v any) (any, error) {
	if fn.sig != nil {
		bound, err := fn.sig.bindArgs(e, fn.name, args, v)
		if err != nil {
			return nil, err
		}
		args = bound
	}
	return fn.call(e, args, v)
}

// invokeCallback calls fn, the argument of a higher-order function, with the first of args: as many as fn has parameters, and at least
// one.
func (e *evaluation) invokeCallback(fn *function, args ...any) (any, error) {
	m := e.mark()
	result, err := e.invoke(fn, args[:max(1, min(fn.arity, len(args)))], undefined{})
	if err != nil {
		return nil, err
	}
	e.release(m, result)
	return result, e.step(1)
}

// call evaluates a function call.
func (e *evaluation) call(n *node, v any, f *frame) (any, error) {
	return e.callSince(e.mark(), n, v, f)
}

// callSince evaluates a function call, with first before the call's own arguments, and releases what was counted since the mark.
func (e *evaluation) callSince(m mark, n *node, v any, f *frame, first ...any) (any, error) {
	fn, args, err := e.callee(n, v, f, first...)
	if err != nil {
		return nil, err
	}
	result, err := e.invoke(fn, args, v)
	if err == nil {
		e.release(m, result)
	}
	return result, err
}

// callee evaluates the function and the arguments of a call. first comes before the call's own arguments.
func (e *evaluation) callee(n *node, v any, f *frame, first ...any) (*function, []any, error) {
	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, nil, err
	}
	if isUndefined(callee) && n.lhs.kind == kindPath {
		if err := e.missingDollar(n.lhs, f, "T1005", "invoke"); err != nil {
			return nil, nil, err
		}
	}

	args := append(make([]any, 0, len(n.list)+len(first)), first...)
	for _, argument := range n.list {
		value, err := e.eval(argument, v, f)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, value)
	}

	fn, ok := asFunction(callee)
	if !ok {
		return nil, nil, evalError("T1006", "Attempted to invoke a non-function")
	}
	return fn, args, nil
}

// missingDollar returns an error if the path is the name of a function or variable without its $.
func (e *evaluation) missingDollar(path *node, f *frame, code, verb string) error {
	if path.list[0].kind != kindName {
		return nil
	}
	name := path.list[0].text
	if _, isVariable := e.lookup(f, name); isVariable || path.list[0].builtin != nil {
		return evalError(code, "Attempted to "+verb+" a non-function. Did you mean $"+name+"?")
	}
	return nil
}

// asFunction returns v if it is a function, or a function that returns the first match if v is a regular expression. Otherwise ok is
// false.
func asFunction(v any) (fn *function, ok bool) {
	switch v := v.(type) {
	case *function:
		return v, true
	case *regex:
		return &function{name: "regex", arity: 1, call: func(e *evaluation, args []any, _ any) (any, error) {
			if s, ok := argAt(args, 0).(string); ok {
				return e.regexResult(v, s)
			}
			return undefined{}, nil
		}}, true
	default:
		return nil, false
	}
}

// lambda returns the function of a function definition.
func (e *evaluation) lambda(n *node, v any, f *frame) *function {
	return &function{
		name: "lambda", sig: n.details.sig, arity: len(n.list),
		call: func(e *evaluation, args []any, _ any) (any, error) {
			names := n.details.names
			count := len(names)
			for len(args) < count {
				args = append(args, undefined{})
			}
			return e.eval(n.rhs, v, &frame{parent: f, names: names, values: args[:count:count]})
		},
	}
}

// partial evaluates a partial application, such as $f(?, 1): it returns a function whose parameters are the placeholders.
func (e *evaluation) partial(n *node, v any, f *frame) (any, error) {
	boundArgs := make([]any, len(n.list)) // With nil for each placeholder.
	unbound := 0                          // The number of placeholders.
	var err error
	for i, argument := range n.list {
		if argument.kind == kindPlaceholder {
			unbound++
			continue
		}
		if boundArgs[i], err = e.eval(argument, v, f); err != nil {
			return nil, err
		}
	}

	callee, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if isUndefined(callee) && n.lhs.kind == kindPath {
		if err := e.missingDollar(n.lhs, f, "T1007", "partially apply"); err != nil {
			return nil, err
		}
	}
	fn, ok := asFunction(callee)
	if !ok {
		return nil, evalError("T1008", "Attempted to partially apply a non-function")
	}

	return &function{
		name: fn.name, arity: unbound,
		call: func(e *evaluation, args []any, _ any) (any, error) {
			all := append([]any{}, boundArgs...)
			for i, next := 0, 0; i < len(all); i++ {
				if n.list[i].kind == kindPlaceholder {
					all[i] = argAt(args, next)
					next++
				}
			}
			return e.invoke(fn, all, v)
		},
	}, nil
}

// apply evaluates the operator ~>: it calls a function with the left value, or chains two functions.
func (e *evaluation) apply(n *node, v any, f *frame) (any, error) {
	m := e.mark()
	left, err := e.eval(n.lhs, v, f)
	if err != nil {
		return nil, err
	}
	if n.rhs.kind == kindCall && !n.rhs.hasClauses() {
		return e.callSince(m, n.rhs, v, f, left)
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
		return e.invoke(second, []any{left}, v)
	}

	return &function{
		name: "chain", arity: 1,
		call: func(e *evaluation, args []any, _ any) (any, error) {
			e.depth++ // Functions chained in a loop nest.
			if err := e.checkLeaf(); err != nil {
				return nil, err
			}
			defer func() { e.depth-- }()
			result, err := e.invoke(first, []any{argAt(args, 0)}, undefined{})
			if err != nil {
				return nil, err
			}
			return e.invoke(second, []any{unwrapSequence(result)}, undefined{})
		},
	}, nil
}
