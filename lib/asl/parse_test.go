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
		return state(`"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"B",
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
		{"field", state(`"Type":"Succeed","Next":"A"`), "Field 'Next' is not supported at /States/A"},
		{"no end", state(`"Type":"Pass"`), "either 'Next' or 'End: true'"},
		{"resource", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invok","End":true`), "lambda:invok is not recognized"},
		{"path", state(`"Type":"Pass","InputPath":"$.[","End":true`), "Value is not a valid JSONPath at /States/A/InputPath"},
		{"result path", state(`"Type":"Pass","ResultPath":"$.a[*]","End":true`), "not a Reference Path"},
		{"JSONPath in JSONata", state(`"Type":"Pass","QueryLanguage":"JSONata","InputPath":"$","End":true`), "The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' QueryLanguage at /States/A"},
		{"JSONata in JSONPath", state(`"Type":"Pass","Output":1,"End":true`), "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/A"},
		{"expression", query(`1 +`), "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/A/Output"},
		{"later operator", query(`$states.input.a ?? 1`), "The operator ?? is not in JSONata 2.0.6, the version of Step Functions"},
		{"$eval", query(`$eval('1')`), "The function $eval is not supported"},
		{"item reader", distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{}}`), "These fields are required: [ReaderConfig] at /States/A/ItemReader"},
		{"resource of a reader", distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{},"ReaderConfig":{"InputType":"JSON"}}`), "s3:putObject is not recognized"},
		{"input type", distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{},"ReaderConfig":{"InputType":"XML"}}`), "should have one of these values: [CSV, JSON, JSONL, PARQUET, MANIFEST] at /States/A/ItemReader/ReaderConfig/InputType"},
		{"headers", distributed(`"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN"}}`), "required: [CSVHeaders]"},
		{"item batcher", distributed(`"ItemBatcher":{}`), "ItemBatcher must have MaxItemsPerBatch or MaxInputBytesPerBatch"},
		{"result writer", distributed(`"ResultWriter":{}`), "ResultWriter must have WriterConfig, or Resource and Parameters"},
		{"writer without location", distributed(`"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject"}`), "required: [Parameters] at /States/A/ResultWriter"},
		{"execution type", strings.ReplaceAll(distributed(`"Label":"L"`), `,"ExecutionType":"EXPRESS"`, ""), "required: [ExecutionType] at /States/A/ItemProcessor/ProcessorConfig"},
		{"number and path", distributed(`"MaxConcurrency":1,"MaxConcurrencyPath":"$.n"`), "There should only be one of the following fields: [MaxConcurrency, MaxConcurrencyPath] at /States/A"},
		{"number from the context", distributed(`"MaxConcurrencyPath":"$$.n"`), "Value is not a Reference Path at /States/A/MaxConcurrencyPath"},
		{"percentage", distributed(`"ToleratedFailurePercentage":101`), "Maximum value is 100.0 at /States/A/ToleratedFailurePercentage"},
		{"empty StartAt", `{"StartAt":"","States":{"A":{"Type":"Succeed"}}}`, "MISSING_TRANSITION_TARGET: Missing 'Next' target:  at /StartAt"},
		{"empty StartAt of a state without a name", `{"StartAt":"","States":{"":{"Type":"Succeed"}}}`, "Missing 'Next' target:  at /StartAt"},
		{"empty Next", state(`"Type":"Pass","Next":""`), "Missing 'Next' target:  at /States/A/Next"},
		{"empty Next of a rule", state(`"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"Next":""}],"Default":""`), "Missing 'Next' target:  at /States/A/Choices[0]/Next"},
		{"empty Default", state(`"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"Next":"A"}],"Default":""`), "Missing 'Next' target:  at /States/A/Default"},
		{"empty Next of a catcher", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Catch":[{"ErrorEquals":["A"],"Next":""}],"End":true`), "Missing 'Next' target:  at /States/A/Catch[0]/Next"},
		{"unreachable", `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"C"},"B":{"Type":"Succeed"}}}`, `Missing 'Next' target: C at /States/A/Next, MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B'`},
		{"name in another flow", state(`"Type":"Parallel","Branches":[{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}],"End":true`), "DUPLICATE_STATE_NAME: State name 'A' is used more than once at /States/A/Branches[0]/States/A"},
		{"unclosed expression", state(`"Type":"Pass","QueryLanguage":"JSONata","Output":["{% 1"],"End":true`), "A JSONata expression must begin with {% and end with %} at /States/A/Output[0]"},
		{"unopened expression", state(`"Type":"Fail","QueryLanguage":"JSONata","Cause":"1 %}"`), "must begin with {% and end with %} at /States/A/Cause"},
		{"name at the top level", query(`$map([1], function($x) { $x + phone })`), "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/A/Output"},
		{"root", query(`$$.a`), "Reference to '$$' is not supported."},
		{"no result", query(`$states.result.a`), "Field '$states.result' does not exist."},
		{"no error output", query(`[$states.input[$states.errorOutput = 1]]`), "Field '$states.errorOutput' does not exist."},
		{"a field twice", state(`"Type":"Pass","Parameters":{"x":[{"a":1,"a.$":"$"}]},"End":true`), "The field 'a' is given twice"},
		{"whole interval", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["A"],"IntervalSeconds":1.5}],"End":true`), "Expected value of type Integer at /States/A/Retry[0]/IntervalSeconds"},
		{"variable", state(`"Type":"Pass","Assign":{"states":1},"End":true`), "Invalid variable name: states"},
		{"no choice", state(`"Type":"Choice","Choices":[]`), "Value cannot be empty at /States/A/Choices"},
		{"two comparisons", state(`"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"IsString":true,"Next":"A"}]`), "exactly one comparison operator"},
		{"wait", state(`"Type":"Wait","Seconds":1,"SecondsPath":"$.s","End":true`), "exactly one of these fields"},
		{"heartbeat", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"HeartbeatSeconds":6,"End":true`), "must be smaller than TimeoutSeconds"},
		{"States.ALL", state(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["States.ALL","A"]}],"End":true`), "States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals[0]"},
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
	_, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B","Foo":1},"B":{"Type":"Wait","Seconds":-1,"End":true}}}`))
	var refused *asl.DefinitionError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}

	want := []asl.Problem{
		{Code: "SCHEMA_VALIDATION_FAILED", Path: "/States/A", Rule: "Field 'Foo' is not supported"},
		{Code: "SCHEMA_VALIDATION_FAILED", Path: "/States/B/Seconds", Rule: "Expected value of type Integer, from 0 to 99999999"},
	}
	if diff := cmp.Diff(want, refused.Problems); diff != "" {
		t.Error(diff)
	}
}
