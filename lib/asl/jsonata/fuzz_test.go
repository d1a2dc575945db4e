package jsonata_test

import (
	"errors"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// FuzzEvaluate compiles and evaluates any text within small limits. Both end soon, without a panic, and fail only with the documented
// errors.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		`$states.input.a[b='c'].d`, `$map([1,2], function($v)<n:n>{ $v ~> |$|{"a":1},"b"| })`, `a^(>b,<c){d: $sum(e)}[]`, `/a\/b/i`, "`x`.'y'",
		`$formatNumber(0, '0e0')`, `$pad("a", 500000000)`, `$reduce([1..30], function($a,$b){$a & $a}, "aaaaaaaaaa")`, `($f := function() { $f() }; $f())`,
		`$sort([1..200], function($a, $b) { $a < $b })`, `$toMillis("3 Feb 2018", "[D1] [MNn,3-3] [Y0001]")`, `$fromMillis(1517630706789, "[X0001]-W[W01]-[F1o]", "+0100")`,
		`$formatInteger(12345, "Ww;o") & $parseInteger("twelve", "w")`, `lines@$l.lines@$m[$l.n = $m.n].{"n": $l.n, "p": %.id}`, `lines#$i[n > 1].[$i, part]`,
		`$replace("abc", /(b)(?=c)/, "$1$1")`, `$match("aaa", /(a*)*b/)`, `$eval("1 + 1")`, `[1..1e7]`, `$zip($o.lines, **) ~> $spread() ~> $merge()`,
		`$distinct($append(lines, lines.*))`, `$each($, function($v, $k) { $k })`, `$hash("a", "MD5") & $uuid() & $partition([1..9], 2)`, `a ? b : c ?? d ?: e`,
		`$encodeUrl("\ud800")`, `$base64decode("4pyT_w")`, `$string($, true)`, `$number("0x1f")`, `$lookup($$, "a") in [$random(3)]`,
	} {
		f.Add(seed, true)
	}

	const steps, bytes = 100_000, 1 << 20
	input, err := jsontree.Parse([]byte(order))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, latest bool) {
		var failure *jsonata.Error
		x, err := jsonata.Config{Latest: latest, Limits: jsonata.Limits{Steps: steps, Bytes: bytes}}.Compile(text)
		if err != nil {
			if !errors.As(err, &failure) || failure.Code == "" || failure.Position < 0 || failure.Position > len(text)*len("\uFFFD") {
				t.Errorf("unexpected error %v", err)
			}
			return
		}

		x.References()
		v, err := x.EvalInput(input, map[string]any{"o": input, "text": text})
		if err != nil {
			if !errors.As(err, &failure) && !errors.Is(err, jsonata.ErrUndefined) && !errors.Is(err, jsonata.ErrFunction) {
				t.Errorf("unexpected error %v", err)
			}
			return
		}
		if _, err := jsontree.Parse(jsontree.Marshal(v)); err != nil {
			t.Errorf("the value is no JSON: %v", err)
		}
		if string(jsontree.Marshal(input)) != string(jsontree.Marshal(mustParse(t, order))) {
			t.Error("the evaluation changed its input")
		}
	})
}

func mustParse(t *testing.T, text string) any {
	t.Helper()
	v, err := jsontree.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
