package jsonata_test

import (
	"errors"
	"fmt"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// Compile an expression once, then evaluate it for each input.
func ExampleExpr_EvalJSON() {
	total, err := jsonata.Compile(`{"customer": customer, "total": $sum(lines.(price * quantity))}`)
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, order := range []string{
		`{"customer": "Ada", "lines": [{"price": 2.5, "quantity": 4}, {"price": 1, "quantity": 3}]}`,
		`{"customer": "Ben", "lines": {"price": 7, "quantity": 1}}`,
	} {
		result, err := total.EvalJSON([]byte(order))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(result))
	}
	// Output:
	// {"customer":"Ada","total":13}
	// {"customer":"Ben","total":7}
}

// The caller gives an expression variables. A variable comes before a built-in function of its name.
func ExampleExpr_Eval() {
	greeting, err := jsonata.Compile(`$name & " has " & $count($tasks) & " tasks"`)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(greeting.Variables())
	result, err := greeting.Eval(map[string]any{"name": "Ada", "tasks": []any{"read", "write"}})
	fmt.Println(result, err)
	// Output:
	// [count name tasks]
	// Ada has 2 tasks <nil>
}

// The input is a value of package jsontree, which keeps the order of keys.
func ExampleExpr_EvalInput() {
	upper, err := jsonata.Compile(`$merge($each($, function($v, $k) { {$uppercase($k): $v} }))`)
	if err != nil {
		fmt.Println(err)
		return
	}

	result, err := upper.EvalInput(jsontree.NewObject("b", int64(1), "a", int64(2)), nil)
	fmt.Println(string(jsontree.Marshal(result)), err)
	// Output: {"B":1,"A":2} <nil>
}

// A syntax error has a position. All errors have the code of the reference implementation.
func ExampleError() {
	_, err := jsonata.Compile(`1 + (2 * `)
	var syntax *jsonata.Error
	if errors.As(err, &syntax) {
		fmt.Println(syntax.Code, syntax.Position, syntax.Message)
	}

	sum, err := jsonata.Compile(`a + "b"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = sum.EvalJSON([]byte(`{"a": 1}`))
	fmt.Println(err)
	_, err = sum.EvalJSON([]byte(`{}`))
	fmt.Println(err)
	// Output:
	// S0203 9 Expected ")" before end of expression
	// T2002: The right side of the "+" operator must evaluate to a number
	// T2002: The right side of the "+" operator must evaluate to a number
}

// An expression without a value is no error of the expression.
func ExampleErrUndefined() {
	name, err := jsonata.Compile(`user.name`)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = name.EvalJSON([]byte(`{"user": {}}`))
	fmt.Println(errors.Is(err, jsonata.ErrUndefined))
	// Output: true
}

// Limits end an evaluation that takes too long or too much memory.
func ExampleLimits() {
	forever, err := jsonata.Config{Limits: jsonata.Limits{Steps: 100_000}}.Compile(`($f := function() { $f() }; $f())`)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = forever.Eval(nil)
	fmt.Println(err)
	// Output: U1001: Expression evaluation timeout: Check for infinite loop
}

// Latest accepts what came after version 2.0.6.
func ExampleConfig() {
	name, err := jsonata.Config{Latest: true}.Compile(`user.name ?? "nobody"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := name.EvalJSON([]byte(`{}`))
	fmt.Println(string(result), err)
	// Output: "nobody" <nil>
}
