package asl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

func TestParseRejectsInvalidDefinitions(t *testing.T) {
	state := func(fields string) string { return `{"StartAt":"A","States":{"A":{` + fields + `}}}` }
	query := func(expression string) string {
		return state(`"Type":"Pass","QueryLanguage":"JSONata","Output":"{% ` + expression + ` %}","End":true`)
	}
	distributed := func(fields string) string {
		return state(`"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"B",
			"States":{"B":{"Type":"Pass","End":true}}},` + fields)
	}
	for _, test := range []struct{ name, definition, want string }{
		{"nothing", ` `, "SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object"},
		{"no JSON", `{"a":`, "INVALID_JSON_DESCRIPTION"},
		{"no object", `[]`, "Expected value of type Object at /"},
		{"no states", `{}`, "These fields are required: [States, StartAt] at /"},
		{"first state", `{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /StartAt"},
		{"next state", state(`"Type":"Pass","Next":"B"`), "Missing 'Next' target: B at /States/A/Next"},
		{"type", state(`"Type":"Loop"`), "should have one of these values: [Task, Wait, Pass"},
		{"field", state(`"Type":"Succeed","Next":"A"`), "Field is not supported at /States/A/Next"},
		{"no end", state(`"Type":"Pass"`), "either 'Next' or 'End: true'"},
		{"resource", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invok","End":true`), "lambda:invok is not recognized"},
		{"path", state(`"Type":"Pass","InputPath":"$.[","End":true`), "Value is not a valid JSONPath at /States/A/InputPath"},
		{"result path", state(`"Type":"Pass","ResultPath":"$.a[*]","End":true`), "not a Reference Path"},
		{"JSONPath in JSONata", state(`"Type":"Pass","QueryLanguage":"JSONata","InputPath":"$","End":true`), "Field is not supported at /States/A/InputPath"},
		{"JSONata in JSONPath", state(`"Type":"Pass","Output":1,"End":true`), "Field is not supported at /States/A/Output"},
		{"expression", query(`1 +`), "Invalid JSONata expression: S0207"},
		{"later operator", query(`$states.input.a ?? 1`), "The operator ?? is not in JSONata 2.0.6, the version of Step Functions"},
		{"$eval", query(`$eval('1')`), "The function $eval is not supported"},
		{"item reader", distributed(`"ItemReader":{}`), "UNSUPPORTED: ItemReader is not supported at /States/A/ItemReader"},
		{"item batcher", distributed(`"ItemBatcher":{}`), "UNSUPPORTED: ItemBatcher is not supported"},
		{"result writer", distributed(`"ResultWriter":{}`), "UNSUPPORTED: ResultWriter is not supported"},
		{"variable", state(`"Type":"Pass","Assign":{"states":1},"End":true`), "Invalid variable name: states"},
		{"no choice", state(`"Type":"Choice","Choices":[]`), "Array must not be empty at /States/A/Choices"},
		{"two comparisons", state(`"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"IsString":true,"Next":"A"}]`), "exactly one comparison operator"},
		{"wait", state(`"Type":"Wait","Seconds":1,"SecondsPath":"$.s","End":true`), "exactly one of these fields"},
		{"heartbeat", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"HeartbeatSeconds":6,"End":true`), "must be smaller than TimeoutSeconds"},
		{"States.ALL", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["States.ALL","A"]}],"End":true`), "must be alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := asl.Parse([]byte(test.definition))
			var refused *asl.DefinitionError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestParseListsEveryProblem(t *testing.T) {
	_, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Foo":1},"B":{"Type":"Wait","Seconds":-1,"End":true}}}`))
	var refused *asl.DefinitionError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}

	want := []asl.Problem{
		{Code: "SCHEMA_VALIDATION_FAILED", Path: "/States/A/Foo", Rule: "Field is not supported"},
		{Code: "SCHEMA_VALIDATION_FAILED", Path: "/States/B/Seconds", Rule: "Expected value of type Integer, from 0 to 99999999"},
	}
	if diff := cmp.Diff(want, refused.Problems); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`))
	f.Add([]byte(`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.a > 1 %}","Next":"A"}]}}}`))
	f.Add([]byte(`{"StartAt":"A","States":{"A":{"Type":"Map","ItemsPath":"$.a","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Fail"}}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"A"}],"End":true}}}`))

	f.Fuzz(func(t *testing.T, definition []byte) {
		m, err := asl.Parse(definition)
		var refused *asl.DefinitionError
		if err != nil && (!errors.As(err, &refused) || len(refused.Problems) == 0) {
			t.Errorf("got %v, want a DefinitionError with problems", err)
		}
		if err == nil && m == nil {
			t.Error("neither a machine nor an error")
		}
	})
}
