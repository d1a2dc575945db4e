package asl

import (
	"errors"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// store is the value that the paths of the tests select from. The paths are written without their first $, as parsePath takes them.
const store = `{"book":[{"title":"A","price":8.95,"tags":["x","y"]},{"title":"B","price":12.99,"isbn":"1"},{"title":"C","price":9}],
	"bicycle":{"color":"red","price":19.95},"odd name":{"it's":1},"empty":[]}`

func parseJSON(t *testing.T, text string) any {
	t.Helper()
	v, err := jsontree.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPathSelectsWhatJaywaySelects(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{``, store},
		{`.bicycle.color`, `"red"`},
		{`['bicycle']["color"]`, `"red"`},
		{`['odd name']['it\'s']`, `1`},
		{`.book[0].title`, `"A"`},
		{`.book[-1].title`, `"C"`},
		{`.book[*].title`, `["A","B","C"]`},
		{`.book[0,2].title`, `["A","C"]`},
		{`.book[1:].title`, `["B","C"]`},
		{`.book[:2].title`, `["A","B"]`},
		{`.book[-2:].title`, `["B","C"]`},
		{`.book[0:3:2].title`, `["A","C"]`},
		{`.book[0]['title','price']`, `[{"title":"A","price":8.95}]`},
		{`..price`, `[8.95,12.99,9,19.95]`},
		{`..book[0].title`, `["A"]`},
		{`.bicycle.*`, `["red",19.95]`},
		{`.book[?(@.isbn)].title`, `["B"]`},
		{`.book[?(!@.isbn)].title`, `["A","C"]`},
		{`.book[?(@.price < 10)].title`, `["A","C"]`},
		{`.book[?(@.price >= 9 && @.title != 'C')].title`, `["B"]`},
		{`.book[?(@.title == 'A' || (@.title == "C"))].price`, `[8.95,9]`},
		{`.book[?(@.price > $.bicycle.price)].title`, `[]`},
		{`.book[?(@.title in ['A','C'])].title`, `["A","C"]`},
		{`.book[?(@.title nin ['A','C'])].title`, `["B"]`},
		{`.book[?(@.title =~ /[ab]/i)].title`, `["A","B"]`},
		{`.book[?(@.tags[0] == 'x')].title`, `["A"]`},
		{`.missing[*].title`, `[]`},
		{`.book[?(@.tags contains 'x')].title`, `["A"]`},
		{`.book[?(@.tags SIZE 2)].title`, `["A"]`},
		{`.book[?(@.tags empty false)].title`, `["A"]`},
		{`.book[?(@.tags subsetof ['x','y','z'])].title`, `["A"]`},
		{`.book[?(@.tags anyof ['y'])].title`, `["A"]`},
		{`.book[?(@.tags noneof ['z'])].title`, `["A"]`},
		{`.book[?(@.title === 'B')].title`, `["B"]`},
		{`.book[?(@.tags.length() == 2)].title`, `["A"]`},
		{`.a-b=c`, `No results for path: $['a-b=c']`},
		{`.book[?(@.title == A)].price`, `[8.95]`},
		{`.book[?(@.title==A||@.title==C-1)].price`, `[8.95]`},
		{` .bicycle.color `, `"red"`},
		{`.book.length()`, `3`},
		{`.book[*].title.length()`, `3`},
		{`.bicycle.keys()`, `["color","price"]`},
		{`.book[0].tags.last()`, `"y"`},
		{`.book[0].tags.index(0)`, `"x"`},
		{`.bicycle.color.length()`, `null`},

		// Errors.
		{`.empty[0]`, `No results for path: $['empty'][0]`},
		{`.missing`, `No results for path: $['missing']`},
		{`.book[*].price.sum()`, `The function sum() has no value for path: $.book[*].price.sum()`},
		{`.book.nosuch()`, `The function nosuch() has no value for path: $.book.nosuch()`},
		{`.missing.leaf`, `Missing property in path $['missing']`},
		{`.book.title`, `No results for path: $['book']['title']`},
	} {
		p, err := parsePath(test.path)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}

		v, err := p.eval(parseJSON(t, store))
		got := string(jsontree.Marshal(v))
		if err != nil {
			got = err.Error()
		}

		want := test.want
		if want == store { // Compact, as Marshal returns it.
			want = string(jsontree.Marshal(parseJSON(t, store)))
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", test.path, got, want)
		}
	}
}

func TestParseRejectsInvalidPaths(t *testing.T) {
	for _, text := range []string{
		`.`, `.a.`, `a`, `[`, `[]`, `['a]`, `['a'`, `[a]`, `[0`, `[1:2:0]`, `[1:2:3:4]`, `[?]`, `[?(]`, `[?(@.a == )]`, `[?(@.a =~ b)]`,
		`[?(@.a =~ /(/)]`, `.a b`, `.a.length(`, `.length().b`, `[?(@.a == b c)]`,
	} {
		if _, err := parsePath(text); !errors.Is(err, errPath) {
			t.Errorf("%s: %v, want it refused", text, err)
		}
	}
}

func TestPathSetReturnsAChangedCopy(t *testing.T) {
	for _, test := range []struct{ value, path, want string }{
		{`{"a":1}`, ``, `"new"`},
		{`{"a":1}`, `.b`, `{"a":1,"b":"new"}`},
		{`{"a":1,"b":2}`, `.a`, `{"a":"new","b":2}`},
		{`{"a":{"x":1}}`, `.a.b.c`, `{"a":{"x":1,"b":{"c":"new"}}}`},
		{`[1,2]`, `[1]`, `[1,"new"]`},
		{`null`, `.a`, `{"a":"new"}`},
	} {
		p, err := parsePath(test.path)
		if err != nil {
			t.Fatal(err)
		}

		before := parseJSON(t, test.value)
		v, ok := p.set(before, "new")
		if got := string(jsontree.Marshal(v)); !ok || got != test.want {
			t.Errorf("%s in %s: got %s, want %s", test.path, test.value, got, test.want)
		}
		if after := string(jsontree.Marshal(before)); after != test.value {
			t.Errorf("%s in %s: the value was changed to %s", test.path, test.value, after)
		}
	}
}

func TestPathSetRejectsPathsThatDoNotFitTheValue(t *testing.T) {
	for _, test := range []struct{ value, path string }{{`5`, `.a`}, {`{"a":1}`, `.a.b`}, {`{"a":[1]}`, `.a.b`}, {`[1]`, `[1]`}, {`{}`, `[0]`}} {
		p, err := parsePath(test.path)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := p.set(parseJSON(t, test.value), "new"); ok {
			t.Errorf("%s in %s: got %s, want it refused", test.path, test.value, jsontree.Marshal(v))
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{`.a[0]`, `..a[?(@.b == 'c' && !@.d)]`, `['a','b'][1:-1:2]`, `[?(@.a =~ /b/i)]`} {
		f.Add(seed)
	}

	v, err := jsontree.Parse([]byte(store))
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text)
		if err != nil {
			if !errors.Is(err, errPath) {
				t.Errorf("unexpected error %v", err)
			}
			return
		}

		if found, err := p.eval(v); err == nil && !p.isDefinite() {
			if _, ok := found.([]any); !ok {
				t.Errorf("an indefinite path gave %v", found)
			}
		}
	})
}
