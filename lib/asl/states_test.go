package asl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// inStateA is the beginning of the cause of an error that Step Functions itself raises in state A.
const inStateA = "An error occurred while executing the state 'A' (entered at the event id #2). "

func TestStatesReturnTheirOutputs(t *testing.T) {
	const input = `{"a":{"b":1,"c":"x"},"list":[1,2,3],"n":2,"when":"2000-01-01T00:00:05Z","bad":"soon"}`
	for _, test := range []struct {
		name  string
		state string        // The fields of the only state, without End.
		want  string        // As resultText returns it.
		after time.Duration // How long the execution takes.
	}{
		{"pass", `"Type":"Pass","InputPath":"$.a"`, `{"b":1,"c":"x"}`, 0},
		{"null output path", `"Type":"Pass","OutputPath":null`, `{}`, 0},
		{"pass a result", `"Type":"Pass","Result":{"x.$":"$"}`, `{"x.$":"$"}`, 0},
		{"result into a path", `"Type":"Pass","InputPath":"$.a.c","ResultPath":"$.a.d","OutputPath":"$.a"`, `{"b":1,"c":"x","d":"x"}`, 0},
		{"discard the result", `"Type":"Pass","Result":1,"ResultPath":null,"OutputPath":"$.n"`, `2`, 0},
		{"parameters", `"Type":"Pass","Parameters":{"fixed":[1,{"in.$":"$.a.c"}],"sum.$":"States.MathAdd($.n, 1)","me.$":"$$.State.Name"}`, `{"fixed":[1,{"in":"x"}],"sum":3,"me":"A"}`, 0},
		{"input path that selects nothing", `"Type":"Pass","InputPath":"$.z"`, "FAILED States.Runtime " + inStateA + "Invalid path '$.z' : No results for path: $['z']", 0},
		{"result path that is out of range", `"Type":"Pass","ResultPath":"$.list[5]"`, "FAILED States.ResultPathMatchFailure " + inStateA + "Unable to apply ReferencePath $.list[5] to input " + input, 0},
		{"intrinsic function that fails", `"Type":"Pass","Parameters":{"x.$":"States.ArrayGetItem($.list, 9)"}`, "FAILED States.IntrinsicFailure " + inStateA +
			"The function 'States.ArrayGetItem($.list, 9)' had the following error: the index is out of range", 0},
		{"path with many deep steps", `"Type":"Pass","InputPath":"$..*..*..*..*"`, `[]`, 0},

		{"query", `"Type":"Pass","QueryLanguage":"JSONata","Output":{"n":"{% $states.input.n + 1 %}","fixed":" {% 1 %} "}`, `{"n":3,"fixed":" {% 1 %} "}`, 0},
		{"undefined query", `"Type":"Pass","QueryLanguage":"JSONata","Output":["{% $states.input.z %}"]`, "FAILED States.QueryEvaluationError " + inStateA +
			"The JSONata expression '$states.input.z' specified for the field 'Output[0]' returned nothing (undefined).", 0},
		{"query that fails", `"Type":"Pass","QueryLanguage":"JSONata","Output":{"x":"{% 1 + $states.input.a.c %}"}`, "FAILED States.QueryEvaluationError " + inStateA +
			"The JSONata expression '1 + $states.input.a.c' specified for the field 'Output/x' threw an error during evaluation. " +
			"T2002: The right side of the \"+\" operator must evaluate to a number", 0},
		{"exact integers", `"Type":"Pass","QueryLanguage":"JSONata","Output":"{% [9007199254740993, $parse('12345678901234567890')] %}"`, `[9007199254740993,12345678901234567890]`, 0},

		{"succeed", `"Type":"Succeed","InputPath":"$.list"`, `[1,2,3]`, 0},
		{"fail", `"Type":"Fail","Error":"E","Cause":"C"`, `FAILED E C`, 0},
		{"fail by path", `"Type":"Fail","ErrorPath":"$.a.c","CausePath":"States.Format('n is {}', $.n)"`, `FAILED x n is 2`, 0},
		{"fail by query", `"Type":"Fail","QueryLanguage":"JSONata","Error":"{% $states.input.a.c %}","Cause":"{% 'n is ' & $states.input.n %}"`, `FAILED x n is 2`, 0},
		{"fail by a query that is not a string", `"Type":"Fail","QueryLanguage":"JSONata","Error":"{% 1 %}"`, "FAILED States.QueryEvaluationError " + inStateA +
			"The JSONata expression '1' specified for the field 'Error' returned an unexpected result type. Expected 'string', but was 'number' for value: 1", 0},

		{"wait", `"Type":"Wait","Seconds":3,"OutputPath":"$.n"`, `2`, 3 * time.Second},
		{"wait by path", `"Type":"Wait","SecondsPath":"$.n","OutputPath":"$.n"`, `2`, 2 * time.Second},
		{"wait until", `"Type":"Wait","Timestamp":"2000-01-01T00:00:04Z","OutputPath":"$.n"`, `2`, 4 * time.Second},
		{"wait until by path", `"Type":"Wait","TimestampPath":"$.when","OutputPath":"$.n"`, `2`, 5 * time.Second},
		{"wait by query", `"Type":"Wait","QueryLanguage":"JSONata","Seconds":"{% $states.input.n * 3 %}","Output":1`, `1`, 6 * time.Second},
		{"wait until by query", `"Type":"Wait","QueryLanguage":"JSONata","Timestamp":"{% $states.input.when %}","Output":1`, `1`, 5 * time.Second},
		{"wait for the past", `"Type":"Wait","Timestamp":"1999-01-01T00:00:00Z","OutputPath":"$.n"`, `2`, 0},
		{"wait by a path that is not a number", `"Type":"Wait","SecondsPath":"$.bad"`, "FAILED States.Runtime " + inStateA + "The SecondsPath parameter cannot be parsed as a long value: $.bad == soon", 0},
		{"wait until a text that is not a time", `"Type":"Wait","QueryLanguage":"JSONata","Timestamp":"{% $states.input.bad %}"`, "FAILED States.QueryEvaluationError " + inStateA +
			"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: soon", 0},
		{"wait a negative time", `"Type":"Wait","QueryLanguage":"JSONata","Seconds":"{% -1 %}"`, "FAILED States.QueryEvaluationError " + inStateA +
			"The field 'Seconds' must be between 0 and 99999999 but was: -1", 0},

		{"timeout by a path that is not a number", `"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSecondsPath":"$.bad"`,
			"FAILED States.Runtime " + inStateA + "The TimeoutSecondsPath parameter does not reference a positive integer: $.bad == soon", 0},

		{"map", `"Type":"Map","ItemsPath":"$.list","ItemSelector":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value","n.$":"$.n"},
			"ResultSelector":{"all.$":"$[*].v"},"ResultPath":"$.r","OutputPath":"$.r",` + endingProcessor(`"Type":"Pass"`), `{"all":[1,2,3]}`, 0},
		{"map by query", `"Type":"Map","QueryLanguage":"JSONata","Items":"{% $states.input.list %}","ItemSelector":"{% $states.context.Map.Item.Value * 2 %}",` +
			endingProcessor(`"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.input + $states.context.Map.Item.Index %}"`), `[2,5,8]`, 0},
		{"map over a value that is not an array", `"Type":"Map","InputPath":"$.n",` + endingProcessor(`"Type":"Pass"`), "FAILED States.Runtime " + inStateA + `Reference path "$" must point to array.`, 0},
		{"map that fails", `"Type":"Map","ItemsPath":"$.list","MaxConcurrency":1,` + processor(`"Type":"Fail","Error":"E"`), `FAILED E `, 0},
		{"distributed map", `"Type":"Map","ItemsPath":"$.list",` + distributed(`"Type":"Pass","Parameters":{"x.$":"$$.Execution.Input"}`), `[{"x":1},{"x":2},{"x":3}]`, 0},
		{"tolerated failures", `"Type":"Map","ItemsPath":"$.list","ToleratedFailureCount":2,` + acceptOnlyThree, `[3]`, 0},
		{"tolerated percentage", `"Type":"Map","ItemsPath":"$.list","ToleratedFailurePercentage":67,` + acceptOnlyThree, `[3]`, 0},
		{"too many failures", `"Type":"Map","ItemsPath":"$.list","ToleratedFailureCount":1,` + acceptOnlyThree,
			"FAILED States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded", 0},

		{
			"map over an object", `"Type":"Map","ItemsPath":"$.a",` + endingProcessor(`"Type":"Pass"`) + `,"ItemSelector":{"k.$":"$$.Map.Item.Key","i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value"}`,
			`[{"k":"b","i":0,"v":1},{"k":"c","i":1,"v":"x"}]`, 0,
		},
		{"parallel", `"Type":"Parallel","Branches":[` + branch(`"Type":"Pass","OutputPath":"$.n"`) + `,` + otherBranch(`"Type":"Wait","Seconds":2,"OutputPath":"$.a.b"`) + `]`, `[2,1]`, 2 * time.Second},
		{"parallel that fails", `"Type":"Parallel","Branches":[{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}},` + branch(`"Type":"Wait","Seconds":60`) + `]`, `FAILED E `, 0},
		{"parallel by query", `"Type":"Parallel","QueryLanguage":"JSONata","Arguments":"{% $states.input.n %}","Branches":[` + branch(`"Type":"Pass"`) + `],"Output":"{% $states.result[0] + 1 %}"`, `3`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				end := `,"End":true`
				if strings.HasPrefix(test.state, `"Type":"Succeed"`) || strings.HasPrefix(test.state, `"Type":"Fail"`) {
					end = ""
				}

				m := parse(t, `{"StartAt":"A","States":{"A":{`+test.state+end+`}}}`)
				if diff := cmp.Diff(test.want, resultText(m.Run(t.Context(), asl.Execution{Input: []byte(input)}))); diff != "" {
					t.Error(diff)
				}
				if after := time.Since(start); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
			})
		})
	}
}

// processor returns an ItemProcessor with one state, which must be terminal.
func processor(state string) string {
	return `"ItemProcessor":{"StartAt":"I","States":{"I":{` + state + `}}}`
}

// endingProcessor returns an ItemProcessor with one state, to which it adds "End": true.
func endingProcessor(state string) string { return processor(state + `,"End":true`) }

// branch returns a branch of a Parallel state with one state, to which it adds "End": true.
func branch(state string) string { return `{"StartAt":"I","States":{"I":{` + state + `,"End":true}}}` }

// otherBranch does what branch does, with another name for the state.
func otherBranch(state string) string { return strings.ReplaceAll(branch(state), `"I"`, `"J"`) }

// distributed returns endingProcessor's result with the mode DISTRIBUTED.
func distributed(state string) string {
	return strings.Replace(endingProcessor(state), `{"StartAt"`, `{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt"`, 1)
}

// acceptOnlyThree is a distributed processor that fails for all items except 3.
const acceptOnlyThree = `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"C","States":{
	"C":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":3,"Next":"S"}],"Default":"F"},"S":{"Type":"Succeed"},"F":{"Type":"Fail"}}}`

func TestVariablesFollowTheirScopes(t *testing.T) {
	for _, test := range []struct{ name, definition, want string }{
		{
			"visible in the next states, not in the same one",
			`{"QueryLanguage":"JSONata","StartAt":"A","States":{
				"A":{"Type":"Pass","Assign":{"x":1},"Next":"B"},
				"B":{"Type":"Pass","Assign":{"x":2,"y":"{% $x %}"},"Output":"{% $x %}","Next":"C"},
				"C":{"Type":"Pass","Output":"{% [$states.input, $x, $y] %}","End":true}}}`,
			`[1,2,1]`,
		},
		{
			"a Map state has an inner scope", `{"QueryLanguage":"JSONata","StartAt":"A","States":{
				"A":{"Type":"Pass","Assign":{"x":1},"Next":"M"},
				"M":{"Type":"Map","Items":[5,6],"ItemProcessor":{"StartAt":"I","States":{
					"I":{"Type":"Pass","Assign":{"inner":"{% $states.input + $x %}"},"Next":"J"},"J":{"Type":"Pass","Output":"{% $inner %}","End":true}}},"Next":"B"},
				"B":{"Type":"Pass","Output":"{% [$states.input, $exists($inner)] %}","End":true}}}`,
			`[6,7,false]`,
		},
		{
			"not visible in a distributed map", `{"QueryLanguage":"JSONata","StartAt":"A","States":{
				"A":{"Type":"Pass","Assign":{"x":1},"Next":"M"},
				"M":{"Type":"Map","Items":[5],` + distributed(`"Type":"Pass","Output":"{% $exists($x) %}"`) + `,"End":true}}}`,
			`[false]`,
		},
		{
			"visible in both languages", `{"StartAt":"A","States":{
				"A":{"Type":"Pass","Assign":{"x.$":"$.in","y":{"z":[7]}},"Next":"B"},
				"B":{"Type":"Pass","Parameters":{"x.$":"$x","z.$":"$y.z[0]"},"Next":"C"},
				"C":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.input.z + $y.z[0] %}","End":true}}}`,
			`14`,
		},
		{
			"assigned by a choice", `{"QueryLanguage":"JSONata","StartAt":"A","States":{
				"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.in = 1 %}","Assign":{"x":"one"},"Output":"{% 2 %}","Next":"B"}],"Assign":{"x":"other"},"Default":"B"},
				"B":{"Type":"Pass","Output":"{% $x & $states.input %}","End":true}}}`,
			`"one2"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := resultText(parse(t, test.definition).Run(t.Context(), asl.Execution{Input: []byte(`{"in":1}`)})); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFailedIterationAbortsItsSiblings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history

		m := parse(t, `{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"T","States":{
			"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}}},"End":true}}}`)
		result := m.Run(t.Context(), asl.Execution{
			Input: []byte(`[1,2]`), Record: h.record,
			Tasks: taskFunc(func(ctx context.Context, task asl.Task) (json.RawMessage, error) {
				if string(task.Arguments) == "2" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				time.Sleep(time.Second)
				return nil, &asl.Error{Name: "Broken"}
			}),
		})

		if got := resultText(result); got != "FAILED Broken " {
			t.Errorf("got %s", got)
		}
		if got, want := h.eventTypes(), "TaskFailed MapIterationFailed"; !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}

		for _, once := range []string{"MapIterationFailed", "MapIterationAborted", "MapStateFailed"} {
			if n := strings.Count(h.eventTypes(), once); n != 1 {
				t.Errorf("%d of %s in %s", n, once, h.eventTypes())
			}
		}

		// The event is recorded for both tasks: the one that failed and the one that was cancelled.
		if n := strings.Count(h.eventTypes(), "TaskStateAborted"); n != 2 {
			t.Errorf("%d of TaskStateAborted in %s", n, h.eventTypes())
		}
	})
}

func TestDistributedMapChildrenRecordNoHistory(t *testing.T) {
	var h history
	m := parse(t, `{"StartAt":"M","States":{"M":{"Type":"Map",`+distributed(`"Type":"Pass"`)+`,"End":true}}}`)
	m.Run(t.Context(), asl.Execution{Input: []byte(`[1,2]`), Record: h.record})

	want := "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunSucceeded MapStateSucceeded MapStateExited ExecutionSucceeded"
	if got := h.eventTypes(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestContextObjectDescribesTheExecution(t *testing.T) {
	start := time.Date(2026, 11, 22, 10, 0, 0, 5_000_000, time.UTC)
	m := parse(t, `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass",
		"Output":"{% $states.context ~> |State|{'EnteredTime': 'then'}| %}","End":true}}}`)
	for _, test := range []struct{ id, redrive string }{
		{"arn:aws:states:eu-central-1:111111111111:execution:m:e", `,"RedriveCount":0`},
		{"arn:aws:states:eu-central-1:111111111111:express:m:e:1", ``},
	} {
		want := fmt.Sprintf(`{"Execution":{"Id":%q,"Input":{"a":1},"Name":"e","RoleArn":"role","StartTime":"2026-11-22T10:00:00.005Z"%s},`+
			`"State":{"Name":"A","EnteredTime":"then"},"StateMachine":{"Id":"machine","Name":"m"}}`, test.id, test.redrive)
		got := resultText(m.Run(t.Context(), asl.Execution{
			ID: test.id, Name: "e", RoleARN: "role", StateMachineID: "machine", StateMachineName: "m", Start: start, Input: []byte(`{"a":1}`),
		}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestExpressProblemsNamesUnsupportedIntegrations(t *testing.T) {
	m := parse(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","End":true}}}],"End":true}}}`)
	if got := m.ExpressProblems(); len(got) != 1 || !strings.Contains(got[0].Rule, "'.sync:2'") {
		t.Errorf("got %v", got)
	}
	if got := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`).ExpressProblems(); got != nil {
		t.Errorf("got %v, want none", got)
	}
}
