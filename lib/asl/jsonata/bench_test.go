package jsonata_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl/jsonata"
	"github.com/herald-progress/herald/lib/asl/jsontree"
)

// everyDay holds expressions as workflows have them.
var everyDay = []struct{ name, expr string }{
	{"field", `order.customer.name`},
	{"merge", `$merge([order.customer, {"status": "done", "count": 3}])`},
	{"filter", `order.lines[price > 50 and stock].sku`},
	{"sum", `$sum(order.lines.(price * quantity))`},
	{"map", `$map(order.lines, function($l, $i) { {"n": $i, "sku": $l.sku, "total": $l.price * $l.quantity} })`},
	{"group", `order.lines{colour: $sum(quantity)}`},
	{"sort", `order.lines^(>price, sku).sku`},
	{"string", `"Order " & order.id & " of " & $uppercase(order.customer.name) & ": " & $join(order.lines.sku, ", ")`},
	{"reduce", `$reduce(order.lines.quantity, function($a, $b) { $a + $b }, 0)`},
	{"condition", `order.customer.vip ? "gold" : order.total > 100 ? "silver" : "plain"`},
}

// benchmarkInput returns an order with 100 lines.
func benchmarkInput() string {
	const lines = 100
	var rows []string
	for i := range lines {
		rows = append(rows, fmt.Sprintf(`{"sku":"part-%03d","price":%d.5,"quantity":%d,"colour":%q,"stock":%t}`,
			i, i*7%lines, i%9+1, []string{"red", "blue", "green", "black"}[i%4], i%3 > 0))
	}
	return `{"order":{"id":4711,"total":120,"customer":{"name":"Ada","vip":false,"city":"London"},"lines":[` + strings.Join(rows, ",") + `]}}`
}

// BenchmarkEveryDay compares the evaluation of everyday expressions with npm jsonata, in turns. It reports the medians in microseconds,
// and how many times as fast as npm jsonata ours is.
func BenchmarkEveryDay(b *testing.B) {
	r := startReference(b)
	input := benchmarkInput()
	v, err := jsontree.Parse([]byte(input))
	if err != nil {
		b.Fatal(err)
	}

	for _, e := range everyDay {
		b.Run(e.name, func(b *testing.B) {
			x, err := jsonata.Compile(e.expr)
			if err != nil {
				b.Fatal(err)
			}
			const repeat = 200
			request := map[string]any{"expr": e.expr, "input": json.RawMessage(input), "repeat": repeat}
			r.send(b, request) // Warms up the compiler of JavaScript.

			var ours, theirs, ratios []float64
			for b.Loop() {
				start := time.Now()
				for range repeat {
					if _, err := x.EvalInput(v, nil); err != nil {
						b.Fatal(err)
					}
				}
				oursTime := float64(time.Since(start)) / float64(time.Microsecond) / repeat
				theirsTime := r.send(b, request).Microseconds
				ours, theirs, ratios = append(ours, oursTime), append(theirs, theirsTime), append(ratios, theirsTime/oursTime)
			}
			b.ReportMetric(0, "ns/op") // 0 removes the default metric, which would be the sum of both durations.
			for unit, values := range map[string][]float64{"ratio": ratios, "ours-µs": ours, "npm-µs": theirs} {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], unit)
			}
		})
	}
}
