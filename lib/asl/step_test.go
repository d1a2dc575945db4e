package asl_test

import (
	"context"
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

// traced is a workflow with all kinds of steps.
const traced = `{"QueryLanguage":"JSONata","StartAt":"Check","States":{
	"Check":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n = 0 %}","Next":"None"},{"Condition":"{% $states.input.n = 1 %}","Next":"One"}],"Default":"Each"},
	"None":{"Type":"Succeed"},
	"One":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Retry":[{"ErrorEquals":["Never"]},
		{"ErrorEquals":["Busy"],"IntervalSeconds":3,"MaxAttempts":1,"JitterStrategy":"FULL"}],
		"Catch":[{"ErrorEquals":["Never"],"Next":"None"},{"ErrorEquals":["States.ALL"],"Next":"Bad"}],"Next":"None"},
	"Bad":{"Type":"Fail","Error":"Bad"},
	"Each":{"Type":"Map","Items":[7,8],"MaxConcurrency":1,"ItemProcessor":{"StartAt":"Split","States":{
		"Split":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"Inside","States":{"Inside":{"Type":"Pass","End":true}}}]}}},"End":true}}}`

// trace runs a workflow whose tasks fail as often as there are errors, and returns a line for each step.
func trace(t *testing.T, definition, input string, errs ...string) []string {
	t.Helper()
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu    sync.Mutex
		lines []string
	)
	start := time.Now()
	m.Run(t.Context(), asl.Execution{
		Input: json.RawMessage(input), StateMachineID: "arn:aws:states:eu-central-1:111111111111:stateMachine:m",
		Jitter: func(longest time.Duration) time.Duration { return longest },
		Tasks: taskFunc(func(context.Context, asl.Task) (json.RawMessage, error) {
			if len(errs) == 0 {
				return json.RawMessage(`"sent"`), nil
			}
			name := errs[0]
			errs = errs[1:]
			return nil, &asl.Error{Name: name}
		}),
		Trace: func(s asl.Step) {
			mu.Lock()
			defer mu.Unlock()
			line := fmt.Sprint(s.Time.Sub(start), " ", s.Thread, "/", s.State, " ", s.Kind, " ", s.Field, " ", s.Next, " ", s.Wait, " ", string(s.Data))
			if s.Error != nil {
				line += " " + s.Error.Name
			}
			lines = append(lines, strings.TrimSpace(line))
		},
	})
	return lines
}

func TestTraceSaysWhichFieldOfAStateDecided(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		errs, want  []string
	}{
		{"a rule", `{"n":0}`, nil, []string{
			`0s /Check entered   0s {"n":0}`, `0s /Check exited Choices[0] None 0s {"n":0}`, `0s /None entered   0s {"n":0}`, `0s /None exited   0s {"n":0}`,
		}},
		{"a retrier", `{"n":1}`, []string{"Busy"}, []string{
			`0s /Check entered   0s {"n":1}`, `0s /Check exited Choices[1] One 0s {"n":1}`, `0s /One entered   0s {"n":1}`,
			`0s /One called   0s {"n":1}`, `0s /One retried Retry[1]  3s  Busy`, `3s /One called   0s {"n":1}`, `3s /One returned   0s "sent"`,
			`3s /One exited Next None 0s "sent"`, `3s /None entered   0s "sent"`, `3s /None exited   0s "sent"`,
		}},
		{"a retrier without an attempt left, and a catcher", `{"n":1}`, []string{"Busy", "Busy"}, []string{
			`0s /Check entered   0s {"n":1}`, `0s /Check exited Choices[1] One 0s {"n":1}`, `0s /One entered   0s {"n":1}`,
			`0s /One called   0s {"n":1}`, `0s /One retried Retry[1]  3s  Busy`, `3s /One called   0s {"n":1}`, `3s /One exhausted Retry[1]  0s  Busy`,
			`3s /One exited Catch[1] Bad 0s {"Error":"Busy","Cause":null} Busy`, `3s /Bad entered   0s {"Error":"Busy","Cause":null}`, `3s /Bad failed   0s  Bad`,
		}},
		{"iterations, branches and Default", `{"n":2}`, nil, []string{
			`0s /Check entered   0s {"n":2}`, `0s /Check exited Default Each 0s {"n":2}`, `0s /Each entered   0s {"n":2}`,
			`0s Each[0]/Split entered   0s 7`, `0s Each[0]/Split[0]/Inside entered   0s 7`, `0s Each[0]/Split[0]/Inside exited End  0s 7`, `0s Each[0]/Split exited End  0s [7]`,
			`0s Each[1]/Split entered   0s 8`, `0s Each[1]/Split[0]/Inside entered   0s 8`, `0s Each[1]/Split[0]/Inside exited End  0s 8`, `0s Each[1]/Split exited End  0s [8]`,
			`0s /Each exited End  0s [[7],[8]]`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, trace(t, traced, tt.input, tt.errs...)); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTraceFollowsChildExecutions(t *testing.T) {
	distributed := strings.Replace(traced, `"ItemProcessor":{`, `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},`, 1)
	lines := trace(t, distributed, `{"n":2}`)
	found := slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "Each[1]/Split[0]/Inside exited End") })
	if !found {
		t.Errorf("no step of a state in a child execution: %q", lines)
	}
}

func TestTraceOfAnAbortedState(t *testing.T) {
	lines := trace(t, `{"QueryLanguage":"JSONata","StartAt":"Both","States":{"Both":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"Slow","States":{"Slow":{"Type":"Wait","Seconds":9,"End":true}}},
		{"StartAt":"Bad","States":{"Bad":{"Type":"Fail","Error":"Bad"}}}]}}}`, `{}`)
	if all := strings.Join(lines, "\n"); strings.Contains(all, "Slow entered") && !strings.Contains(all, "Slow aborted") || !strings.Contains(all, "Both failed") {
		t.Errorf("steps %q, want that Slow is aborted and Both fails", lines)
	}
}

func TestOutlineNamesWhatAStateMayDo(t *testing.T) {
	m, err := asl.Parse([]byte(traced))
	if err != nil {
		t.Fatal(err)
	}
	inside := asl.Outline{At: "States.Each.ItemProcessor.States.Split.Branches[0].States", StartAt: "Inside", States: []asl.StateOutline{
		{Name: "Inside", Type: "Pass", Exits: []asl.Exit{{Field: "End"}}},
	}}
	want := asl.Outline{At: "States", StartAt: "Check", States: []asl.StateOutline{
		{Name: "Check", Type: "Choice", Exits: []asl.Exit{
			{"Choices[0]", "None", "$states.input.n = 0"}, {"Choices[1]", "One", "$states.input.n = 1"}, {"Default", "Each", ""},
		}},
		{Name: "None", Type: "Succeed"},
		{Name: "One", Type: "Task", Resource: "arn:aws:states:::sqs:sendMessage", Exits: []asl.Exit{
			{"Next", "None", ""}, {"Catch[0]", "None", "Never"}, {"Catch[1]", "Bad", "States.ALL"},
		}, Retriers: []asl.Retrier{{"Retry[0]", []string{"Never"}, 3}, {"Retry[1]", []string{"Busy"}, 1}}},
		{Name: "Each", Type: "Map", Exits: []asl.Exit{{Field: "End"}}, Inner: []asl.Outline{
			{At: "States.Each.ItemProcessor.States", StartAt: "Split", States: []asl.StateOutline{
				{Name: "Split", Type: "Parallel", Exits: []asl.Exit{{Field: "End"}}, Inner: []asl.Outline{inside}},
			}},
		}},
		{Name: "Bad", Type: "Fail"},
	}}
	if diff := cmp.Diff(want, m.Outline()); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
}

func TestOutlineShowsConditionsOfJSONPath(t *testing.T) {
	m, err := asl.Parse([]byte(`{"StartAt":"C","States":{"C":{"Type":"Choice","Default":"E","Choices":[
		{"And":[{"Variable":"$.a","StringEquals":"x"},{"Or":[{"Variable":"$.b","NumericLessThanPath":"$.c"},{"Not":{"Variable":"$.d","IsPresent":true}}]}],"Next":"E"}
		]},"E":{"Type":"Succeed"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `($.a StringEquals "x") and (($.b NumericLessThanPath $.c) or (not ($.d IsPresent true)))`
	if got := m.Outline().States[0].Exits[0].Condition; got != want {
		t.Errorf("the condition is %s, want %s", got, want)
	}
}
