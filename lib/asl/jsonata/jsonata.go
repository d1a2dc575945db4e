// Package jsonata evaluates JSONata expressions as AWS Step Functions does.
//
// It covers the language of docs.jsonata.org up to version 2.1 but for the parent operator %, the join operators @ and #,
// $eval, $formatInteger and $parseInteger, which Compile refuses by name, and adds the functions of the service:
// $partition, $range, $hash, $random with a seed, $uuid and $parse. Regular expressions are those of Go.
package jsonata

import (
	"errors"
	"time"
)

// ErrUndefined is returned by Eval when an expression has no value.
var ErrUndefined = errors.New("jsonata: returned nothing (undefined)")

// ErrFunction is returned by Eval when the value of an expression is, or holds, a function.
var ErrFunction = errors.New("jsonata: returned a function")

// Expr is a compiled expression. Any number of goroutines may evaluate it at once.
type Expr struct {
	root     *node
	builtins map[string]*function
	names    []string
}

// Compile parses an expression. The error is an *Error, or wraps one.
func Compile(text string) (*Expr, error) {
	p := parser{lexer: lexer{text: text}}
	p.advance(true)
	tree := p.expression(0)

	if p.err == nil && p.token.kind != tokenEnd {
		p.fail(syntaxError("S0201", p.token.pos, "Syntax error: "+quote(p.token.text)))
	}

	if p.err != nil {
		return nil, p.err
	}

	root, err := process(tree)
	if err != nil {
		return nil, err
	}

	x := &Expr{root: root, builtins: make(map[string]*function)}
	table := definitions()
	for name := range variables(tree, map[string]bool{}) {
		d, ok := table[name]
		if !ok {
			x.names = append(x.names, name)
			continue
		}

		sig, err := parseSignature(d.signature)
		if err != nil {
			return nil, err
		}

		arity := len(sig.parameters)
		if name == "string" {
			arity = 1 // A higher-order function gives it no second argument.
		}

		x.builtins[name] = &function{name: name, sig: sig, arity: arity, call: d.call}
	}

	return x, nil
}

// Variables returns the names, without $, of the variables and unknown functions that the expression mentions, in no order.
func (x *Expr) Variables() []string { return x.names }

// Eval evaluates the expression with the given variables, whose values are those of package jsontree, as is the result.
// An error of the evaluation is an *Error.
func (x *Expr) Eval(values map[string]any) (any, error) {
	e := &evaluation{now: time.Now(), builtins: x.builtins}
	result, err := e.eval(x.root, undefined{}, &frame{parent: &frame{variables: values}})
	if err != nil {
		return nil, err
	}
	if isUndefined(result) {
		return nil, ErrUndefined
	}

	exported, ok := export(result)
	if !ok {
		return nil, ErrFunction
	}
	return exported, nil
}

// variables adds the names of the variables in the tree to found.
func variables(n *node, found map[string]bool) map[string]bool {
	if n == nil {
		return found
	}

	if n.kind == kindVariable && n.text != "" && n.text != "$" {
		found[n.text] = true
	}

	for _, part := range []*node{n.lhs, n.rhs, n.other} {
		variables(part, found)
	}

	for _, part := range n.list {
		variables(part, found)
	}

	for _, pair := range n.pairs {
		variables(pair[0], found)
		variables(pair[1], found)
	}

	for _, t := range n.terms {
		variables(t.expr, found)
	}
	return found
}
