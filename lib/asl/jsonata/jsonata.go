// Package jsonata evaluates JSONata expressions. JSONata is a language that queries and transforms JSON values (docs.jsonata.org):
//
//	$sum(order.lines[price > 10].(price * quantity))
//
// Compile an expression once, and evaluate it any number of times, also from several goroutines at once. EvalJSON takes and returns JSON
// texts. Eval and EvalInput take and return values of package jsontree, which keeps the order of keys and the digits of integers.
//
// The package implements version 2.0.6 of the language, and the functions that AWS Step Functions adds: $partition, $range, $hash, $random
// with a seed, $uuid and $parse. Compile refuses what Step Functions refuses: $eval, and the operators ?? and ?:, which came later. A
// Config with Latest accepts these, too.
//
// An evaluation has limits, so that no expression hangs or uses up the memory: see Limits. An error is an *Error with the code of the
// reference implementation, ErrUndefined or ErrFunction. Expressions cannot call functions of Go.
package jsonata

import (
	"errors"
	"slices"
	"strings"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// ErrUndefined is the error of Eval when the expression has no value.
var ErrUndefined = errors.New("jsonata: returned nothing (undefined)")

// ErrFunction is the error of Eval when the value of the expression is, or contains, a function.
var ErrFunction = errors.New("jsonata: returned a function")

// Config says how expressions are compiled and evaluated. The zero value does it as Step Functions does.
type Config struct {
	// Latest accepts the operators ?? and ?: of JSONata 2.1, and $eval.
	Latest bool
	// Limits bounds each evaluation.
	Limits Limits
}

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	root      *node
	config    Config
	variables []string
}

// Compile parses an expression with the zero Config. The error is an *Error, or wraps one.
func Compile(text string) (*Expr, error) { return Config{}.Compile(text) }

// Compile parses an expression. The error is an *Error, or wraps one.
func (c Config) Compile(text string) (*Expr, error) {
	p := parser{lexer: lexer{text: strings.ToValidUTF8(text, "\uFFFD")}, latest: c.Latest}
	p.advance(slashBeginsRegex)
	tree := p.expression(0)
	if p.err == nil && p.token.kind != tokenEnd {
		p.fail(syntaxError("S0201", p.token.pos, "Syntax error: "+quote(p.token.text)))
	}
	if p.err != nil {
		return nil, p.err
	}

	root, err := processTree(tree, p.allocator, c)
	if err != nil {
		return nil, err
	}

	slices.Sort(p.variables)
	return &Expr{root: root, config: c, variables: slices.Compact(p.variables)}, nil
}

// Variables returns the names, without $, of the variables and functions in the expression, in order. A value that is given to Eval
// for such a name comes before a built-in function of that name.
func (x *Expr) Variables() []string { return x.variables }

// Eval evaluates the expression without an input. values holds the values of its variables by name, without $. These values and the
// result are values of package jsontree. The error is ErrUndefined, ErrFunction or an *Error.
func (x *Expr) Eval(values map[string]any) (any, error) { return x.eval(undefined{}, values) }

// EvalInput does what Eval does, with an input: the value of $$, and the context of the expression's names.
func (x *Expr) EvalInput(input any, values map[string]any) (any, error) { return x.eval(input, values) }

// EvalJSON does what EvalInput does, with JSON texts: input is the input, and the result is that of the expression. The error is also that
// of an input which is not valid JSON.
func (x *Expr) EvalJSON(input []byte) ([]byte, error) {
	v, err := jsontree.Parse(input)
	if err != nil {
		return nil, err
	}
	result, err := x.eval(v, nil)
	if err != nil {
		return nil, err
	}
	return jsontree.Marshal(result), nil
}

func (x *Expr) eval(input any, values map[string]any) (any, error) {
	e := newEvaluation(x.config)
	if items, ok := input.([]any); ok { // The path of the expression does not iterate over this array, but over its items.
		input = &array{items: []any{items}, sequence: true, outerWrapper: true}
	}

	// The expression sets its variables in the inner frame. So the caller's map does not change.
	e.input, e.given.given, e.root.parent = input, values, &e.given
	result, err := e.eval(x.root, input, &e.root)
	if err != nil {
		return nil, err
	}
	if isUndefined(result) {
		return nil, ErrUndefined
	}
	if a, ok := result.(*array); ok && a.tuples {
		result = a.tupleValues()
	}

	exporter := exporter{evaluation: e}
	exported, _, err := exporter.export(result)
	return exported, err
}
