package cloud_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/benchtest"
)

// BenchmarkMemory measures the notifier at the share of a processor that Lambda gives it with some sizes of memory. Each iteration starts
// a process under the limit, and sends it the first state of a job of a user with one connection. The results are medians in
// milliseconds:
//
//	cold          the start and the first event: nothing is started before
//	provisioned   the first event of a process that has started: an environment of provisioned concurrency
func BenchmarkMemory(b *testing.B) {
	newShare(b) // Skip the benchmark before it builds the function, if processor time cannot be limited.
	variables, _ := startAWS(b)
	path, jobs := program(b, "notifier"), 0
	sizes := []int{128, 256, 512, 1024, wholeProcessorMB}
	cold, provisioned := map[int][]float64{}, map[int][]float64{}
	for b.Loop() {
		for _, memory := range sizes { // in turns, so that other work of the machine disturbs all alike
			jobs++
			init, first := memoryStart(b, path, variables, memory, jobs)
			cold[memory], provisioned[memory] = append(cold[memory], init+first), append(provisioned[memory], first)
		}
	}
	b.ReportMetric(0, "ns/op") // 0 removes this metric.
	var rows strings.Builder
	for _, memory := range sizes {
		fmt.Fprintf(&rows, "\n| %d |", memory) // of a table in this package's page
		for name, values := range map[string][]float64{"cold": cold[memory], "provisioned": provisioned[memory]} {
			b.ReportMetric(benchtest.Quantile(values, 0.5), fmt.Sprintf("%s-%dMB-p50-ms", name, memory))
		}
		for _, values := range [][]float64{cold[memory], provisioned[memory]} {
			fmt.Fprintf(&rows, " %.0f / %.0f |", benchtest.Quantile(values, 0.5), benchtest.Quantile(values, 0.99))
		}
	}
	b.Log(rows.String())
}

// memoryStart starts the notifier under the limit of a size of memory, and sends it the first state of a job. It returns how long both
// took, in milliseconds.
func memoryStart(b *testing.B, path string, variables []string, memory, job int) (init, first float64) {
	b.Helper()
	group := newShare(b)
	group.quota = sharePeriod * memory / wholeProcessorMB
	if err := group.limit(true); err != nil {
		b.Fatal(err)
	}
	p, err := startProcess(b, group.command(b, path), variables...)
	if err != nil {
		b.Fatal(err)
	}
	event := fmt.Sprintf(`{"userId":"user-1","epoch":"2026-11-22T10:00:00Z","message":{"type":"upload_progress",`+
		`"data":{"uploadId":"memory-%d","fileName":"parts-list.csv","progress":42.5,"message":"Parsing row 4250"}}}`, job)
	body, took, err := p.timed(b.Context(), []byte(event))
	if err != nil || !strings.Contains(string(body), `"delivered":1,`) {
		b.Fatalf("answer is %s (%v)\n%s", body, err, p.output)
	}
	_ = p.process.Kill()
	<-p.ended

	return benchtest.Milliseconds(p.InitTook), benchtest.Milliseconds(took)
}
