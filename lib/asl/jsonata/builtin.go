package jsonata

import (
	"sync"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A definition is a built-in function and its signature.
type definition struct {
	signature string // Such as <s-n?:s>: see the type signature.
	call      func(e *evaluation, args []any) (any, error)
}

// builtins returns every built-in function but $eval by name. The functions are made once, by the first expression.
var builtins = sync.OnceValue(func() map[string]*function {
	all := map[string]*function{}
	for _, group := range []map[string]definition{
		stringFunctions(), patternFunctions(), encodingFunctions(), numberFunctions(), dateFunctions(), arrayFunctions(),
		objectFunctions(), itemFunctions(), serviceFunctions(), integerFunctions(), generalFunctions(),
	} {
		for name, d := range group {
			all[name] = d.function(name)
		}
	}
	return all
})

// function returns the built-in function of a definition.
func (d definition) function(name string) *function {
	sig := mustSignature(d.signature)
	fn := &function{name: name, sig: sig, arity: len(sig.parameters)}
	if name == "string" {
		fn.arity = 1 // A higher-order function must not pass the index of an item as the second argument of $string, indentation.
	}
	fn.call = func(e *evaluation, args []any, _ any) (any, error) {
		for _, arg := range args {
			if s, ok := arg.(string); ok {
				e.nodes += len(s) >> bytesPerStep // The function searches or copies the text.
			}
		}
		if e.nodes > e.limits.Steps {
			return nil, e.step(0)
		}
		return d.call(e, args)
	}
	return fn
}

// ifDefined returns a built-in function that returns undefined if its first argument is undefined, and otherwise the result of
// call.
func ifDefined(call func(e *evaluation, args []any) (any, error)) func(*evaluation, []any) (any, error) {
	return func(e *evaluation, args []any) (any, error) {
		if isUndefined(argAt(args, 0)) {
			return undefined{}, nil
		}
		return call(e, args)
	}
}

// forString returns a built-in function with one parameter, a string. It returns undefined if the argument is undefined.
func forString(call func(s string) any) func(*evaluation, []any) (any, error) {
	return ifDefined(func(e *evaluation, args []any) (any, error) {
		result := call(stringArg(args, 0))
		if s, ok := result.(string); ok {
			return result, e.reserve(len(s))
		}
		return result, nil
	})
}

// stringArg returns argument i, from 0, or the empty string if it is not a string.
func stringArg(args []any, i int) string {
	s, _ := argAt(args, i).(string)
	return s
}

// numberArg returns argument i, from 0, as a float64, or fallback if it is not a number.
func numberArg(args []any, i int, fallback float64) float64 {
	if f, ok := jsontree.Float(argAt(args, i)); ok {
		return f
	}
	return fallback
}

// argAt returns argument i, from 0, or undefined if there are fewer arguments.
func argAt(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return undefined{}
}

// generalFunctions returns the functions for values of any type.
func generalFunctions() map[string]definition {
	return map[string]definition{
		"boolean": {"<x-:b>", ifDefined(func(e *evaluation, args []any) (any, error) { return e.toBooleanValue(args[0]) })},
		"not": {"<x-:b>", ifDefined(func(e *evaluation, args []any) (any, error) {
			isTrue, err := e.toBoolean(args[0])
			return !isTrue, err
		})},
		"clone": {"<(oa)-:o>", ifDefined(func(e *evaluation, args []any) (any, error) { return e.deepCopy(args[0], map[*jsontree.Object]bool{}) })},
		"exists": {"<x:b>", func(_ *evaluation, args []any) (any, error) {
			return !isUndefined(argAt(args, 0)), nil
		}},
		"type": {"<x:s>", ifDefined(func(_ *evaluation, args []any) (any, error) { return typeName(args[0]), nil })},
		"error": {"<s?:x>", func(_ *evaluation, args []any) (any, error) {
			message, ok := argAt(args, 0).(string)
			if !ok {
				message = "$error() function evaluated"
			}
			return nil, evalError("D3137", message)
		}},
		"assert": {"<bs?:x>", func(_ *evaluation, args []any) (any, error) {
			if isTrue, _ := argAt(args, 0).(bool); isTrue {
				return undefined{}, nil
			}
			message, ok := argAt(args, 1).(string)
			if !ok {
				message = "$assert() statement failed"
			}
			return nil, evalError("D3141", message)
		}},
	}
}

// typeName returns the name of v's type as $type does.
func typeName(v any) string {
	switch typeLetter(v) {
	case 's':
		return "string"
	case 'b':
		return "boolean"
	case 'l':
		return "null"
	case 'o':
		return "object"
	case 'f':
		return "function"
	case 'a':
		return "array"
	default:
		return "number"
	}
}

// describe returns the text of v for an error message.
func (e *evaluation) describe(v any) string {
	s, err := e.toString(v)
	if err != nil || typeLetter(v) == 's' {
		return quote(s)
	}
	return s
}
