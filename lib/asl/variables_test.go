package asl_test

import (
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

func TestVariablesComeBeforeBuiltInFunctions(t *testing.T) {
	t.Parallel()
	const (
		next  = `"Next":"B"},"B":{"Type":"Pass","End":true,`
		inner = `"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true,`
	)
	for _, test := range []struct{ name, state, want string }{
		{"a number", `"Type":"Pass","Assign":{"sum":0},` + next + `"Output":"{% $sum + 1 %}"`, `1`},
		{"an array", `"Type":"Pass","Assign":{"count":[1,2]},` + next + `"Output":"{% $count[1] %}"`, `2`},
		{"an object", `"Type":"Pass","Assign":{"map":{"a":{"b":7}}},` + next + `"Output":"{% $map.a.b %}"`, `7`},
		{"null", `"Type":"Pass","Assign":{"now":null},` + next + `"Output":"{% $now = null %}"`, `true`},
		{"the others remain", `"Type":"Pass","Assign":{"sum":1},` + next + `"Output":"{% $max([$sum, 3]) %}"`, `3`},
		{"a function of AWS", `"Type":"Pass","Assign":{"range":5},` + next + `"Output":"{% $range * 2 %}"`, `10`},
		{"a call of a number", `"Type":"Pass","Assign":{"sum":0},` + next + `"Output":"{% $sum([1]) %}"`, `Attempted to invoke a non-function`},
		{"a callback that is a number", `"Type":"Pass","Assign":{"string":0},` + next + `"Output":"{% $map([1], $string) %}"`, `Argument 2 of function "map" does not match function signature`},
		{"a partial call of a number", `"Type":"Pass","Assign":{"sum":0},` + next + `"Output":"{% ($f := $sum(?); 1) %}"`, `Attempted to partially apply a non-function`},
		{"a chain to a number", `"Type":"Pass","Assign":{"sum":0},` + next + `"Output":"{% [1] ~> $sum %}"`, `The right side of the function application operator ~> must be a function`},
		{"before it is assigned", `"Type":"Pass","Output":"{% $sum([1, 2]) %}",` + next + `"Output":"{% $states.input %}"`, `3`},
		{"in the Assign itself", `"Type":"Pass","Assign":{"sum":"{% $sum([1, 2]) %}"},` + next + `"Output":"{% $sum %}"`, `3`},
		{"a variable of the expression", `"Type":"Pass","Assign":{"sum":5},` + next + `"Output":"{% ($sum := 7; $sum) %}"`, `7`},
		{"a block ends", `"Type":"Pass","Assign":{"sum":5},` + next + `"Output":"{% ($x := ($sum := 7); $sum) %}"`, `5`},
		{"a parameter", `"Type":"Pass","Assign":{"sum":5},` + next + `"Output":"{% $map([1, 2], function($sum) { $sum + 1 }) %}"`, `[2,3]`},
		{"a function in a variable of the expression", `"Type":"Pass","Assign":{"f":"x"},` + next + `"Output":"{% ($f := $sum; $f([1, 2])) %}"`, `3`},
		{"a function of the expression named like a built-in", `"Type":"Pass",` + next + `"Output":"{% ($sum := function($x) { 'mine' }; $sum([1])) %}"`, `"mine"`},
		{"in an iteration", `"Type":"Pass","Assign":{"sum":5},"Next":"B"},"B":{"Type":"Map","End":true,"Items":[1],` + inner + `"Output":"{% $sum + $states.input %}"}}}`, `[6]`},
		{"assigned in an iteration", `"Type":"Map","Items":[1],"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Assign":{"sum":5},"Next":"J"},"J":{"Type":"Pass","Output":"{% $sum %}","End":true}}},` +
			next + `"Output":"{% $sum($states.input) %}"`, `5`},
		{"in JSONPath", `"QueryLanguage":"JSONPath","Type":"Pass","Assign":{"sum":3},` + next + `"Output":"{% $sum %}"`, `3`},
		{"$states is the service's", `"Type":"Pass",` + next + `"Output":"{% ($states := 1; $states) %}"`, `1`},
		{"a name of two functions", `"Type":"Pass","Assign":{"substringBefore":1,"substring":2},` + next + `"Output":"{% $substringBefore + $substring %}"`, `3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			language := `"QueryLanguage":"JSONata",`
			if strings.Contains(test.state, "JSONPath") { // A state cannot leave the language of its machine.
				language = ""
				test.state = strings.Replace(test.state, `"B":{`, `"B":{"QueryLanguage":"JSONata",`, 1)
			}
			m := parse(t, `{`+language+`"StartAt":"A","States":{"A":{`+test.state+`}}}`)
			got := resultText(m.Run(t.Context(), asl.Execution{}))
			if got != test.want && (!strings.HasPrefix(got, "FAILED") || !strings.Contains(got, test.want)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
