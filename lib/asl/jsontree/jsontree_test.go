package jsontree_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

func TestMarshalKeepsKeyOrderAndExactIntegers(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"b":1,"a":{"d":[],"c":{}},"b":2}`, `{"b":2,"a":{"d":[],"c":{}}}`},
		{` [ null , true , "x" ] `, `[null,true,"x"]`},
		{`[9223372036854775807,9223372036854775808,-0,12345678901234567890123]`, `[9223372036854775807,9223372036854775808,0,12345678901234567890123]`},
		{`[1.0,1.50,0.001,0.0001,1e3,1E7,123456789.5,-1e-9,1e999]`, `[1.0,1.5,0.001,1.0E-4,1000.0,1.0E7,1.234567895E8,-1.0E-9,1.7976931348623157E308]`},
		{`"\u0001\b\t\n\f\r\"\\\/é\u2028<"`, "\"\\u0001\\b\\t\\n\\f\\r\\\"\\\\/é\u2028<\""},
	} {
		v, err := jsontree.Parse([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
		if diff := cmp.Diff(test.want, string(jsontree.Marshal(v))); diff != "" {
			t.Errorf("%s: %s", test.text, diff)
		}
	}
}

func TestParseRejectsInvalidJSON(t *testing.T) {
	for _, text := range []string{``, `{`, `[1,]`, `{"a"}`, `1 2`, `nul`, `"\x"`, strings.Repeat("[", 20_000)} {
		if v, err := jsontree.Parse([]byte(text)); err == nil {
			t.Errorf("%.20s: got %v, want an error", text, v)
		}
	}
}

func TestEqualComparesNumbersByValueAndIgnoresKeyOrder(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`{"a":1,"b":[1]}`, `{"b":[1.0],"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":null}`, false},
		{`{"a":null}`, `{"b":null}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`9007199254740993`, `9007199254740992`, false},
		{`9223372036854775808`, `9223372036854775808`, true},
		{`"1"`, `1`, false}, {`1`, `"1"`, false}, {`null`, `false`, false}, {`null`, `null`, true}, {`{}`, `[]`, false},
	} {
		a, errA := jsontree.Parse([]byte(test.a))
		b, errB := jsontree.Parse([]byte(test.b))
		if got := jsontree.Equal(a, b); errA != nil || errB != nil || got != test.want {
			t.Errorf("%s and %s: got %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

func TestCloneLeavesTheOriginalUnchanged(t *testing.T) {
	o := jsontree.NewObject("a", int64(1))
	c := o.Clone()
	c.Set("b", int64(2))
	c.Set("a", int64(3))
	if got := string(jsontree.Marshal([]any{o, c})); got != `[{"a":1},{"a":3,"b":2}]` {
		t.Errorf("got %s", got)
	}
}
