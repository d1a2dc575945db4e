package trace_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/trace"
)

const executionARN = "arn:aws:states:us-east-1:123456789012:execution:m:x"

// workflows are the names of the definitions in testdata/watched, and an input for each.
var workflows = map[string]string{
	"transcode": `{}`, "thumbnails": `{"files":[1,2,3,4,5,6,7,8,9,10,11,12]}`, "analyse": `{}`, "order": `{"amount":2000}`, "flaky": `{}`,
	"poller": `{"userId":"u","jobId":"j"}`, "approval": `{}`, "express": `{}`, "nested": `{"userId":"u"}`, "saga": `{}`, "render": `{"scenes":[1,2,3,4,5,6,7,8]}`,
}

// definition returns a definition in testdata/watched.
func definition(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile("../../testdata/watched/" + name + ".asl.json")
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.ReplaceAll(text, []byte("${ChildStateMachineArn}"), []byte("arn:aws:states:us-east-1:123456789012:stateMachine:child"))
}

func plan(tb testing.TB, name string) *trace.Plan {
	tb.Helper()
	p, err := trace.NewPlan(definition(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// scripted runs tasks: each takes 1 to 19 seconds, by its state's name, with some noise. The task of Call service fails twice, and some
// tasks fail always.
type scripted struct {
	mu    sync.Mutex
	noise *rand.Rand
	calls map[string]int
}

// RunTask implements [asl.Tasks].
func (s *scripted) RunTask(ctx context.Context, task asl.Task) (json.RawMessage, error) {
	s.mu.Lock()
	s.calls[task.State]++
	call := s.calls[task.State]
	took := time.Duration(float64(len(task.State)%10*2+1) * (0.95 + 0.1*s.noise.Float64()) * float64(time.Second))
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if task.State == "Call service" && call < 3 || task.State == "Optional step" || task.State == "Book flight" {
		return nil, &asl.Error{Name: "Broken"}
	}
	return json.RawMessage(`{"ok":true}`), nil
}

// run runs a workflow in virtual time and returns its log.
func run(t *testing.T, name, input string, seed uint64) [][]byte {
	t.Helper()
	var lines [][]byte
	synctest.Test(t, func(t *testing.T) {
		machine, err := asl.Parse(definition(t, name))
		if err != nil {
			t.Fatal(err)
		}
		machine.Run(t.Context(), asl.Execution{
			ID: executionARN, Input: []byte(input), Tasks: &scripted{noise: rand.New(rand.NewPCG(seed, 1)), calls: map[string]int{}},
			Record: func(e asl.Event) {
				line, err := e.LogLine(executionARN, 0, false)
				if err != nil {
					t.Error(err)
				}
				lines = append(lines, line)
			},
		})
	})
	return lines
}

// parse parses log lines that all are events.
func parse(tb testing.TB, lines [][]byte) []trace.Event {
	tb.Helper()
	var events []trace.Event
	for _, line := range lines {
		e, err := trace.ParseEvent(line)
		if err != nil {
			tb.Fatalf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

// encode returns the encoding of a trace with the events.
func encode(tb testing.TB, events []trace.Event) string {
	tb.Helper()
	t := &trace.Trace{}
	for _, e := range events {
		t.Add(e)
	}
	data, err := t.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// compress returns a text as a subscription filter sends it.
func compress(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

// stepsText returns the steps as one text.
func stepsText(v trace.View) string {
	var parts []string
	for _, s := range v.Steps {
		parts = append(parts, s.Text()+" "+string(s.Status))
	}
	return strings.Join(parts, ", ")
}
