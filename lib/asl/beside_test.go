package asl_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/benchtest"
)

// rivalModules is the environment variable with the folder node_modules in which aws-local-stepfunctions is installed. If the package
// node is there, too, its Node.js runs it.
const rivalModules = "LOCAL_STEPFUNCTIONS_NODE_MODULES"

// A rival is a process that runs state machines with aws-local-stepfunctions.
type rival struct {
	in  io.Writer
	out *bufio.Reader
}

// startRival starts the process. It skips the benchmark if the variable is not set.
func startRival(b *testing.B) *rival {
	b.Helper()
	modules := os.Getenv(rivalModules)
	if modules == "" {
		b.Skip(rivalModules + " is not set: nothing to compare with")
	}
	node := filepath.Join(modules, "node", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	cmd := exec.CommandContext(b.Context(), node, "--expose-gc", "testdata/local_stepfunctions.cjs", modules)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &rival{in: in, out: bufio.NewReader(out)}
}

// send sends a request. It returns the milliseconds that it took, and the bytes of the history if the request asks for them.
func (r *rival) send(b *testing.B, request map[string]any) (milliseconds, bytes float64) {
	b.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		b.Fatal(err)
	}
	reply, err := r.out.ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	var answer struct {
		Milliseconds, Bytes float64
		Error               string
	}
	if err := json.Unmarshal(reply, &answer); err != nil || answer.Error != "" {
		b.Fatal(answer.Error, err)
	}
	return answer.Milliseconds, answer.Bytes
}

// A contest collects what was measured of both sides.
type contest struct{ ours, theirs, ratios []float64 }

func (c *contest) add(ours, theirs float64) {
	c.ours, c.theirs, c.ratios = append(c.ours, ours), append(c.theirs, theirs), append(c.ratios, theirs/ours)
}

// report reports the medians in the unit, and how many times as much theirs is.
func (c *contest) report(b *testing.B, unit string) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(benchtest.Median(c.ours), "ours-"+unit)
	b.ReportMetric(benchtest.Median(c.theirs), "theirs-"+unit)
	b.ReportMetric(benchtest.Median(c.ratios), "ratio")
}

// countingLoop counts to 500 with 1,000 transitions.
const countingLoop = `{"StartAt":"Add","States":{
	"Add":{"Type":"Pass","Parameters":{"i.$":"States.MathAdd($.i, 1)"},"Next":"Check"},
	"Check":{"Type":"Choice","Choices":[{"Variable":"$.i","NumericLessThan":500,"Next":"Add"}],"Default":"Done"},
	"Done":{"Type":"Succeed"}}}`

// BenchmarkBesideLocalStepFunctions compares the interpreter with aws-local-stepfunctions, in turns. Times are in microseconds per
// transition, or in milliseconds for a whole Map state or definition. Before it measures, both sides have run what is measured.
func BenchmarkBesideLocalStepFunctions(b *testing.B) {
	r := startRival(b)
	const states, executions = 1000, 5
	passes := chain(states, `"Type":"Pass"`)
	for _, size := range []int{0, 1_000, 10_000, 100_000} {
		for _, record := range []bool{false, true} {
			b.Run(fmt.Sprintf("Pass of %d bytes, recorded %t", size, record), func(b *testing.B) {
				r.compareRuns(b, passes, payload(size), record, executions, states*executions*1e-3, "µs")
			})
		}
	}
	b.Run("counting loop", func(b *testing.B) {
		r.compareRuns(b, countingLoop, []byte(`{"i":0}`), false, executions, states*executions*1e-3, "µs")
	})

	b.Run("map of 10000 items", func(b *testing.B) {
		items := "[" + strings.Repeat("1,", 9999) + "1]"
		r.compareRuns(b, `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,
			"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}}}}`, []byte(items), false, 1, 1, "ms")
	})
	for _, size := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("history of %d bytes", size), func(b *testing.B) { r.compareMemory(b, passes, payload(size), states) })
	}
	b.Run("load", func(b *testing.B) { r.compareLoads(b, thousandExpressions()) })
}

// compareRuns compares the time of executions, in milliseconds divided by parts.
func (r *rival) compareRuns(b *testing.B, definition string, input []byte, record bool, executions int, parts float64, unit string) {
	b.Helper()
	m := r.load(b, definition)
	request := map[string]any{"input": json.RawMessage(input), "record": record, "executions": executions}
	run := func() float64 {
		start := time.Now()
		for range executions {
			e, h := asl.Execution{Input: input}, history{}
			if record {
				e.Record = h.record
			}
			if result := m.Run(b.Context(), e); result.Error != nil {
				b.Fatal(result.Error)
			}
		}
		return benchtest.Milliseconds(time.Since(start))
	}

	var c contest
	run()
	r.send(b, request)
	for b.Loop() {
		theirs, _ := r.send(b, request)
		c.add(run()/parts, theirs/parts)
	}
	c.report(b, unit)
}

// compareMemory compares the bytes that the history takes, per transition.
func (r *rival) compareMemory(b *testing.B, definition string, input []byte, states int) {
	b.Helper()
	const executions = 20
	m := r.load(b, definition)
	histories := make([]history, executions)
	var c contest
	for b.Loop() {
		var before, after runtime.MemStats
		clear(histories)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range histories {
			m.Run(b.Context(), asl.Execution{Input: input, Record: histories[i].record})
			histories[i].events = slices.Clip(histories[i].events)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(histories)
		ours := float64(after.HeapAlloc) - float64(before.HeapAlloc)
		_, theirs := r.send(b, map[string]any{
			"input": json.RawMessage(input), "record": true, "executions": executions, "measureMemory": true,
		})
		c.add(ours/float64(states*executions), theirs/float64(states*executions))
	}
	c.report(b, "B")
}

// compareLoads compares the time that it takes to load a definition.
func (r *rival) compareLoads(b *testing.B, definition string) {
	b.Helper()
	request := map[string]any{"load": json.RawMessage(definition)}
	var c contest
	r.send(b, request)
	for b.Loop() {
		theirs, _ := r.send(b, request)
		start := time.Now()
		if _, err := asl.Parse([]byte(definition)); err != nil {
			b.Fatal(err)
		}
		c.add(benchtest.Milliseconds(time.Since(start)), theirs)
	}
	c.report(b, "ms")
}

// load loads a definition on both sides.
func (r *rival) load(b *testing.B, definition string) *asl.Machine {
	b.Helper()
	r.send(b, map[string]any{"load": json.RawMessage(definition)})
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		b.Fatal(fmt.Errorf("parse: %w", err))
	}
	return m
}
