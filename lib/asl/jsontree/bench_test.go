package jsontree_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl/jsontree"
	"github.com/herald-progress/herald/lib/benchtest"
)

// table returns a JSON text of about size bytes: an object with rows of strings and numbers.
func table(size int) []byte {
	var rows []string
	for n := 0; n < size; {
		row := fmt.Sprintf(`{"id":%d,"name":"part %d","price":%d.25,"tags":["a","b"],"ok":true}`, len(rows), len(rows), len(rows))
		rows, n = append(rows, row), n+len(row)+1
	}
	return []byte(`{"rows":[` + strings.Join(rows, ",") + `]}`)
}

// BenchmarkParse compares Parse with its floor: json.Unmarshal into an any, which keeps neither the order of keys nor the digits of
// integers.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := table(size)
			benchtest.Compare(b, 1, func() {
				if _, err := jsontree.Parse(text); err != nil {
					b.Fatal(err)
				}
			}, func() {
				var v any
				if err := json.Unmarshal(text, &v); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkText compares Text with its floor: json.Marshal of the same value as json.Unmarshal returns it.
func BenchmarkText(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := table(size)
			v, err := jsontree.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			var plain any
			if err := json.Unmarshal(text, &plain); err != nil {
				b.Fatal(err)
			}
			benchtest.Compare(b, 1, func() { jsontree.Text(v) }, func() {
				if _, err := json.Marshal(plain); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
