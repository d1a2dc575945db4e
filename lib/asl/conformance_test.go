package asl_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/herald-progress/herald/lib/asl"
)

// This file runs executions that were recorded on AWS, and compares status, output, error and history with the recording. Other
// files use the helpers of this file for recorded calls of TestState and recorded validations.

// A recordedTask is the result of a task of a recorded execution.
type recordedTask struct {
	Outcome string          `json:"outcome"` // "succeeded", or the type of the event of the failure, such as TaskTimedOut.
	Output  json.RawMessage `json:"output"`
	Error   string          `json:"error"`
	Cause   json.RawMessage `json:"cause"`
}

// A recordedCase is an execution recorded on AWS.
type recordedCase struct {
	Name       string          `json:"name"`
	Definition json.RawMessage `json:"definition"`
	Input      json.RawMessage `json:"input"`
	Ready      bool            `json:"ready"`
	Features   []string        `json:"features"`
	Tasks      []recordedTask  `json:"tasks"`
	Expected   struct {
		Status   string          `json:"status"`
		Output   json.RawMessage `json:"output"`
		Error    string          `json:"error"`
		Cause    json.RawMessage `json:"cause"`
		Events   []string        `json:"events"`
		States   []string        `json:"states"`
		Assigned []struct {
			State    string         `json:"state"`
			Assigned map[string]any `json:"assigned"`
		} `json:"assigned"`
	} `json:"expected"`
}

// readLines decodes each line of a file of the conformance data. It skips the test if CONFORMANCE_DIR is not set.
func readLines[T any](tb testing.TB, name string) []T {
	tb.Helper()
	folder := os.Getenv("CONFORMANCE_DIR")
	if folder == "" {
		tb.Skip("CONFORMANCE_DIR is not set: the recorded executions are not checked")
	}

	file, err := os.Open(filepath.Join(folder, "asl", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var items []T
	const maxLine = 16 << 20 // Far more than the longest recording.
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, maxLine)

	for scanner.Scan() {
		var item T
		d := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
		if err := d.Decode(&item); err != nil {
			tb.Fatal(err)
		}
		items = append(items, item)
	}

	if err := scanner.Err(); err != nil {
		tb.Fatal(err)
	}
	return items
}

// replayedTasks answers tasks with their recorded results, in order. After the last recorded result it answers each task with the
// task's arguments.
type replayedTasks struct {
	mu    sync.Mutex
	tasks []recordedTask
}

func (r *replayedTasks) RunTask(ctx context.Context, t asl.Task) (json.RawMessage, error) {
	r.mu.Lock()
	if len(r.tasks) == 0 {
		r.mu.Unlock()
		return t.Arguments, nil
	}

	next := r.tasks[0]
	r.tasks = r.tasks[1:]
	r.mu.Unlock()

	switch {
	case next.Outcome == "succeeded":
		return next.Output, nil
	case strings.HasSuffix(next.Outcome, "TimedOut"):
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case next.Error == "":
		return nil, errors.New("the recording does not say how the task ended")
	default:
		return nil, &asl.Error{Name: next.Error, Cause: causeText(next.Cause)}
	}
}

// causeText returns a recorded cause as text. A cause that was JSON text is recorded as an object.
func causeText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// placeholder matches the text that a recording contains instead of a value that differs each time, such as <uuid:1>.
var placeholder = regexp.MustCompile(`<[A-Za-z_][^<>]*>`)

// matchText reports whether got matches a recorded text. A placeholder matches any text. JSON texts are compared as values.
func matchText(want, got string) bool {
	if want == got || slices.Contains([]string{"timestamp", "date", "datetime"}, want) { // These three are placeholders, too.
		return true
	}
	var wantValue, gotValue any
	if json.Unmarshal([]byte(want), &wantValue) == nil && json.Unmarshal([]byte(got), &gotValue) == nil {
		if _, isText := wantValue.(string); !isText {
			return matchValue(wantValue, gotValue)
		}
	}

	parts := placeholder.Split(want, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(got)
}

// matchValue reports whether two JSON values match; their strings are compared by matchText.
func matchValue(want, got any) bool {
	switch want := want.(type) {
	case string:
		text, ok := got.(string)
		return ok && matchText(want, text)
	case []any:
		items, ok := got.([]any)
		return ok && slices.EqualFunc(want, items, matchValue)
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok || len(fields) != len(want) {
			return false
		}

		for key, value := range want {
			if other, ok := fields[key]; !ok || !matchValue(value, other) {
				return false
			}
		}
		return true
	default:
		return want == got
	}
}

// matchJSON reports whether two JSON texts match as values; two empty texts match.
func matchJSON(want, got json.RawMessage) bool {
	var wantValue, gotValue any
	if len(want) == 0 || len(got) == 0 {
		return len(want) == len(got)
	}
	return json.Unmarshal(want, &wantValue) == nil && json.Unmarshal(got, &gotValue) == nil && matchValue(wantValue, gotValue)
}

// runCase runs a recorded case in virtual time and returns its differences from the recording.
func runCase(t *testing.T, c recordedCase) []string {
	t.Helper()
	var differences []string
	synctest.Test(t, func(t *testing.T) {
		m, err := asl.Parse(c.Definition)
		if err != nil {
			differences = []string{err.Error()}
			return
		}

		var events []asl.Event
		result := m.Run(t.Context(), asl.Execution{
			ID:      "arn:aws:states:us-east-1:111111111111:execution:machine:run",
			Name:    "run",
			RoleARN: "snf_role_arn", StateMachineName: "machine",
			StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine",
			Input:          c.Input,
			Tasks:          &replayedTasks{tasks: c.Tasks},
			Record:         func(e asl.Event) { events = append(events, e) },
		})
		differences = append(compareResult(c, result), compareEvents(c, events)...)
	})
	return differences
}

// compareResult returns the differences of a result from the recording.
func compareResult(c recordedCase, got asl.Result) []string {
	var differences []string
	report := func(what string, want, got any) {
		differences = append(differences, fmt.Sprintf("%s: want %s, got %s", what, want, got))
	}
	if c.Expected.Status != string(got.Status) {
		report("status", c.Expected.Status, got.Status)
	}
	if !matchJSON(c.Expected.Output, got.Output) {
		report("output", c.Expected.Output, got.Output)
	}

	failure := asl.Error{}
	if got.Error != nil {
		failure = *got.Error
	}
	if c.Expected.Error != failure.Name {
		report("error", c.Expected.Error, failure.Name)
	}
	if !matchText(causeText(c.Expected.Cause), failure.Cause) {
		report("cause", c.Expected.Cause, failure.Cause)
	}
	return differences
}

// compareEvents returns the differences of a history from the recording: in the types of its events, the states that were entered, and
// the states that assigned variables.
func compareEvents(c recordedCase, got []asl.Event) []string {
	if c.Expected.Events == nil {
		return nil
	}

	var (
		types, states []string
		differences   []string
		assigned      []string
	)
	for _, e := range got {
		types = append(types, e.Type)
		if entered, ok := e.Details.Map()["stateEnteredEventDetails"].(map[string]any); ok {
			states = append(states, fmt.Sprint(entered["name"]))
		}
		exited, _ := e.Details.Map()["stateExitedEventDetails"].(map[string]any)
		if _, ok := exited["assignedVariables"]; ok {
			assigned = append(assigned, fmt.Sprint(exited["name"]))
		}
	}

	var wantAssigned []string
	for _, a := range c.Expected.Assigned {
		wantAssigned = append(wantAssigned, a.State)
	}

	for _, list := range []struct {
		what      string
		want, got []string
	}{
		{"events", c.Expected.Events, types},
		{"states", c.Expected.States, states},
		{"assigned", wantAssigned, assigned},
	} {
		want, got := slices.Clone(list.want), slices.Clone(list.got)
		if isConcurrent(c) {
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(want, got) {
			differences = append(differences, fmt.Sprintf("%s: want %v, got %v", list.what, list.want, list.got))
		}
	}

	return differences
}

// isConcurrent reports whether the order of a case's events depends on scheduling.
func isConcurrent(c recordedCase) bool {
	return slices.Contains(c.Features, "Parallel") ||
		slices.Contains(c.Features, "Map") && !bytes.Contains(c.Definition, []byte(`"MaxConcurrency`))
}

func TestExecutionsEndAsRecordedOnAWS(t *testing.T) {
	t.Parallel()
	run, agree := 0, 0
	wasRun := map[string]bool{}
	for _, c := range readLines[recordedCase](t, "cases.jsonl") {
		if !c.Ready { // The recording cannot be replayed, or is not deterministic.
			continue
		}

		run++

		t.Run(c.Name, func(t *testing.T) {
			differences := runCase(t, c)
			reason, isKnown := knownDifferences[c.Name]
			wasRun[c.Name] = true

			switch {
			case len(differences) == 0 && isKnown:
				t.Errorf("no longer differs; it is listed as %q", reason)
			case len(differences) > 0 && !isKnown:
				t.Error(strings.Join(differences, "\n"))
			case len(differences) == 0:
				agree++
			}
		})
	}

	for name := range knownDifferences {
		if !wasRun[name] {
			t.Errorf("%s is listed as differing but was not run", name)
		}
	}

	t.Logf("%d of %d recorded executions agree", agree, run)
}
