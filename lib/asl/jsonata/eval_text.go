package jsonata

import "errors"

// evaluateText evaluates $eval, which only Config.Latest has: the first argument is an expression, the second one its context.
func evaluateText(e *evaluation, args []any, v any) (any, error) {
	text, ok := argAt(args, 0).(string)
	if !ok {
		return undefined{}, nil
	}
	if context := argAt(args, 1); !isUndefined(context) {
		v = context
		if items, ok := arrayItems(context); ok && !isSequence(context) {
			v = &array{items: []any{&array{items: items}}, sequence: true, outerWrapper: true}
		}
	}
	if err := e.step(len(text)); err != nil {
		return nil, err
	}

	x, err := e.config.Compile(text)
	if err != nil {
		return nil, evalError("D3120", "Syntax error in expression passed to function eval: "+quote(err.Error()))
	}
	result, err := e.eval(x.root, v, &frame{parent: &e.root})
	var failure *Error
	if errors.As(err, &failure) && failure.Code != "U1001" {
		return nil, evalError("D3121", "Dynamic error evaluating the expression passed to function eval: "+quote(err.Error()))
	}
	return result, err
}
