package jsonata_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// order is the value of the variable $o in these tests; $n is 3.
const order = `{"id":12345678901234567,"user":{"name":"Ada","tags":["a","b"]},"empty":{},"none":null,"lines":[
	{"part":"3001","colour":"red","n":2,"price":0.5},{"part":"3002","colour":"blue","n":10,"price":1.25},{"part":"3003","colour":"red","n":1,"price":3}]}`

func values(tb testing.TB) map[string]any {
	tb.Helper()
	v, err := jsontree.Parse([]byte(order))
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]any{"o": v, "n": int64(3)}
}

// eval returns the value of an expression as JSON text, or the text of its error.
func eval(t *testing.T, text string) string {
	t.Helper()
	x, err := jsonata.Compile(text)
	if err != nil {
		return err.Error()
	}

	v, err := x.Eval(values(t))
	if err != nil {
		return err.Error()
	}
	return string(jsontree.Marshal(v))
}

func TestExpressionsEvaluateAsInJSONata(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		// Objects keep the order of their keys, integers their digits.
		{`$o.id`, `12345678901234567`},
		{`$o.user`, `{"name":"Ada","tags":["a","b"]}`},
		{`{"b": 1, "a": 2.0, "c": 1.5}`, `{"b":1,"a":2,"c":1.5}`},
		{`"tab\t\u00e9\ud83d\ude00"`, `"tab\té😀"`},
		{`'it''s'`, `S0201: Syntax error: "(string)"`},
		// Paths, filters and sequences.
		{`$o.lines.part`, `["3001","3002","3003"]`},
		{`$o.lines[colour='red'].n`, `[2,1]`},
		{`$o.lines[colour='blue'].n`, `10`},
		{`$o.lines[colour='blue'].n[]`, `[10]`},
		{`$o.lines[0].part`, `"3001"`},
		{`$o.lines[-1].part`, `"3003"`},
		{`$o.lines[[0..1]].part`, `["3001","3002"]`},
		{`$o.user.*`, `["Ada","a","b"]`},
		{`$o.**.name`, `"Ada"`},
		{"$o.`user`.'name'", `"Ada"`},
		{`$o.lines.{part: n}`, `[{"3001":2},{"3002":10},{"3003":1}]`},
		{`$o.lines{colour: $sum(n)}`, `{"red":3,"blue":10}`},
		{`$o.lines^(>n).part`, `["3002","3001","3003"]`},
		{`$o.lines^(colour, <price).part`, `["3002","3001","3003"]`},
		{`$o.lines.(n * price)`, `[1,12.5,3]`},
		{`$o.lines.[part, n]`, `[["3001",2],["3002",10],["3003",1]]`},
		{`[$o.none, 1, $o.missing]`, `[null,1]`},
		// Undefined values.
		{`$o.missing`, jsonata.ErrUndefined.Error()},
		{`$missing.a.b`, jsonata.ErrUndefined.Error()},
		{`$o.missing + 1`, jsonata.ErrUndefined.Error()},
		{`$o.missing = 1`, `false`},
		{`{"a": $o.missing, "b": 1}`, `{"b":1}`},
		{`$`, jsonata.ErrUndefined.Error()},
		{`function($x) { $x }`, jsonata.ErrFunction.Error()},
		{`{"f": $sum}`, jsonata.ErrFunction.Error()},
		// Operators.
		{`1 + 2 * 3 - 4 / 2`, `5`},
		{`7 % 3 & "x" & true & null & [1]`, `"1xtruenull[1]"`},
		{`0.1 + 0.2`, `0.30000000000000004`},
		{`-$n`, `-3`},
		{`1 < 2 and not 1`, `S0201: Syntax error: "1"`},
		{`1 < 2 and "a" <= "b" or $error("not evaluated")`, `true`},
		{`"a" in $o.user.tags`, `true`},
		{`{"a":[1]} = {"a":[1.0]}`, `true`},
		{`$n > 2 ? "many" : "few"`, `"many"`},
		{`$n > 5 ? "many"`, jsonata.ErrUndefined.Error()},
		{`[1..3, 7]`, `[1,2,3,7]`},
		{`8/4/2 /* a comment */`, `1`},
		// Functions.
		{`($f := function($x, $y) { $x * $y }; $f(2, 3))`, `6`},
		{`($f := function($x) { $x <= 1 ? 1 : $x * $f($x - 1) }; $f(10))`, `3628800`},
		{`($add := function($x, $y) { $x + $y }; $inc := $add(?, 1); $inc(41))`, `42`},
		{`($up := $uppercase ~> $trim; $up(" a "))`, `"A"`},
		{`$map([1..3], function($v) { $v ~> $string() })`, `["1","2","3"]`},
		{`$map(["a"], function($v, $i) { $v & $i })`, `"a0"`},
		{`$filter($o.lines, function($l) { $l.n > 1 }).part`, `["3001","3002"]`},
		{`$reduce([1..4], function($a, $b) { $a * $b })`, `24`},
		{`$single($o.lines, function($l) { $l.n = 10 }).part`, `"3002"`},
		{`$sort(["b","a","c"])`, `["a","b","c"]`},
		{`$sort([3,1,2], function($a, $b) { $a < $b })`, `[3,2,1]`},
		{`λ($x)<n:n>{$x}("a")`, `T0410: Argument 1 of function "lambda" does not match function signature`},
		{`$o.user ~> |$|{"name": "Eve"}, "tags"|`, `{"name":"Eve"}`},
		{`$o.user.name`, `"Ada"`},
		{`$sum($o.lines.n) & " " & $max($o.lines.n) & " " & $average([1,2])`, `"13 10 1.5"`},
		{`$count($o.lines) + $count($o.missing) + $count(5)`, `4`},
		{`$keys($o.user)`, `["name","tags"]`},
		{`$each({"a":1,"b":2}, function($v, $k) { $k & $v })`, `["a1","b2"]`},
		{`$sift({"a":1,"b":2}, function($v) { $v > 1 })`, `{"b":2}`},
		{`$merge([{"a":1},{"b":2,"a":3}])`, `{"a":3,"b":2}`},
		{`$spread({"a":1,"b":2})`, `[{"a":1},{"b":2}]`},
		{`$lookup($o.user, "name")`, `"Ada"`},
		{`$zip([1,2],[3,4])`, `[[1,3],[2,4]]`},
		{`$distinct([1,"1",1,[2],[2]])`, `[1,"1",[2]]`},
		{`$append(1, [2,3])`, `[1,2,3]`},
		{`$reverse([1..3])`, `[3,2,1]`},
		{`$split("a, b,c", /,\s*/)`, `["a","b","c"]`},
		{`$join(["a","b"], "-")`, `"a-b"`},
		{`$match("ab12", /([a-z]+)(\d+)/).groups`, `["ab","12"]`},
		{`$replace("John Smith", /(\w+)\s(\w+)/, "$2, $1")`, `"Smith, John"`},
		{`$replace("aXbX", "X", "-", 1)`, `"a-bX"`},
		{`$replace("price 5", /\d+/, function($m) { $string($number($m.match) * 2) })`, `"price 10"`},
		{`$contains("hello/x", /o\/x$/)`, `true`},
		{`$substring("hello", -3, 2) & $substringBefore("a=b", "=") & $substringAfter("a=b", "=")`, `"llab"`},
		{`$pad("7", -3, "0") & $pad("a", 3) & "|"`, `"007a  |"`},
		{`$trim("  a   b ") & $length("é😀")`, `"a b2"`},
		{`$number("0x1F") + $number("-2.5") + $number(true)`, `29.5`},
		{`$round(2.5) & $round(-1.255, 2) & $floor(-1.5) & $ceil(1.2) & $abs(-3)`, `"2-1.26-223"`},
		{`$power(2, 10) & $sqrt(81)`, `"10249"`},
		{`$formatNumber(1234.5, "#,##0.00")`, `"1,234.50"`},
		{`$formatNumber(-42, "0e0") & $formatNumber(0, "0.00e0") & $formatNumber(-0.0234, "0.0e00;(0.0e00)")`, `"-4e10.00e0(2.3e-02)"`},
		{`$formatNumber(0, "0.0x00 m", {"exponent-separator":"x"}) & $formatNumber(-12, "0e0", {"minus-sign":"~"})`, `"0.0x00 m~1e1"`},
		{`$formatNumber(0, "e0") & $formatNumber(-1, "e0") & $formatNumber(0, "0 me") & $formatNumber(-1, "0 me")`, `"e0-e10 me-1 me"`},
		{`$formatNumber(0, "0.0;(0e0)") & $formatNumber(-5, "0.0;(0e0)")`, `"0.0(5e0)"`},
		{`$formatBase(255, 16)`, `"ff"`},
		{`$string({"a":1.0,"b":[true,null]}) & $string(1e21) & $string(0.1+0.2)`, `"{\"a\":1,\"b\":[true,null]}1e+210.3"`},
		{`$base64decode($base64encode("héllo"))`, `"héllo"`},
		{`$encodeUrlComponent("a b&c") & $decodeUrl("%C3%A9")`, `"a%20b%26cé"`},
		{`$toMillis("2026-11-22T10:00:00.123Z")`, `1795341600123`},
		{`$fromMillis(1795341600123)`, `"2026-11-22T10:00:00.123Z"`},
		{`$fromMillis(1795341600123, "[Y0001]-[M01]-[D01]")`, `"2026-11-22"`},
		{`$type($o) & $type([]) & $type(null) & $type($sum) & $boolean([0]) & $not($o.missing)`, `"objectarraynullfunctionfalse"`},
		{`$exists($o.missing) or $exists($o.none)`, `true`},
		{`$assert(1 = 2, "no")`, `D3141: no`},
		{`$error("stop")`, `D3137: stop`},
		// The functions that Step Functions adds.
		{`$partition([1..5], 2)`, `[[1,2],[3,4],[5]]`},
		{`$range(0, 10, 4)`, `[0,4,8]`},
		{`$hash("a", "SHA-256")`, `"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`},
		{`$parse('{"a":[1,2.0]}').a[0]`, `1`},
		{`$random(7) = $random(7) and $random() < 1`, `true`},
		{`$length($uuid())`, `36`},
		// Evaluation errors.
		{`1 + "a"`, `T2002: The right side of the "+" operator must evaluate to a number`},
		{`"a" > 1`, `T2009: The values "a" and 1 either side of operator ">" must be of the same data type`},
		{`nothing(1)`, `T1006: Attempted to invoke a non-function`},
		{`sum([1])`, `T1005: Attempted to invoke a non-function. Did you mean $sum?`},
		{`$uppercase(1)`, `T0410: Argument 1 of function "uppercase" does not match function signature`},
		{`$sum(["a"])`, `T0412: Argument 1 of function "sum" must be an array of numbers`},
		{`($f := function() { $f() }; $f())`, `U1001: Expression evaluation timeout: Check for infinite loop`},
	} {
		if got := eval(t, test.text); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.text, got, test.want)
		}
	}
}

func TestCompileRejectsInvalidAndUnsupportedExpressions(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "S0207"}, {`1 +`, "S0207"}, {`(1`, "S0203"}, {`[1 2]`, "S0202"}, {`"a`, "S0101"}, {`"\x"`, "S0103"}, {"`a", "S0105"},
		{`/* a`, "S0106"}, {`1 := 2`, "S0212"}, {`function(a) { a }`, "S0208"}, {`a.1`, "S0213"}, {`)`, "S0211"}, {`/+/`, "S0303"}, {`/(/`, "S0302"},
		{`a{b: c}{d: e}`, "S0210"}, {`a{b: c}[0]`, "S0209"}, {`1e999`, "S0102"}, {`!`, "S0204"},
		{`$eval("1")`, "$eval is not supported"}, {`1 ?? 2`, "S0211: The operator ?? is not in JSONata 2.0.6"}, {`1 ?: 2`, "it came with 2.1"},
		{`%`, "S0217"}, {`a@$b[1]@$c`, "S0215"}, {`a@b`, "S0214"}, {`[1,]`, "S0211"}, {`f(1,)`, "S0211"}, {`{"a":1,}`, "S0211"},
		{strings.Repeat("(", 1000), "nested too deeply"},
	} {
		_, err := jsonata.Compile(test.text)
		var syntaxErr *jsonata.Error
		if !errors.As(err, &syntaxErr) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.text, err, test.want)
		}
	}
}

// TestConcurrentEvaluationsDoNotInterfere evaluates one expression concurrently, as all executions of a state machine do.
func TestConcurrentEvaluationsDoNotInterfere(t *testing.T) {
	x, err := jsonata.Compile(`($x := $n; ($map([1..20], function($v) { $v ~> $string() ~> $pad(-3, "0") ~> $match(/\d/) ~> $count() }) ~> $sum()) + $x)`)
	if err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for range 20 {
				v, err := x.Eval(map[string]any{"n": int64(n)})
				// The sum counts the digits of 20 numbers that are padded to three digits each.
				if want := int64(60 + n); v != want || err != nil {
					t.Errorf("got %v %v, want %d", v, err, want)
				}
			}
		})
	}
	all.Wait()
}

func ExampleCompile() {
	_, err := jsonata.Compile(`$states.input.name ?? "you"`)
	fmt.Println(err)
	_, err = jsonata.Config{Latest: true}.Compile(`$states.input.name ?? "you"`)
	fmt.Println(err)
	// Output:
	// S0211: The operator ?? is not in JSONata 2.0.6, the version of Step Functions: it came with 2.1. Write $exists(a) ? a : b
	// <nil>
}
