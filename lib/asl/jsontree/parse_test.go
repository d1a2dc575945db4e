package jsontree_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// referenceParse does what Parse does, with the decoder of encoding/json.
func referenceParse(text []byte) (any, error) {
	if !json.Valid(text) { // Valid also limits the nesting, which Decoder.Token does not.
		var v any
		return nil, fmt.Errorf("parse JSON: %w", json.Unmarshal(text, &v))
	}

	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := referenceValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the value")
	}
	return v, nil
}

func referenceValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		return jsontree.Number(token.String()), nil
	case json.Delim:
		if token == '[' {
			return referenceArray(d)
		}
		return referenceObject(d)
	default:
		return token, nil
	}
}

func referenceArray(d *json.Decoder) (any, error) {
	items := []any{}
	for d.More() {
		v, err := referenceValue(d)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.Token()
	return items, err
}

func referenceObject(d *json.Decoder) (any, error) {
	o := &jsontree.Object{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := referenceValue(d)
		if err != nil {
			return nil, err
		}
		o.Set(key.(string), v)
	}
	_, err := d.Token()
	return o, err
}

// identical reports whether two values have the same types, numbers, strings and keys in the same order.
func identical(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, identical)
	case *jsontree.Object:
		b, ok := b.(*jsontree.Object)
		if !ok || !slices.Equal(a.Keys(), b.Keys()) {
			return false
		}
		for _, key := range a.Keys() {
			v, okV := a.Get(key)
			w, okW := b.Get(key)
			if !okV || !okW || !identical(v, w) {
				return false
			}
		}
		return true
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	default:
		return a == b
	}
}

// edgeCases are texts at the edges of the syntax.
func edgeCases() []string {
	manyKeys := make([]string, 40)
	for i := range manyKeys {
		manyKeys[i] = fmt.Sprintf(`"k%d":%d`, i%30, i)
	}
	long := strings.Repeat("long text ", 200)
	return []string{
		`{"a":[1,2.5,-3e4,"x",null,true]}`, `[1e700,-1e700,1e-700]`, ` { "b" : 1 , "a" : { } , "b" : [ ] } `,
		`[{"a":1,"b":2},{"a":3,"b":4},{"b":5,"a":6},{"a":7},{"a":8,"b":9,"c":0},{"a":1,"a":2},{"a":3,"a":4}]`,
		`{` + strings.Join(manyKeys, ",") + `}`, `[{` + strings.Join(manyKeys, ",") + `},{` + strings.Join(manyKeys, ",") + `}]`,
		`[0,-0,00,01,-,-1,1.,.5,1.5e,1e+,1E-2,1e5,+1]`, `-0`, `-`, `1.`, `1e`, `01`, `0x1`, `1 2`, `1,`, `-a`, `1.0`, `-0.0`,
		`[999999999999999999,1000000000000000000,9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809]`,
		`"\u0041\ud83d\ude00\ud800\udc00\ud800x\udc00\/\b\f\n\r\t\"\\"`, `"\x"`, `"\u12"`, `"\`, `"`, `"\"`, "\"\x00\"", "\"a\tb\"", "\"\x7f\"",
		"\"\xff\xc3\x28\u00e9\xe2\x82\"", "{\"\xff\":1,\"\ufffd\":2}", "\ufeff1", "\v1", "\u00a01", "1\x00",
		`["` + long + `","short","` + long + `\n` + `",{"` + long + `":1}]`, `["","",{"":""}]`,
		`nul`, `nulll`, `true`, `falsee`, `tru`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
		`{a:1}`, `{1:2}`, `{"a" 1}`, `{"a":1]`, `[1}`, ``, ` `, "\n[\r\t]\n",
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
	}
}

// checkParse compares Parse with referenceParse: in the value or in the text of the error.
func checkParse(t *testing.T, text []byte) {
	t.Helper()
	original := bytes.Clone(text)
	want, wantErr := referenceParse(text)
	got, err := jsontree.Parse(text)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%.200q: got the error %v, want %v", text, err, wantErr)
	}
	if err != nil {
		return
	}
	if !identical(want, got) {
		t.Fatalf("%.200q: got %s, want %s", text, jsontree.Marshal(got), jsontree.Marshal(want))
	}

	clear(text) // The value must not share the memory of the text.
	if !identical(want, got) {
		t.Fatalf("%.200q: the value has changed with the text", original)
	}

	written := jsontree.Marshal(got)
	again, err := jsontree.Parse(written)
	if err != nil || !jsontree.Equal(got, again) || !utf8.Valid(written) {
		t.Fatalf("%.200q became %s: %v", original, written, err)
	}
	if text, size := jsontree.Text(got), jsontree.Size(got); text != string(written) || size != len(written) {
		t.Fatalf("%.200q: Text %.200q and Size %d differ from Marshal", original, text, size)
	}
}

func TestParseAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range edgeCases() {
		checkParse(t, []byte(text))
	}
}

func FuzzParse(f *testing.F) {
	const maxSeed = 1000 // Mutations of longer texts are slow.
	for _, text := range edgeCases() {
		if len(text) <= maxSeed {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkParse(t, bytes.Clone(text)) })
}

func TestObjectsOfOneTextDoNotChangeEachOther(t *testing.T) {
	v, err := jsontree.Parse([]byte(`[{"a":1,"b":2},{"a":3,"b":4},{"a":5,"b":6}]`))
	if err != nil {
		t.Fatal(err)
	}
	rows := v.([]any)
	rows[0].(*jsontree.Object).Set("c", int64(7)) // The rows share their keys.
	rows[1].(*jsontree.Object).Set("d", int64(8))
	rows[1].(*jsontree.Object).Set("a", int64(9))
	clone := rows[2].(*jsontree.Object).Clone()
	clone.Set("e", int64(10))
	if got, want := jsontree.Text(v), `[{"a":1,"b":2,"c":7},{"a":9,"b":4,"d":8},{"a":5,"b":6}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseRepeatedReturnsTheRepeatedKeys(t *testing.T) {
	v, repeated, err := jsontree.ParseRepeated([]byte(`{"a":{"x":1,"y":2,"x":3,"x":4},"b":{"x":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := v.(*jsontree.Object).Get("a")
	if keys := repeated[a.(*jsontree.Object)]; len(repeated) != 1 || !slices.Equal(keys, []string{"x", "x"}) {
		t.Errorf("got %v", repeated)
	}
}
