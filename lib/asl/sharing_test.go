package asl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// sharedInput is the input of the executions in this file.
const sharedInput = `{"o":{"b":[3,1,2],"c":{"d":"x"}},"list":[{"k":2},{"k":1}],"s":"text"}`

// changes are expressions that make a changed value of $states.input and of the variable $v, which is the same value.
func changes() []string {
	return []string{
		`$states.input ~> |o|{'b':9,'new':1},['c']|`,
		`$states.input ~> |**|{'new':1}|`,
		`$states.input ~> |$v|{'new':1},['o']|`, // The pattern selects the variable itself, not a part of the copy.
		`$states.input ~> |$v.o|{'new':1},['c']|`,
		`$v ~> |$states.input.list|{'new':1},['k']|`,
		`($x := $v; $x ~> |$|{'o':$v.list}| ~> |o|{'new':1}|)`,
		`($a := $v ~> |list|{'from':$v.o}|; $a ~> |list.from|{'new':1},['b']|)`,
		`$merge([$v, {'o':1,'list':2}])`,
		`$sort($v.o.b)`, `$reverse($v.o.b)`, `$shuffle($v.o.b)`, `$append($v.o.b, 4)`, `$append($v.o.b[[0..1]], 4)`, `$distinct($append($v.o.b, 3))`,
		`$v.list^(k)`, `$v.list[k=1]`, `$v.list[]`, `$v.o.b[]`, `$map($v.list, function($r) { $r ~> |$|{'k':0}| })`,
		`$each($v.o, function($x) { $x })`, `$sift($v, function($x) { $type($x) = 'string' })`, `$spread($v)`, `$v.**`, `$v.*`,
		`$reduce($v.list, function($a, $b) { $merge([$a, $b]) })`, `$zip($v.o.b, $v.list)`, `$partition($v.o.b, 2)`, `[$v.o.b, 4]`,
		`$v.list{$string(k): $}`, `$lookup($v, 'o') ~> |c|{'d':'y'}|`,
	}
}

// TestValuesDoNotChangeThroughAnotherPath assigns the input to a variable, and makes changed values of both in states, branches and
// iterations that run at once. The input, the variable and the texts of all events must stay as they are.
func TestValuesDoNotChangeThroughAnotherPath(t *testing.T) {
	for _, expression := range changes() {
		t.Run(expression, func(t *testing.T) {
			quoted, err := json.Marshal("{% " + expression + " %}")
			if err != nil {
				t.Fatal(err)
			}
			change := func(name string) string { // The names of states are unique in the whole machine.
				return fmt.Sprintf(`{"StartAt":"%[2]s1","States":{"%[2]s1":{"Type":"Pass","Output":%[1]s,"Assign":{"mine":%[1]s},"Next":"%[2]s2"},
					"%[2]s2":{"Type":"Pass","Output":"{%% $v %%}","End":true}}}`, quoted, name)
			}
			m := parse(t, fmt.Sprintf(`{"QueryLanguage":"JSONata","StartAt":"A","States":{
				"A":{"Type":"Pass","Assign":{"v":"{%% $states.input %%}"},"Next":"B"},
				"B":{"Type":"Parallel","Branches":[%[1]s,%[2]s,{"StartAt":"R","States":{"R":{"Type":"Pass","End":true}}}],
					"Output":"{%% $states.input %%}","Next":"M"},
				"M":{"Type":"Map","Items":"{%% [$v, $v, $states.input] %%}","ItemProcessor":%[3]s,"Output":"{%% $states.result %%}","Next":"E"},
				"E":{"Type":"Pass","Output":"{%% {'results': $states.input, 'variable': $v, 'first': $states.context.Execution.Input} %%}","End":true}}}`, change("C"), change("D"), change("I")))

			var h history
			result := m.Run(t.Context(), asl.Execution{Input: []byte(sharedInput), Record: h.record})
			want := fmt.Sprintf(`{"results":[%[1]s,%[1]s,%[1]s],"variable":%[1]s,"first":%[1]s}`, sharedInput)
			if got := resultText(result); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}

			for _, e := range h.events {
				fields, _ := e.Details.Map()["stateEnteredEventDetails"].(map[string]any)
				if name := fields["name"]; slices.Contains([]any{"A", "B", "R", "M"}, name) && fields["input"] != sharedInput {
					t.Errorf("the input of %v is %v", name, fields["input"])
				}
			}
		})
	}
}

// TestPathsDoNotChangeTheInput does the same in JSONPath, with the fields and intrinsic functions that make a changed value.
func TestPathsDoNotChangeTheInput(t *testing.T) {
	for _, fields := range []string{
		`"Result":1,"ResultPath":"$.o.b[0]"`, `"Result":1,"ResultPath":"$.o.c.d"`, `"Result":1,"ResultPath":"$.new"`,
		`"Parameters":{"m.$":"States.JsonMerge($.o, $.list[0], false)"},"ResultPath":"$.o"`,
		`"Parameters":{"u.$":"States.ArrayUnique($.o.b)","p.$":"States.ArrayPartition($.o.b, 2)","a.$":"States.Array($.o.b, 1)"}`,
		`"Parameters":{"all.$":"$..b","list.$":"$.list[?(@.k > 1)]"},"OutputPath":"$.list"`,
	} {
		t.Run(fields, func(t *testing.T) {
			branch := `{"StartAt":"C","States":{"C":{"Type":"Pass",` + fields + `,"Next":"D"},"D":{"Type":"Pass","Parameters":{"v.$":"$v"},"OutputPath":"$.v","End":true}}}`
			m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v.$":"$"},"Next":"B"},
				"B":{"Type":"Parallel","Branches":[`+branch+`,`+strings.NewReplacer(`"C"`, `"E"`, `"D"`, `"F"`).Replace(branch)+`],"ResultPath":"$.results","End":true}}}`)
			want := strings.TrimSuffix(sharedInput, "}") + `,"results":[` + sharedInput + `,` + sharedInput + `]}`
			if got := resultText(m.Run(t.Context(), asl.Execution{Input: []byte(sharedInput)})); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestTasksCannotChangeTheDataOfAnExecution lets a task overwrite its arguments and the result that it has returned.
func TestTasksCannotChangeTheDataOfAnExecution(t *testing.T) {
	var (
		h       history
		results []json.RawMessage
	)
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:eu-central-1:111111111111:function:f","Next":"B"},
		"B":{"Type":"Task","Resource":"arn:aws:lambda:eu-central-1:111111111111:function:f","End":true}}}`)
	input := []byte(sharedInput)
	result := m.Run(t.Context(), asl.Execution{Input: input, Record: h.record, Tasks: taskFunc(
		func(_ context.Context, task asl.Task) (json.RawMessage, error) {
			clear(input)
			for _, earlier := range results {
				clear(earlier)
			}
			results = append(results, slices.Clone(task.Arguments))
			clear(task.Arguments)
			return results[len(results)-1], nil
		})})
	if got := resultText(result); got != sharedInput {
		t.Errorf("got %s", got)
	}

	texts := 0
	for _, e := range h.events {
		for _, details := range e.Details.Map() {
			for _, name := range []string{"input", "output"} {
				if text, ok := details.(map[string]any)[name]; ok {
					texts++
					if text != sharedInput {
						t.Errorf("%s of %s is %v", name, e.Type, text)
					}
				}
			}
		}
	}
	if texts != 10 { // Of ExecutionStarted and ExecutionSucceeded, and four of each task.
		t.Errorf("%d texts", texts)
	}
}

// TestHistoryHoldsEachTextOnce runs states that pass a large value on: the memory of the events must not grow with the value.
func TestHistoryHoldsEachTextOnce(t *testing.T) {
	const size = 100_000
	var h history
	m := parse(t, chain(100, `"Type":"Pass"`))
	m.Run(t.Context(), asl.Execution{Input: payload(size), Record: h.record})

	seen := map[*byte]bool{}
	for _, e := range h.events {
		for _, details := range e.Details.Map() {
			for _, name := range []string{"input", "output"} {
				if text, ok := details.(map[string]any)[name].(string); ok {
					seen[stringData(text)] = true
				}
			}
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d texts, want 1", len(seen))
	}
}
