package asl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/benchtest"
)

// This file measures the interpreter. Each benchmark measures ours and its floor in turns, and reports the median of their ratios.

// benchmarkStates is how many states the benchmarks' executions run.
const benchmarkStates = 100

// payload returns a JSON text of about size bytes, with rows of strings and numbers.
func payload(size int) []byte {
	var rows []string
	for n := 0; n < size; {
		row := fmt.Sprintf(`{"id":%d,"name":"part %d","price":%d.25,"tags":["a","b"],"ok":true}`, len(rows), len(rows), len(rows))
		rows, n = append(rows, row), n+len(row)+1
	}
	return []byte(`{"rows":[` + strings.Join(rows, ",") + `]}`)
}

// chain returns a definition of states that run one after the other; state is the fields of each, without Next and End.
func chain(states int, state string) string {
	parts := make([]string, states)
	for i := range parts {
		next := fmt.Sprintf(`"Next":"S%d"`, i+1)
		if i == states-1 {
			next = `"End":true`
		}
		parts[i] = fmt.Sprintf(`"S%d":{%s,%s}`, i, state, next)
	}
	return `{"StartAt":"S0","States":{` + strings.Join(parts, ",") + `}}`
}

// stringData returns the address of a string's bytes.
func stringData(s string) *byte { return unsafe.StringData(s) }

// BenchmarkPass measures the time per Pass state of an execution whose events are recorded. The floor is the same execution without
// a payload.
func BenchmarkPass(b *testing.B) {
	m, err := asl.Parse([]byte(chain(benchmarkStates, `"Type":"Pass"`)))
	if err != nil {
		b.Fatal(err)
	}
	run := func(input []byte) {
		var h history
		if result := m.Run(b.Context(), asl.Execution{Input: input, Record: h.record}); result.Error != nil {
			b.Fatal(result.Error)
		}
	}
	for _, size := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			input := payload(size)
			benchtest.Compare(b, benchmarkStates, func() { run(input) }, func() { run([]byte(`{}`)) })
		})
	}
}

// BenchmarkHistory measures the memory that the history of Pass states takes, per event. The floor is the history of the same
// execution without a payload.
func BenchmarkHistory(b *testing.B) {
	m, err := asl.Parse([]byte(chain(benchmarkStates, `"Type":"Pass"`)))
	if err != nil {
		b.Fatal(err)
	}
	const executions = 20
	bytesPerEvent := func(input []byte) float64 {
		var before, after runtime.MemStats
		histories := make([]history, executions)
		runtime.GC()
		runtime.ReadMemStats(&before)
		events := 0
		for i := range histories {
			m.Run(b.Context(), asl.Execution{Input: input, Record: histories[i].record})
			histories[i].events = slices.Clip(histories[i].events)
			events += len(histories[i].events)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(histories)
		return (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(events)
	}

	input := payload(10_000)
	var ours, floor float64
	for b.Loop() {
		ours, floor = bytesPerEvent(input), bytesPerEvent([]byte(`{}`))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours, "ours-B/event")
	b.ReportMetric(floor, "floor-B/event")
	b.ReportMetric(ours/floor, "ratio")
}

// BenchmarkTask measures the time per Task state whose arguments and result are a payload. The floor reads the result and writes it
// with encoding/json.
func BenchmarkTask(b *testing.B) {
	m, err := asl.Parse([]byte(chain(benchmarkStates, `"Type":"Task","Resource":"arn:aws:lambda:eu-central-1:111111111111:function:f"`)))
	if err != nil {
		b.Fatal(err)
	}
	echo := taskFunc(func(_ context.Context, t asl.Task) (json.RawMessage, error) { return t.Arguments, nil })
	for _, size := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			input := payload(size)
			benchtest.Compare(b, benchmarkStates, func() {
				var h history
				if result := m.Run(b.Context(), asl.Execution{Input: input, Tasks: echo, Record: h.record}); result.Error != nil {
					b.Fatal(result.Error)
				}
			}, func() {
				for range benchmarkStates {
					var v any
					if err := json.Unmarshal(input, &v); err != nil {
						b.Fatal(err)
					}
					if _, err := json.Marshal(v); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// thousandExpressions returns a definition of 1,000 states with an expression each.
func thousandExpressions() string {
	return strings.Replace(chain(1000,
		`"Type":"Pass","Output":"{% $merge([$states.input, {'n': $count($states.input.rows[ok]) + 1}]) %}"`), "{", `{"QueryLanguage":"JSONata",`, 1)
}

// BenchmarkParse measures how long Parse takes for a definition of 1,000 states with an expression each. The floor is json.Unmarshal
// of its text.
func BenchmarkParse(b *testing.B) {
	definition := []byte(thousandExpressions())
	benchtest.Compare(b, 1, func() {
		if _, err := asl.Parse(definition); err != nil {
			b.Fatal(err)
		}
	}, func() {
		var v any
		if err := json.Unmarshal(definition, &v); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkExpressions measures the time per state of expressions over a payload of 10,000 bytes. The floor reads the payload once
// with encoding/json.
func BenchmarkExpressions(b *testing.B) {
	input := payload(10_000)
	for _, expression := range []string{
		"$sum($states.input.rows.price)", "$states.input.rows[id > 50].name", "$states.input.rows^(>price)[0]",
		"$map($states.input.rows, function($r) { $r.id * 2 })", "$states.input.rows{$string(id % 3): $count(name)}", "$states.input",
		"$merge([$states.input, {'n': 1}])",
	} {
		b.Run(expression, func(b *testing.B) {
			m, err := asl.Parse([]byte(`{"QueryLanguage":"JSONata","StartAt":"V","States":{"V":{"Type":"Pass","Next":"S0",
				"Assign":{"v":"{% $states.input %}"}},` + strings.TrimPrefix(
				chain(benchmarkStates, `"Type":"Pass","Assign":{"x":"{% `+expression+` %}"}`), `{"StartAt":"S0","States":{`)))
			if err != nil {
				b.Fatal(err)
			}
			benchtest.Compare(b, benchmarkStates, func() {
				if result := m.Run(b.Context(), asl.Execution{Input: input}); result.Error != nil {
					b.Fatal(result.Error)
				}
			}, func() {
				for range benchmarkStates {
					var v any
					if err := json.Unmarshal(input, &v); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
