package asl

import (
	"errors"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// An expression is a JSONata expression in a definition.
type expression struct {
	text     string        // The expression without {% and %}.
	compiled *jsonata.Expr // It is nil after a syntax error, with which Parse rejects the definition.
}

// The marks around an expression.
const (
	expressionOpen  = "{%"
	expressionClose = "%}"
)

// statesFields are the fields of $states that exist only in some fields of a state.
type statesFields struct {
	result      bool
	errorOutput bool
}

// has reports whether $states has the named field.
func (s statesFields) has(name string) bool {
	switch name {
	case "input", "context":
		return true
	case "result":
		return s.result
	case "errorOutput":
		return s.errorOutput
	default:
		return false
	}
}

// decodeExpression compiles v if it is an expression of a JSONata state. For any other v it returns nil.
func (d *decoder) decodeExpression(s *state, v any, at string) *expression {
	text, ok := v.(string)
	if !ok || !s.jsonata {
		return nil
	}
	return d.compileExpression(text, at)
}

// compileExpression compiles text if it is an expression between {% and %}. For any other text it returns nil. If only one of the marks
// is there, or the expression has a syntax error, compileExpression adds a problem and returns the expression without its compiled form.
func (d *decoder) compileExpression(text, at string) *expression {
	inner, opens := strings.CutPrefix(text, expressionOpen)
	inner, closes := strings.CutSuffix(inner, expressionClose)
	if !opens && !closes {
		return nil
	}

	x := &expression{text: strings.TrimSpace(inner)}
	if !opens || !closes {
		d.addProblem(codeExpression, at, "A JSONata expression must begin with "+expressionOpen+" and end with "+expressionClose)
		return x
	}

	compiled, err := jsonata.Compile(x.text)
	if err != nil {
		message := err.Error()
		var syntax *jsonata.Error
		if errors.As(err, &syntax) {
			message = syntax.Message // As on AWS, without the code.
		}
		d.addProblem(codeExpression, at, message)
		return x
	}

	x.compiled = compiled
	d.checkReferences(compiled.References(), at)
	return x
}

// checkReferences adds a problem for each value that an expression reads although it does not exist.
func (d *decoder) checkReferences(r jsonata.References, at string) {
	for _, name := range r.Names {
		d.addProblem(codeReference, at, "Reference to '"+name+"' at the top level is not supported.")
	}
	if r.HasRoot {
		d.addProblem(codeReference, at, "Reference to '$$' is not supported.")
	}
	for _, field := range r.Fields {
		if field.Variable == statesVariable && !d.readable.has(field.Name) {
			d.addProblem(codeReference, at, "Field '$"+statesVariable+"."+field.Name+"' does not exist.")
		}
	}
}

func (x *expression) eval(s *stateRun, field string) (any, error) {
	values := map[string]any{}
	for _, name := range x.compiled.Variables() {
		if name == statesVariable {
			values[name] = s.statesObject()
		} else if v, ok := s.thread.variables.lookup(name); ok {
			values[name] = v
		}
	}

	v, err := x.compiled.Eval(values)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, jsonata.ErrUndefined):
		return nil, queryFailuref(field, "The JSONata expression '%s' specified for the field '%s' returned nothing (undefined).",
			x.text, field)
	case errors.Is(err, jsonata.ErrFunction):
		return nil, queryFailuref(field, "The JSONata expression '%s' specified for the field '%s' returned an unsupported result type.",
			x.text, field)
	default:
		return nil, queryFailuref(field, "The JSONata expression '%s' specified for the field '%s' threw an error during evaluation. %s",
			x.text, field, err.Error())
	}
}

// statesObject returns the variable $states.
func (s *stateRun) statesObject() *jsontree.Object {
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
	statesVariable = "states" // The name, without $, of the variable that Step Functions sets.
)

// typeOf returns the name of v's type in error texts.
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

// typeMismatch returns the failure of a template whose value v does not have the wanted type. field is the name of its field.
func typeMismatch(t template, field, wanted string, v any) error {
	if x, ok := t.(*expression); ok {
		return queryFailuref(field, "The JSONata expression '%s' specified for the field '%s' returned an unexpected result type. "+
			"Expected '%s', but was '%s' for value: %s", x.text, field, wanted, typeOf(v), jsontree.Marshal(v))
	}
	return queryFailuref(field, "The field '%s' has an unexpected type. Expected '%s', but was '%s' for value: %s",
		field, wanted, typeOf(v), jsontree.Marshal(v))
}
