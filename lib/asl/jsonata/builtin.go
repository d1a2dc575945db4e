package jsonata

import (
	"maps"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// A definition is a built-in function and its signature.
type definition struct {
	signature string
	call      func(e *evaluation, args []any) (any, error)
}

// unsupported names the functions of JSONata that Compile refuses.
var unsupported = map[string]bool{"eval": true, "formatInteger": true, "parseInteger": true}

// definitions returns every built-in function by name.
func definitions() map[string]definition {
	all := map[string]definition{}
	for _, group := range []map[string]definition{
		stringFunctions(), patternFunctions(), encodingFunctions(), numberFunctions(), dateFunctions(), arrayFunctions(),
		objectFunctions(), itemFunctions(), serviceFunctions(), generalFunctions(),
	} {
		maps.Copy(all, group)
	}
	return all
}

// onDefined makes a built-in function that gives undefined when its first argument is undefined.
func onDefined(call func(args []any) (any, error)) func(*evaluation, []any) (any, error) {
	return func(_ *evaluation, args []any) (any, error) {
		if len(args) > 0 && isUndefined(args[0]) {
			return undefined{}, nil
		}
		return call(args)
	}
}

// onString makes a built-in function of one string.
func onString(call func(s string) any) func(*evaluation, []any) (any, error) {
	return onDefined(func(args []any) (any, error) { return call(text(args, 0)), nil })
}

// text returns the argument at i if it is a string, else the empty string.
func text(args []any, i int) string {
	s, _ := argument(args, i).(string)
	return s
}

// float returns the argument at i as a number, or otherwise if it is none.
func float(args []any, i int, otherwise float64) float64 {
	if f, ok := jsontree.Float(argument(args, i)); ok {
		return f
	}
	return otherwise
}

// argument returns the argument at i, undefined if there are fewer.
func argument(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return undefined{}
}

func generalFunctions() map[string]definition {
	return map[string]definition{
		"boolean": {"<x-:b>", onDefined(func(args []any) (any, error) { return truth(args[0]), nil })},
		"not":     {"<x-:b>", func(_ *evaluation, args []any) (any, error) { return !truth(argument(args, 0)), nil }},
		"exists": {"<x:b>", func(_ *evaluation, args []any) (any, error) {
			return !isUndefined(argument(args, 0)), nil
		}},
		"type": {"<x:s>", onDefined(func(args []any) (any, error) { return typeName(args[0]), nil })},
		"error": {"<s?:x>", func(_ *evaluation, args []any) (any, error) {
			message, ok := argument(args, 0).(string)
			if !ok {
				message = "$error() function evaluated"
			}
			return nil, evalError("D3137", message)
		}},
		"assert": {"<bs?:x>", func(_ *evaluation, args []any) (any, error) {
			if truth(argument(args, 0)) {
				return undefined{}, nil
			}
			message, ok := argument(args, 1).(string)
			if !ok {
				message = "$assert() statement failed"
			}
			return nil, evalError("D3141", message)
		}},
	}
}

// typeName returns the name that the function $type gives v.
func typeName(v any) string {
	switch letterOf(v) {
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

// describe returns v as the text of an error message shows it.
func describe(v any) string {
	s, err := toString(v)
	if err != nil || letterOf(v) == 's' {
		return quote(s)
	}
	return s
}
