// Package jsonata evaluates JSONata expressions as AWS Step Functions does.
//
// It implements JSONata 2.1 (docs.jsonata.org) and the functions that Step Functions adds: $partition, $range, $hash,
// $random with a seed, $uuid and $parse. Compile rejects these features by name: the parent operator %, the join operators @ and #,
// $eval, $formatInteger and $parseInteger. Regular expressions have Go's syntax.
package jsonata

import (
	"errors"
	"time"
)

// ErrUndefined is the error of Eval when the expression has no value.
var ErrUndefined = errors.New("jsonata: returned nothing (undefined)")

// ErrFunction is the error of Eval when the value of the expression is, or contains, a function.
var ErrFunction = errors.New("jsonata: returned a function")

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	root      *node
	builtins  map[string]*function // The built-in functions that the expression names.
	variables []string
}

// Compile parses an expression. The error is an *Error, or wraps one.
func Compile(text string) (*Expr, error) {
	p := parser{lexer: lexer{text: text}}
	p.advance(slashBeginsRegex)
	tree := p.expression(0)
	if p.err == nil && p.token.kind != tokenEnd {
		p.fail(syntaxError("S0201", p.token.pos, "Syntax error: "+quote(p.token.text)))
	}
	if p.err != nil {
		return nil, p.err
	}

	variables := collectVariables(tree, map[string]bool{})
	root, err := process(tree)
	if err != nil {
		return nil, err
	}

	x := &Expr{root: root, builtins: make(map[string]*function)}
	for name := range variables {
		fn, err := findBuiltin(name)
		switch {
		case err != nil:
			return nil, err
		case fn == nil:
			x.variables = append(x.variables, name)
		default:
			x.builtins[name] = fn
		}
	}

	return x, nil
}

// Variables returns the names, without $, of the variables and unknown functions in the expression, in no order.
func (x *Expr) Variables() []string { return x.variables }

// Eval evaluates the expression. values holds the values of its variables by name, without $. These values and the result are values
// of package jsontree. The error is ErrUndefined, ErrFunction or an *Error.
func (x *Expr) Eval(values map[string]any) (any, error) {
	e := &evaluation{now: time.Now(), builtins: x.builtins}
	// The expression sets its variables in the inner frame. So the caller's map does not change.
	result, err := e.eval(x.root, undefined{}, &frame{parent: &frame{variables: values}})
	if err != nil {
		return nil, err
	}
	if isUndefined(result) {
		return nil, ErrUndefined
	}

	exported, ok := toJSONValue(result)
	if !ok {
		return nil, ErrFunction
	}
	return exported, nil
}

// collectVariables adds the names of the variables in the tree to found and returns found.
func collectVariables(n *node, found map[string]bool) map[string]bool {
	if n == nil {
		return found
	}

	if n.kind == kindVariable && n.text != "" && n.text != "$" {
		found[n.text] = true
	}
	for _, part := range []*node{n.lhs, n.rhs, n.third} {
		collectVariables(part, found)
	}
	for _, part := range n.list {
		collectVariables(part, found)
	}
	for _, pair := range n.pairs {
		collectVariables(pair[0], found)
		collectVariables(pair[1], found)
	}
	for _, t := range n.terms {
		collectVariables(t.expr, found)
	}
	return found
}
