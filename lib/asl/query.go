package asl

import (
	"errors"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// An expression is a JSONata expression in a definition.
type expression struct {
	text     string
	compiled *jsonata.Expr
}

const (
	queryOpen  = "{%"
	queryClose = "%}"
)

// expression compiles the expression in a text; nil if the text is none.
func (d *decoder) expression(text, at string) *expression {
	inner, ok := strings.CutPrefix(text, queryOpen)
	if !ok || !strings.HasSuffix(inner, queryClose) {
		return nil
	}

	inner = strings.TrimSpace(strings.TrimSuffix(inner, queryClose))
	x := &expression{text: inner}

	compiled, err := jsonata.Compile(inner)
	if err != nil {
		d.problem(at, "Invalid JSONata expression: "+err.Error())
		return x
	}

	x.compiled = compiled
	return x
}

func (x *expression) eval(s *scope, field string) (any, error) {
	values := map[string]any{}
	for _, name := range x.compiled.Variables() {
		if name == statesVariable {
			values[name] = s.states()
		} else if v, ok := s.thread.variables.lookup(name); ok {
			values[name] = v
		}
	}

	v, err := x.compiled.Eval(values)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, jsonata.ErrUndefined):
		return nil, queryf(field, "The JSONata expression '%s' specified for the field '%s' returned nothing (undefined).", x.text, field)
	case errors.Is(err, jsonata.ErrFunction):
		return nil, queryf(field, "The JSONata expression '%s' specified for the field '%s' returned an unsupported result type.", x.text, field)
	default:
		return nil, queryf(field, "The JSONata expression '%s' specified for the field '%s' threw an error during evaluation. %s",
			x.text, field, err.Error())
	}
}

// states returns the variable $states.
func (s *scope) states() *jsontree.Object {
	o := jsontree.NewObject("input", s.input)
	if s.result != nil {
		o.Set("result", *s.result)
	}
	if s.errorOutput != nil {
		o.Set("errorOutput", s.errorOutput)
	}

	o.Set("context", s.contextObject())
	return o
}

const (
	typeNumber     = "number"
	statesVariable = "states" // The name, without $, of the variable that the service sets.
)

// typeOf returns the name that the service gives a value's type.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case *jsontree.Object:
		return "object"
	default:
		return typeNumber
	}
}

// mismatch is the failure of a template whose value is of the wrong type.
func mismatch(t template, field, wanted string, v any) error {
	if x, ok := t.(*expression); ok {
		return queryf(field, "The JSONata expression '%s' specified for the field '%s' returned an unexpected result type. "+
			"Expected '%s', but was '%s' for value: %s", x.text, field, wanted, typeOf(v), jsontree.Marshal(v))
	}
	return queryf(field, "The field '%s' has an unexpected type. Expected '%s', but was '%s' for value: %s",
		field, wanted, typeOf(v), jsontree.Marshal(v))
}
