package asl_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// event returns an event with details: pairs of a field and its value.
func event(id int64, kind, details string, pairs ...any) asl.Event {
	fields := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		fields[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return asl.Event{ID: id, Type: kind, Details: asl.NewDetails(details, fields)}
}

// TestARedrivePointHasTheMapRunThatFailed checks which Map run a redrive goes on with after each history.
func TestARedrivePointHasTheMapRunThatFailed(t *testing.T) {
	t.Parallel()
	m := parse(t, `{"StartAt":"First","States":{
		"First":{"Type":"Pass","Assign":{"v":1},"Next":"A"},
		"P":{"Type":"Parallel","End":true,"Branches":[`+strings.NewReplacer(`"A"`, `"Inside"`, `"I"`, `"J"`).Replace(distributedMap(""))+`]},
		`+strings.TrimSuffix(strings.TrimPrefix(strings.Replace(distributedMap(""), `"End":true`, `"Next":"P"`, 1), `{"StartAt":"A","States":{`), `}`)+`}`)
	entered := func(name string) asl.Event {
		return event(0, "MapStateEntered", "stateEnteredEventDetails", "name", name, "input", "[7]")
	}
	started := func(arn string) asl.Event {
		return event(0, "MapRunStarted", "mapRunStartedEventDetails", "mapRunArn", arn)
	}
	failed := func(name string) asl.Event {
		return event(0, "MapRunFailed", "mapRunFailedEventDetails", "error", name)
	}
	again := event(0, "MapRunRedriven", "mapRunRedrivenEventDetails", "mapRunArn", "one", "redriveCount", 1)
	succeeded, ended, redriven := asl.Event{Type: "MapRunSucceeded"}, asl.Event{Type: "ExecutionFailed"}, asl.Event{Type: "ExecutionRedriven"}
	const threshold = "States.ExceedToleratedFailureThreshold"
	for _, test := range []struct {
		name, state, mapRun string
		events              []asl.Event
	}{
		{"nothing", "", "", nil},
		{"not started", "A", "", []asl.Event{entered("A"), ended}},
		{"failed", "A", "one", []asl.Event{entered("A"), started("one"), failed(threshold), ended}},
		{"stopped", "A", "one", []asl.Event{entered("A"), started("one"), ended}},
		{"not read", "A", "one", []asl.Event{entered("A"), started("one"), failed("States.ItemReaderFailed"), ended}},
		{"not written", "A", "one", []asl.Event{entered("A"), started("one"), failed("States.ResultWriterFailed"), ended}},
		{"data limit", "A", "", []asl.Event{entered("A"), started("one"), failed("States.DataLimitExceeded"), ended}},
		{"runtime", "A", "", []asl.Event{entered("A"), started("one"), failed("States.Runtime"), ended}},
		{"the state failed", "A", "", []asl.Event{entered("A"), started("one"), succeeded, ended}},
		{"retried", "A", "two", []asl.Event{entered("A"), started("one"), failed(threshold), started("two"), failed(threshold), ended}},
		{"redriven", "A", "one", []asl.Event{entered("A"), started("one"), failed(threshold), ended, redriven, entered("A"), again, failed(threshold), ended}},
		{"redriven and stopped", "A", "one", []asl.Event{entered("A"), started("one"), ended, redriven, entered("A"), ended}},
		{"entered again", "A", "", []asl.Event{entered("A"), started("one"), failed(threshold), entered("A"), ended}},
		{"inside", "P", "", []asl.Event{entered("P"), entered("Inside"), started("one"), failed(threshold), ended}},
	} {
		for i := range test.events {
			test.events[i].ID = int64(i + 1)
		}
		want := asl.Point{State: test.state, MapRun: test.mapRun, LastEvent: int64(len(test.events)), Variables: map[string]json.RawMessage{}}
		if test.state != "" {
			want.Input = json.RawMessage("[7]")
		}
		if diff := cmp.Diff(want, m.RedrivePoint(test.events)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	assigned := event(1, "PassStateExited", "stateExitedEventDetails", "name", "First", "assignedVariables", map[string]any{"v": "1"})
	if p := m.RedrivePoint([]asl.Event{assigned}); string(p.Variables["v"]) != "1" {
		t.Errorf("variables %v", p.Variables)
	}
}

// redrivenMap runs a redrive of a Distributed Map over items, whose child executions fail for numbers under 3. It returns the result, the
// inputs of the children that ran, and the kinds of the events.
func redrivenMap(t *testing.T, fields, items string, mapRun asl.RedrivenMapRun) (result asl.Result, inputs []string, kinds string) {
	t.Helper()
	var (
		h  history
		mu sync.Mutex
	)
	m := parse(t, strings.Replace(distributedMap(fields), `"I":{"Type":"Pass","End":true}`,
		`"I":{"Type":"Choice","Choices":[{"Variable":"$","NumericLessThan":3,"Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"Small"},"S":{"Type":"Succeed"}`, 1))
	mapRun.ARN = "arn:aws:states:eu-central-1:111111111111:mapRun:machine/A:one"
	mapRun.RedriveCount = 1
	synctest.Test(t, func(t *testing.T) {
		result = m.Redrive(t.Context(), asl.Execution{
			StateMachineID: machineARN, Input: json.RawMessage(`{"b":"b"}`), Record: h.record, Objects: &asl.MemoryObjects{}, RedriveCount: 1,
			RedriveMapRun: func(arn string) (*asl.RedrivenMapRun, error) {
				if arn != "one" {
					t.Errorf("asked for %s", arn)
				}
				return &mapRun, nil
			},
			StartChild: func(c asl.Child) (func(asl.Event), func(asl.Result)) {
				mu.Lock()
				defer mu.Unlock()
				inputs = append(inputs, fmt.Sprintf("%s %v", c.Input, c.Redriven))
				return nil, func(asl.Result) {}
			},
		}, asl.Point{State: "A", Input: json.RawMessage(items), LastEvent: 9, MapRun: "one"})
	})
	slices.Sort(inputs)
	for _, e := range h.events {
		kinds += e.Type + " "
	}
	return result, inputs, strings.TrimSpace(kinds)
}

// pastChild returns a child with an input, which has ended. It failed if its output is "".
func pastChild(index int, input, output string, redrivable bool) asl.RedrivenChild {
	c := asl.RedrivenChild{Index: index, ID: fmt.Sprint("child", index), Name: fmt.Sprint(index), Input: json.RawMessage(input), Items: 1, Redrivable: redrivable}
	if output == "" {
		c.Result = asl.Result{Status: asl.StatusFailed, Error: &asl.Error{Name: "Small"}}
		return c
	}
	c.Result = asl.Result{Status: asl.StatusSucceeded, Output: json.RawMessage(output)}
	return c
}

func TestARedrivenMapRunRunsWhatDidNotSucceed(t *testing.T) {
	t.Parallel()
	count := func(n int64) asl.MapRunLimits { return asl.MapRunLimits{ToleratedFailureCount: &n} }
	const threshold = "FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded"
	for _, test := range []struct {
		name, fields, items string
		mapRun              asl.RedrivenMapRun
		want                string
		ran                 []string
	}{
		{
			"the results stay", "", `[1,4,5]`,
			asl.RedrivenMapRun{Total: 3, Children: []asl.RedrivenChild{pastChild(0, "1", `"kept"`, false), pastChild(1, "4", "", true)}},
			`["kept",4,5]`, []string{"4 true", "5 false"},
		},
		{
			"the limits of the Map run stay", `,"ToleratedFailureCount":0`, `[1,4]`,
			asl.RedrivenMapRun{Total: 2, Limits: count(1), Children: []asl.RedrivenChild{pastChild(0, "1", "", true)}}, `[4]`, []string{"1 true", "4 false"},
		},
		{
			"a child that cannot be redriven has failed", "", `[1,4]`,
			asl.RedrivenMapRun{Total: 2, Children: []asl.RedrivenChild{pastChild(0, "1", "", false)}}, threshold, nil,
		},
		{
			"and may be tolerated", "", `[1,4]`,
			asl.RedrivenMapRun{Total: 2, Limits: count(1), Children: []asl.RedrivenChild{pastChild(0, "1", "", false)}}, `[4]`, []string{"4 false"},
		},
		{
			"no items are needed if all children have started", readerFrom(`"InputType":"JSON"`), `{"b":"b"}`,
			asl.RedrivenMapRun{Total: 1, Children: []asl.RedrivenChild{pastChild(0, "4", "", true)}}, `[4]`, []string{"4 true"},
		},
		{
			"the items that were read", readerFrom(`"InputType":"JSON"`), `{"b":"b"}`,
			asl.RedrivenMapRun{Total: 2, Dataset: json.RawMessage(`[4,5]`), Children: []asl.RedrivenChild{pastChild(0, "4", "", true)}}, `[4,5]`, []string{"4 true", "5 false"},
		},
		{
			"no stored items", readerFrom(`"InputType":"JSON"`), `{"b":"b"}`, asl.RedrivenMapRun{Total: 2},
			"the items of the child executions that have not started are not stored.", nil,
		},
		{
			"damaged items", readerFrom(`"InputType":"JSON"`), `{"b":"b"}`, asl.RedrivenMapRun{Total: 2, Dataset: json.RawMessage(`[`)},
			"The stored items of the Map Run are not valid JSON: ", nil,
		},
		{"another number of children", "", `[4,5]`, asl.RedrivenMapRun{Total: 3}, "it had 3 child executions, and now it would have 2. Another redrive starts a new Map Run.", nil},
		{
			"other batches", `,"ItemBatcher":{"MaxItemsPerBatch":2}`, `[4,5,6]`,
			asl.RedrivenMapRun{Total: 2, Children: []asl.RedrivenChild{pastChild(0, `{"Items":[4]}`, "", true)}}, "the child execution with the index 0 had other items.", nil,
		},
		{"an unknown index", "", `[4,5]`, asl.RedrivenMapRun{Total: 2, Children: []asl.RedrivenChild{pastChild(2, "4", "", true)}}, "it has no child execution with the index 2.", nil},
		{"a damaged input", "", `[4]`, asl.RedrivenMapRun{Total: 1, Children: []asl.RedrivenChild{pastChild(0, "{", "", true)}}, "The input of the child execution 0 is not valid JSON", nil},
		{"a damaged output", "", `[4]`, asl.RedrivenMapRun{Total: 1, Children: []asl.RedrivenChild{pastChild(0, "4", "{", false)}}, "The output of the child execution 0 is not valid JSON", nil},
	} {
		result, ran, kinds := redrivenMap(t, test.fields, test.items, test.mapRun)
		if got := resultText(result); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if !slices.Equal(ran, test.ran) {
			t.Errorf("%s: the children %q ran, want %q", test.name, ran, test.ran)
		}
		if !strings.HasPrefix(kinds, "ExecutionRedriven MapStateEntered MapStateStarted MapRunRedriven MapRun") {
			t.Errorf("%s: history %s", test.name, kinds)
		}
	}
}

// TestARetryAfterARedriveStartsANewMapRun checks that only the first attempt of the state goes on with the Map run.
func TestARetryAfterARedriveStartsANewMapRun(t *testing.T) {
	t.Parallel()
	result, ran, kinds := redrivenMap(t, `,"Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":1}]`, `[1]`,
		asl.RedrivenMapRun{Total: 1, Children: []asl.RedrivenChild{pastChild(0, "1", "", true)}})
	if result.Status != asl.StatusFailed || !slices.Equal(ran, []string{"1 false", "1 true"}) || !strings.Contains(kinds, "MapRunRedriven MapRunFailed MapStateStarted MapRunStarted MapRunFailed") {
		t.Errorf("%s, %q, %s", resultText(result), ran, kinds)
	}
}

// TestAMapRunThatIsGoneFailsItsState checks the error of RedriveMapRun.
func TestAMapRunThatIsGoneFailsItsState(t *testing.T) {
	t.Parallel()
	point := asl.Point{State: "A", Input: json.RawMessage(`[1]`), MapRun: "one"}
	for _, test := range []struct {
		err  error
		want string
	}{{nil, `[1]`}, {fmt.Errorf("gone since %v", time.Hour), "gone since 1h0m0s"}} {
		result := parse(t, distributedMap("")).Redrive(t.Context(), asl.Execution{
			Input: json.RawMessage(`{}`), RedriveMapRun: func(string) (*asl.RedrivenMapRun, error) { return nil, test.err },
		}, point)
		if got := resultText(result); !strings.Contains(got, test.want) {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
