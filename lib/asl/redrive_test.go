package asl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

func TestRedriveSaysWhatIsWrongWithItsPoint(t *testing.T) {
	m, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, point := range map[string]asl.Point{
		"There is no state 'B'":              {State: "B", Input: json.RawMessage("{}")},
		"The state's input is not valid":     {State: "A", Input: json.RawMessage("{")},
		"The variable v is not valid JSON: ": {State: "A", Input: json.RawMessage("{}"), Variables: map[string]json.RawMessage{"v": json.RawMessage("-")}},
	} {
		result := m.Redrive(t.Context(), asl.Execution{Input: json.RawMessage("{}")}, point)
		if result.Status != asl.StatusFailed || result.Error.Name != "States.Runtime" || !strings.Contains(result.Error.Cause, name) {
			t.Errorf("%s: %+v, %+v", name, result, result.Error)
		}
	}
	if result := m.Redrive(t.Context(), asl.Execution{Input: json.RawMessage("{}")}, asl.Point{State: "A", Input: json.RawMessage("7")}); string(result.Output) != "7" {
		t.Errorf("%+v", result)
	}
}
