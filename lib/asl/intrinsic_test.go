package asl

import (
	"errors"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// intrinsicInput is the state's input in these tests. The JSON of tooLong has 10,003 characters.
var intrinsicInput = `{"tooLong":[` + strings.Repeat("1,", 5000) + `1],"n":2,"half":2.5,"s":"a,b;c","list":[3,1,3],"o":{"a":1,"b":[true,null]},"p":{"b":2},"words":["x","y"]}`

// evalIn evaluates a reference or intrinsic function with an input, and with the variable $v, whose value is 40.
func evalIn(t *testing.T, text, input string) (string, error) {
	t.Helper()
	value, err := parseValue(text)
	if err != nil {
		return "", err
	}
	v, err := value.eval(&stateRun{pathRoot: parseJSON(t, input), thread: &thread{variables: &variables{values: map[string]any{"v": int64(40)}}}})
	return string(jsontree.Marshal(v)), err
}

func TestIntrinsicFunctionsReturnTheirResults(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`States.Format('{} and {}', $.s, $.n)`, `"a,b;c and 2"`},
		{`States.Format('\{\} it\'s {} \\', $.words)`, `"{} it's [x, y] \\"`},
		{`States.Format('{}', $.o)`, `"{a=1, b=[true, null]}"`},
		{`States.Array($.n, 'b', null, -1.5)`, `[2,"b",null,-1.5]`},
		{`States.Array()`, `[]`},
		{`States.ArrayPartition($.list, 2)`, `[[3,1],[3]]`},
		{`States.ArrayContains($.list, 1)`, `true`},
		{`States.ArrayContains($.list, 1.0)`, `true`},
		{`States.ArrayRange(1, 9, 3)`, `[1,4,7]`},
		{`States.ArrayRange(3, 1, -1)`, `[3,2,1]`},
		{`States.ArrayGetItem($.words, 1)`, `"y"`},
		{`States.ArrayLength($.list)`, `3`},
		{`States.ArrayUnique($.list)`, `[3,1]`},
		{`States.Base64Encode('Data to encode')`, `"RGF0YSB0byBlbmNvZGU="`},
		{`States.Base64Decode('RGVjb2RlZCBkYXRh')`, `"Decoded data"`},
		{`States.ArrayLength(States.Array(States.Hash('` + strings.Repeat("é", 10_000) + `', 'MD5')))`, `1`},
		{`$.list[9]`, `null`},
		{`$.list[-4]`, `null`},
		{`States.Array($.list[9])`, `[null]`},
		{` $.n `, `2`},
		{`$.list.length()`, `3`},
		{`States.Array(` + strings.Repeat(`States.Array(`, 9) + strings.Repeat(`)`, 10), `[[[[[[[[[[]]]]]]]]]]`},
		{`States.Hash('input data', 'SHA-1')`, `"aaff4a450a104cd177d28d18d74485e8cae074b7"`},
		{`States.JsonMerge($.o, $.p, false)`, `{"a":1,"b":2}`},
		{`States.StringToJson('{"number":20, "big":12345678901234567890}')`, `{"number":20,"big":12345678901234567890}`},
		{`States.JsonToString($.o)`, `"{\"a\":1,\"b\":[true,null]}"`},
		{`States.MathAdd($.half, $v)`, `43`},
		{`States.StringSplit($.s, ',;')`, `["a","b","c"]`},
		{`States.ArrayLength(States.StringSplit($.s, ','))`, `2`},
		{`$['o']['b'][0]`, `true`},
		{`$v`, `40`},
	} {
		got, err := evalIn(t, test.text, intrinsicInput)
		if err != nil || got != test.want {
			t.Errorf("%s: got %s %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestIntrinsicFunctionsRejectInvalidArguments(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`States.Format('{} {}', 1)`, "more placeholders than arguments"},
		{`States.ArrayGetItem($.words, 2)`, "out of range"},
		{`States.ArrayPartition($.list, 0)`, "must be positive"},
		{`States.ArrayRange(0, 1001, 1)`, "more than 1000"},
		{`States.StringToJson('{')`, "not valid JSON"},
		{`States.JsonMerge($.o, $.p, true)`, "shallow"},
		{`States.MathAdd('a', 1)`, "must be a number"},
		{`States.Base64Decode('*')`, "not Base64"},
		{`States.Hash('a', 'CRC')`, "unknown algorithm"},
		{`States.Hash('` + strings.Repeat("é", 10_001) + `', 'MD5')`, "longer than 10000 characters"},
		{`States.Hash($.tooLong, 'MD5')`, "longer than 10000 characters"},
		{`States.Format('a { b {}', 1)`, "Invalid template in States.Format: matching '}' not found for '{'"},
		{`States.Format('a } b {}', 1)`, "Invalid template in States.Format: matching '{' not found for '}'"},
	} {
		_, err := evalIn(t, test.text, intrinsicInput)
		var f *failure
		if !errors.As(err, &f) || f.name != errorIntrinsic || !strings.Contains(f.cause, test.want) {
			t.Errorf("%s: got %v, want %s", test.text, err, test.want)
		}
	}

	if got, err := evalIn(t, `States.MathRandom(1, 2)`, `{}`); got != "1" || err != nil {
		t.Errorf("MathRandom gave %s %v", got, err)
	}
	if got, err := evalIn(t, `States.UUID()`, `{}`); len(got) != len(`"3f2b8a1c-1111-4111-8111-111111111111"`) || err != nil {
		t.Errorf("UUID gave %s %v", got, err)
	}
}

func TestMathRandomWithASeedReturnsTheSameNumber(t *testing.T) {
	first, err := evalIn(t, `States.MathRandom(1, 1000000, 7)`, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := evalIn(t, `States.MathRandom(1, 1000000, 7)`, `{}`); again != first || err != nil {
		t.Errorf("got %s %v, want %s", again, err, first)
	}
}

func TestParseRejectsInvalidIntrinsicFunctions(t *testing.T) {
	for _, text := range []string{
		`States.Nothing()`, `States.Array`, `States.Array(`, `States.Array(1`, `States.Array(1 2)`, `States.Array('a)`, `States.UUID(1)`,
		`States.Array(` + strings.Repeat(`States.Array(`, 10) + strings.Repeat(`)`, 11), `$.list[9`,
		`States.Format()`, `States.Array(1))`, `States.Format('\n')`, `States.Array($.)`, `States.Array(a)`,
	} {
		if v, err := parseValue(text); err == nil {
			t.Errorf("%s: got %v, want it refused", text, v)
		}
	}
}

func FuzzIntrinsic(f *testing.F) {
	for _, seed := range []string{`States.Format('{}', $.a)`, `States.Array(1, 'b', States.UUID(), $['c)'])`, `States.StringSplit('\'\\', ',')`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		call, err := parseIntrinsic(text)
		if err == nil && call.text != text {
			t.Errorf("%q was read as %q", text, call.text)
		}
	})
}
