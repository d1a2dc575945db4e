package statemachines_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/statemachines"
)

// functionARNs returns a substitution for each name: the ARN of the function with that name.
func functionARNs(names ...string) map[string]string {
	filled := map[string]string{}
	for _, name := range names {
		filled[name] = "arn:aws:lambda:eu-central-1:123456789012:function:" + strings.TrimSuffix(name, "FunctionArn")
	}
	return filled
}

func TestFill(t *testing.T) {
	want := []string{"CsvChunkFunctionArn", "CsvFinishFunctionArn", "CsvPlanFunctionArn", "NotifierFunctionArn"}
	if diff := cmp.Diff(want, statemachines.Substitutions("csv_import")); diff != "" {
		t.Errorf("substitutions of csv_import (-want +got):\n%s", diff)
	}
	for _, name := range statemachines.Names() {
		definition, err := statemachines.Fill(name, functionARNs(statemachines.Substitutions(name)...))
		if err != nil {
			t.Fatalf("Fill %s: %v", name, err)
		}
		if !json.Valid([]byte(definition)) || strings.Contains(definition, "${") {
			t.Errorf("%s is not JSON, or not filled:\n%s", name, definition)
		}
	}
	special := functionARNs(want...) // with characters that JSON escapes, and with the text of a placeholder
	special["NotifierFunctionArn"] = "a\"b\\c<${CsvPlanFunctionArn}>"
	definition, err := statemachines.Fill("csv_import", special)
	if err != nil || !json.Valid([]byte(definition)) || !strings.Contains(definition, `"a\"b\\c<${CsvPlanFunctionArn}>"`) {
		t.Errorf("the definition does not contain the substitution unchanged, error %v", err)
	}
}

func TestFillErrorNamesTheSubstitution(t *testing.T) {
	for _, tt := range []struct {
		name, workflow, drop, add, want string
	}{
		{"unknown workflow", "csv_exprot", "", "", `statemachines: no workflow "csv_exprot", there are ` + strings.Join(statemachines.Names(), ", ")},
		{"missing", "csv_import", "CsvPlanFunctionArn", "", "statemachines: csv_import: no substitution for ${CsvPlanFunctionArn}"},
		{"unused", "csv_import", "", "CsvPlan", "statemachines: csv_import: ${CsvPlan} is not in the definition"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			filled := functionARNs(statemachines.Substitutions("csv_import")...)
			delete(filled, tt.drop)
			if tt.add != "" {
				filled[tt.add] = "x"
			}
			if _, err := statemachines.Fill(tt.workflow, filled); err == nil || err.Error() != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
}

// state holds the fields of a state that the tests check.
type state struct {
	Type, Resource string
	Next           string
	TimeoutSeconds int
	Retry          []struct {
		ErrorEquals []string
		MaxAttempts *int
	}
	Catch     []struct{ ErrorEquals []string }
	Arguments struct {
		FunctionName string
		Payload      json.RawMessage
	}
	Assign        json.RawMessage
	Output        any
	ItemProcessor *struct{ States map[string]state }
}

// The epoch and the idempotency key that every notification sends.
const (
	epoch = `{% $states.context.Execution.($file.orderTime & '#' & (RedriveCount ? RedriveCount : 0)) %}`
	key   = `{% $states.context.(Execution.Id & '/' & State.Name & '/' & State.EnteredTime & '/' & Map.Item.Index) %}`
)

// addTasks adds the Task states among states, and inside them, to found and returns found. It fails the test if a state assigns a value of
// the context object to a variable, because a redrive changes the context object but not the variables.
func addTasks(t *testing.T, states map[string]state, found map[string]state) map[string]state {
	t.Helper()
	for name, s := range states {
		if strings.Contains(string(s.Assign), "$states.context") {
			t.Errorf("%s assigns a value of the context object to a variable, which a redrive does not change: %s", name, s.Assign)
		}
		if s.Type == "Task" {
			found[name] = s
		}
		if s.ItemProcessor != nil {
			addTasks(t, s.ItemProcessor.States, found)
		}
	}

	return found
}

func TestTasksHaveTimeoutsAndNotificationsCannotFailTheWorkflow(t *testing.T) {
	for _, name := range statemachines.Names() {
		definition, err := statemachines.Fill(name, functionARNs(statemachines.Substitutions(name)...))
		if err != nil {
			t.Fatal(err)
		}
		var machine struct{ States map[string]state }
		if err := json.Unmarshal([]byte(definition), &machine); err != nil {
			t.Fatal(err)
		}
		for name, s := range addTasks(t, machine.States, map[string]state{}) {
			if s.TimeoutSeconds == 0 || len(s.Retry) == 0 || s.Resource != "arn:aws:states:::lambda:invoke" {
				t.Errorf("%s lacks a timeout, a retry, or invokes no function: %+v", name, s)
			}
			if !strings.HasSuffix(s.Arguments.FunctionName, ":Notifier") {
				continue
			}
			first, last := s.Retry[0], s.Retry[len(s.Retry)-1]
			for rule, holds := range map[string]bool{
				"it takes 5 seconds at most":           s.TimeoutSeconds == 5,
				"it catches every error":               len(s.Catch) == 1 && s.Catch[0].ErrorEquals[0] == "States.ALL",
				"its output is its input":              s.Output == "{% $states.input %}",
				"it does not retry an invalid message": first.ErrorEquals[0] == "InvalidMessage" && *first.MaxAttempts == 0,
				"it retries any other error twice":     *last.MaxAttempts == 2,
			} {
				if !holds {
					t.Errorf("%s breaks a rule for notifications: %s: %+v", name, rule, s)
				}
			}
			var payload struct{ Epoch, Key string }
			if err := json.Unmarshal(s.Arguments.Payload, &payload); err != nil || payload.Epoch != epoch || payload.Key != key {
				t.Errorf("%s sends epoch %s, key %s, error %v", name, payload.Epoch, payload.Key, err)
			}
		}
	}
}
