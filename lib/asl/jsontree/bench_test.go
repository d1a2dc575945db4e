package jsontree_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsontree"
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

// compare runs ours and floor in turns. It reports their medians in microseconds, and the median of the ratios.
func compare(b *testing.B, ours, floor func()) {
	b.Helper()
	var oursTimes, floorTimes, ratios []float64
	measure := func(f func()) float64 {
		start := time.Now()
		f()
		return float64(time.Since(start)) / float64(time.Microsecond)
	}
	for b.Loop() {
		oursTime, floorTime := measure(ours), measure(floor)
		oursTimes, floorTimes, ratios = append(oursTimes, oursTime), append(floorTimes, floorTime), append(ratios, oursTime/floorTime)
	}
	b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations.
	for unit, values := range map[string][]float64{"ratio": ratios, "ours-µs": oursTimes, "floor-µs": floorTimes} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

// BenchmarkParse compares Parse with its floor: json.Unmarshal into an any, which keeps neither the order of keys nor the digits of
// integers.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := table(size)
			compare(b, func() {
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
			compare(b, func() { jsontree.Text(v) }, func() {
				if _, err := json.Marshal(plain); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
