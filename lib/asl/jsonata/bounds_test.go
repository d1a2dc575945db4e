package jsonata_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

const (
	memoryError  = "U1001: Expression evaluation memory limit exceeded: Check for excessive memory usage"
	stackError   = "U1001: Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive."
	timeoutError = "U1001: Expression evaluation timeout: Check for infinite loop"
)

// TestLimitsOfAnEvaluation holds the limits at their edges: those of memory and depth are those of AWS.
func TestLimitsOfAnEvaluation(t *testing.T) {
	t.Parallel()
	const depth = 100
	sum := func(terms int) string { return strings.Repeat("1+", terms-1) + "1" }
	for _, test := range []struct{ name, text, want string }{
		{"the most numbers", `$count([1..873782])`, `873782`},
		{"one number more", `$count([1..873783])`, memoryError},
		{"the most items of $range", `$count($range(1, 360145, 1))`, `360145`},
		{"one item of $range more", `$count($range(1, 360146, 1))`, memoryError},
		{"the deepest sum", sum(depth), `100`},
		{"a deeper sum", sum(depth + 1), stackError},
		{"a recursion", `($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(31))`, `31`},
		{"a deep recursion", `($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(40))`, stackError},
		{"a long tail recursion", `($f := function($n) { $n = 0 ? "end" : $f($n - 1) }; $f(10000))`, `"end"`},
		{"an endless tail recursion", `($f := function($n) { $f($n) }; $f(1))`, timeoutError},
		{"two functions that call each other", `($f := function($n) { $g($n) }; $g := function($n) { $f($n) }; $f(1))`, timeoutError},
		{"a text that doubles", `$reduce([1..30], function($a, $b) { $a & $a }, "aaaaaaaaaa")`, memoryError},
		{"a text that grows and shrinks", `$length($reduce([1..2000], function($a, $b) { $substring($a & $a, 0, 10000) }, "aaaaaaaaaa"))`, `10000`},
		{"a padded text", `$pad("a", 500000000)`, memoryError},
		{"a text padded on the left", `$pad("a", -1e300, "xy")`, memoryError},
		{"shared arrays as text", `$length($string($reduce([1..40], function($a, $b) { [[$a], [$a]] }, "x")))`, memoryError},
		{"shared arrays as the result", `$reduce([1..40], function($a, $b) { [[$a], [$a]] }, "x")`, memoryError},
		{"shared objects compared", `($x := $reduce([1..40], function($a, $b) { {"l": $a, "r": $a} }, "x"); $x = $reduce([1..40], function($a, $b) { {"l": $a, "r": $a} }, "x"))`, timeoutError},
		{"shared objects copied", `$reduce([1..40], function($a, $b) { {"l": $a, "r": $a} }, "x") ~> |$|{}|`, memoryError},
		{"shared objects searched", `$count($reduce([1..40], function($a, $b) { {"l": $a, "r": $a} }, "x").**)`, memoryError},
		{"an array of a size beyond memory", `[0..9999999]`, memoryError},
		{"arrays that are in use together", `$map([1..3], function($i) { [1..400000] })`, memoryError},
		{"arrays that are not in use together", `$sum($map([1..10], function($i) { $count([1..400000]) }))`, `4000000`},
		{"variables that are in use together", `$count([($a := [1..400000]; $b := [1..400000]; $c := [1..400000])])`, memoryError},
		{"a replacement that grows", `$length($replace($pad("a", 100000, "a"), /a/, $pad("b", 100000, "b")))`, memoryError},
		{"a joined text", `$length($join($map([1..1000], function($i) { "a" }), $pad("b", 100000, "b")))`, memoryError},
		{"joins of all with all", `($a := [1..3000]; $count($a@$x.$a@$y.($x)))`, memoryError},
		{"a regular expression that backtracks", `$contains($pad("a", 40, "a") & "b", /^(a+)+$/)`, timeoutError},
		{"a regular expression that counts", `$contains("aaaa", /((a{100}){100}){100}/)`, `S0303: Invalid regular expression /((a{100}){100}){100}/: ecmaregexp: invalid regular expression: it is too large`},
		{"a chain of functions", `($chain := function($f, $n) { $n = 0 ? $f : $chain($f ~> $trim, $n - 1) }; $g := $chain($trim, 200); $g("a"))`, stackError},
		{"a sort", `$sort([1..200000], function($a, $b) { $a > $b })[0]`, `1`},
		{"a sort of numbers", `$sort([1..200000])[0]`, `1`},
		{"distinct items", `$count($distinct([1..200000]))`, `200000`},
		{"an exponent", `$formatNumber(0, "0e0")`, `"0e0"`},
		{"many digits", `$formatInteger(1, $pad("0", 100000, "0"))`, `D3130: The picture is too long`},
		{"a long text that is measured again and again", `($s := $pad("a", 5000000); $count($map([1..100000], function($i) { $length($s) })))`, timeoutError},
		{"long texts that are compared again and again", `($s := $pad("a", 3000000); $t := $pad("a", 3000000); $count($map([1..100000], function($i) { $s = $t or $s < $t })))`, timeoutError},
		{"many matches", `$count($match($pad("a", 1000000, "a"), /a/))`, memoryError},
		{"the index of a match", `$match($pad("é😀", 20000, "é😀"), /😀/)[9999].index`, `29998`},
		{"an object that is copied again and again", `($o := $merge($map([1..10000], function($i) { {$string($i): $i} })); $count($map([1..100000], function($i) { $count($keys($merge([$o, {}]))) })))`, timeoutError},
		{"a signature that backtracks", `($f := function($x)<` + strings.Repeat("n?", 40) + `b:n>{1}; $f(` + strings.Repeat("1,", 39) + `1))`, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := eval(t, test.text)
			if test.want != "" && got != test.want {
				t.Errorf("%.100s\n got %.200s\nwant %s", test.text, got, test.want)
			}
		})
	}
}

func TestTextsThatAreNotUTF8AreCompared(t *testing.T) {
	x, err := jsonata.Compile(`[$a < $b, $b < $a, $a = $a, $sort([$b, $a])[0] = $a]`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.Eval(map[string]any{"a": "a\xff", "b": "a\xffb\xed\xa0\x80"})
	if want := `[true,false,true,true]`; err != nil || string(jsontree.Marshal(got)) != want {
		t.Errorf("got %s, %v, want %s", jsontree.Marshal(got), err, want)
	}
}

func TestEvaluationDoesNotChangeItsVariables(t *testing.T) {
	const list = `{"a":[{"b":[1]},{"b":[2]}],"c":{"d":1}}`
	v, err := jsontree.Parse([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`$v ~> |a|{"x": 1}, "b"|`, `$v.a[] ~> |$|{"x": 1}|`, `$v.c ~> |$v.c|{"x": 1}|`, `$append($v.a, 1)`, `$v.a.b[]`, `$reverse($v.a)`,
		`$sort($v.a, function($x, $y) { $x.b[0] < $y.b[0] })`, `$v.a^(>b[0])`, `[$v.a, 1]`, `$v{"k": $append(a, 5)}`, `($v.a[0]; $v.a ~> $append(3))`,
	} {
		x, err := jsonata.Compile(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if _, err := x.Eval(map[string]any{"v": v}); err != nil {
			t.Error(text, err)
		}
		if got := string(jsontree.Marshal(v)); got != list {
			t.Fatalf("%s changed its variable to %s", text, got)
		}
	}
}

func TestLimitsOfAConfig(t *testing.T) {
	for _, test := range []struct {
		limits     jsonata.Limits
		text, want string
	}{
		{jsonata.Limits{Depth: 2}, `1 + 1`, `2`}, {jsonata.Limits{Depth: 1}, `1 + 1`, stackError},
		{jsonata.Limits{Steps: 3}, `1 + 1`, `2`}, {jsonata.Limits{Steps: 2}, `1 + 1`, timeoutError},
		{jsonata.Limits{Bytes: 373}, `"a" & "bc"`, `"abc"`}, {jsonata.Limits{Bytes: 372}, `"a" & "bc"`, memoryError},
		{jsonata.Limits{Steps: 60_000}, `$count($parse($string([1..10000])))`, `10000`},
		{jsonata.Limits{Steps: 60_000}, `($s := $string([1..10000]); $count($map([1..5], function($i) { $count($parse($s)) })))`, timeoutError},
		{jsonata.Limits{Steps: 60_000}, `$trim($pad("a", 1000000))`, `"a"`},
		{jsonata.Limits{Steps: 60_000}, `($s := $pad("a", 1000000); $count($map([1..5], function($i) { $trim($s) })))`, timeoutError},
		{jsonata.Limits{Depth: 3000}, `($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(900))`, `900`},
	} {
		x, err := jsonata.Config{Limits: test.limits}.Compile(test.text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := x.Eval(nil)
		got := fmt.Sprint(err)
		if err == nil {
			got = string(jsontree.Marshal(v))
		}
		if got != test.want {
			t.Errorf("%s with %+v: got %s, want %s", test.text, test.limits, got, test.want)
		}
	}
}
