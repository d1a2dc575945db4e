package cloud_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/herald-progress/herald/cdkapp/bootstrap"
	"github.com/herald-progress/herald/lib/benchtest"
)

// otherFunctions is the variable with a folder of functions of another version, as [bootstrap.Build] makes it, for amd64 or arm64 as
// this machine has it. BenchmarkColdStart then measures both versions in turns, and how they compare.
const otherFunctions = "HERALD_OTHER_FUNCTIONS"

// BenchmarkColdStart measures the start of every function at 0.145 of a processor, from its beginning on, and for the functions that
// someone waits for also the first event:
//
//	cold      start and first event, the median in milliseconds
//	size      the program, in MB
//	allocs    what package initialization allocates
//	ratio     cold here, divided by cold of the other version
func BenchmarkColdStart(b *testing.B) {
	newShare(b) // Skip the benchmark before it builds the functions, if processor time cannot be limited.
	variables, _ := startAWS(b)
	variables = append(variables, "UPLOADS_BUCKET=b")
	events := map[string]string{
		"connect": connectEvent(b),
		"notifier": `{"userId":"user-1","epoch":"2026-11-22T10:00:00Z","message":{"type":"upload_progress",` +
			`"data":{"uploadId":"u-42","fileName":"parts-list.csv","progress":42.5,"message":"Parsing row 4250"}}}`,
	}
	for _, function := range bootstrap.Functions() {
		versions := map[string]string{"": program(b, function)}
		if folder := os.Getenv(otherFunctions); folder != "" {
			versions["other-"] = filepath.Join(folder, function, "bootstrap")
		}
		b.Run(function, func(b *testing.B) {
			times := map[string][]float64{}
			for b.Loop() {
				for version, path := range versions { // in any order, so that neither always comes first
					times[version] = append(times[version], coldStart(b, path, variables, events[function]))
				}
			}
			b.ReportMetric(0, "ns/op") // 0 removes this metric.
			for version, path := range versions {
				b.ReportMetric(benchtest.Quantile(times[version], 0.5), version+"cold-p50-ms")
				size, allocs := footprint(b, path)
				b.ReportMetric(size, version+"size-MB")
				b.ReportMetric(allocs, version+"allocs")
			}
			if len(versions) > 1 {
				b.ReportMetric(benchtest.Quantile(times[""], 0.5)/benchtest.Quantile(times["other-"], 0.5), "ratio")
			}
		})
	}
}

// coldStart starts a program under the limit, and sends it an event if there is one. It returns the time that both took, in
// milliseconds.
func coldStart(b *testing.B, path string, variables []string, event string) float64 {
	b.Helper()
	group := newShare(b)
	if err := group.limit(true); err != nil {
		b.Fatal(err)
	}
	p, err := startProcess(b, group.command(b, path), variables...)
	if err != nil {
		b.Fatal(err)
	}
	took := p.InitTook
	if event != "" {
		body, first, err := p.timed(b.Context(), []byte(event))
		if err != nil {
			b.Fatalf("answer is %s (%v)\n%s", body, err, p.output)
		}
		took += first
	}
	_ = p.process.Kill()
	<-p.ended
	return benchtest.Milliseconds(took)
}

// footprint returns the size of a program in MB, and how often the initialization of its packages allocates.
func footprint(b *testing.B, path string) (size, allocs float64) {
	b.Helper()
	file, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), path) // It ends, because its variables are missing.
	command.Env = []string{"GODEBUG=inittrace=1"}
	trace, _ := command.CombinedOutput()
	for line := range strings.Lines(string(trace)) {
		// init net/http @1.2 ms, 0.03 ms clock, 4872 bytes, 62 allocs
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[0] == "init" && fields[len(fields)-1] == "allocs" {
			n, err := strconv.ParseFloat(fields[len(fields)-2], 64)
			if err != nil {
				b.Fatal(err)
			}
			allocs += n
		}
	}
	return float64(file.Size()) / 1e6, allocs
}
