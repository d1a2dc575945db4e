package asl_test

import (
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// stateA returns a definition whose state A has the fields, and whose state B succeeds if a field names it.
func stateA(fields string) string {
	b := ""
	if strings.Contains(fields, `"B"`) {
		b = `,"B":{"Type":"Succeed"}`
	}
	return `{"StartAt":"A","States":{"A":{` + fields + `}` + b + `}}`
}

// jsonataA does what stateA does, in JSONata.
func jsonataA(fields string) string { return `{"QueryLanguage":"JSONata",` + stateA(fields)[1:] }

// mapA returns a definition of a Map state with more fields. config is its ProcessorConfig.
func mapA(config, fields string) string {
	return stateA(`"Type":"Map","ItemProcessor":{` + config + `"StartAt":"C","States":{"C":{"Type":"Succeed"}}},"End":true` + fields)
}

const distributedConfig = `"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},`

func TestEachRuleOfDefinitionsIsChecked(t *testing.T) {
	t.Parallel()
	choice := func(rule string) string {
		return stateA(`"Type":"Choice","Choices":[` + rule + `]`)
	}
	for _, test := range []struct {
		definition, want string // want is a problem, or empty if the definition is valid.
	}{
		{stateA(`"Type":"Succeed"`), ``},
		{`{"StartAt":"","States":{"A":{"Type":"Succeed"}}}`, `MISSING_TRANSITION_TARGET: Missing 'Next' target:  at /StartAt`},
		{stateA(`"Type":"Pass","Next":""`), `MISSING_TRANSITION_TARGET: Missing 'Next' target:  at /States/A/Next, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Choice","Default":"","Choices":[{"Variable":"$.a","IsNull":true,"Next":"B"}]`), `MISSING_TRANSITION_TARGET: Missing 'Next' target:  at /States/A/Default`},
		{taskMachine(`,"TimeoutSeconds":5,"HeartbeatSeconds":5`), `SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/A/HeartbeatSeconds`},
		{taskMachine(`,"TimeoutSeconds":5,"HeartbeatSeconds":6`), `SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/A/HeartbeatSeconds`},
		{taskMachine(`,"HeartbeatSeconds":61`), ``},
		{taskMachine(`,"HeartbeatSeconds":0`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 1 to 99999999 at /States/A/HeartbeatSeconds`},
		{taskMachine(`,"TimeoutSeconds":5,"TimeoutSecondsPath":"$.a"`), `SCHEMA_VALIDATION_FAILED: A state must not have both TimeoutSeconds and TimeoutSecondsPath at /States/A`},
		{taskMachine(`,"HeartbeatSeconds":5,"HeartbeatSecondsPath":"$.a"`), `SCHEMA_VALIDATION_FAILED: A state must not have both HeartbeatSeconds and HeartbeatSecondsPath at /States/A`},
		{taskMachine(`,"TimeoutSeconds":1.5`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 1 to 99999999 at /States/A/TimeoutSeconds`},
		{taskMachine(`,"TimeoutSeconds":"5"`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 1 to 99999999 at /States/A/TimeoutSeconds`},
		{taskMachine(`,"TimeoutSecondsPath":"$..a"`), `SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/TimeoutSecondsPath`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"IntervalSeconds":0}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type Number, from 1 to 99999999 at /States/A/Retry[0]/IntervalSeconds`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"MaxAttempts":-1}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type Number, from 0 to 99999999 at /States/A/Retry[0]/MaxAttempts`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"MaxAttempts":100000000}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type Number, from 0 to 99999999 at /States/A/Retry[0]/MaxAttempts`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"BackoffRate":0.5}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type Number, from 1 to 99999999 at /States/A/Retry[0]/BackoffRate`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"MaxDelaySeconds":0}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type Number, from 1 to 31622400 at /States/A/Retry[0]/MaxDelaySeconds`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"MaxDelaySeconds":31622400}]`), ``},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a"],"IntervalSeconds":5,"MaxDelaySeconds":5}]`), `SCHEMA_VALIDATION_FAILED: MaxDelaySeconds must be greater than IntervalSeconds at /States/A/Retry[0]/MaxDelaySeconds`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["a","States.ALL"]}]`), `SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals[1]`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["a"]}]`), `SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list at /States/A/Retry[0]/ErrorEquals[0]`},
		{taskMachine(`,"Retry":[{"ErrorEquals":["States.Foo"]}]`), ``},
		{taskMachine(`,"Retry":[{"ErrorEquals":[1]}]`), `SCHEMA_VALIDATION_FAILED: Expected value of type String at /States/A/Retry[0]/ErrorEquals`},
		{taskMachine(`,"Retry":{}`), `SCHEMA_VALIDATION_FAILED: Expected value of type Array at /States/A/Retry`},
		{taskMachine(`,"Retry":[{}]`), `SCHEMA_VALIDATION_FAILED: These fields are required: [ErrorEquals] at /States/A/Retry[0]`},
		{taskMachine(`,"Retry":[]`), ``},
		{taskMachine(`,"Catch":[{"ErrorEquals":["a"]}]`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A/Catch[0]`},
		{taskMachine(`,"Catch":[{"ErrorEquals":["a"],"Next":"Z"}]`), `MISSING_TRANSITION_TARGET: Missing 'Next' target: Z at /States/A/Catch[0]/Next`},
		{stateA(`"Type":"Task","End":true`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/A`},
		{stateA(`"Type":"Task","Resource":"","End":true`), `SCHEMA_VALIDATION_FAILED: The resource provided  is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource`},
		{stateA(`"Type":"Task","Resource":"x","End":true`), `SCHEMA_VALIDATION_FAILED: The resource provided x is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource`},
		{stateA(`"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.sync","End":true`), `SCHEMA_VALIDATION_FAILED: The resource provided arn:aws:states:::sqs:sendMessage.sync is not recognized. The value is not a valid resource ARN, or the resource is not available in this region. at /States/A/Resource`},
		{stateA(`"Type":"Succeed","Next":"B"`), `SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/A, MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B`},
		{stateA(`"Type":"Succeed","End":true`), `SCHEMA_VALIDATION_FAILED: Field 'End' is not supported at /States/A`},
		{stateA(`"Type":"Fail","End":true`), `SCHEMA_VALIDATION_FAILED: Field 'End' is not supported at /States/A`},
		{stateA(`"Type":"Fail","Error":"a","ErrorPath":"$.a"`), `SCHEMA_VALIDATION_FAILED: A Fail state must not have both Error and ErrorPath at /States/A`},
		{stateA(`"Type":"Fail","InputPath":"$"`), `SCHEMA_VALIDATION_FAILED: Field 'InputPath' is not supported at /States/A`},
		{stateA(`"Type":"Fail","CausePath":"x"`), `SCHEMA_VALIDATION_FAILED: Value is not a valid JSONPath or intrinsic function at /States/A/CausePath`},
		{stateA(`"Type":"Choice","Choices":[]`), `SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Choices, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Choice"`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Choices] at /States/A, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Choice","End":true,"Choices":[{"Variable":"$.a","IsNull":true,"Next":"B"}]`), `SCHEMA_VALIDATION_FAILED: Field 'End' is not supported at /States/A`},
		{choice(`{"Variable":"$.a","IsNull":true}`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A/Choices[0], MISSING_END_STATE: Workflow has no terminal state at null`},
		{choice(`{"And":[{"Variable":"$.a","IsNull":true,"Next":"B"}],"Next":"B"}`), `SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/A/Choices[0]/And[0]`},
		{choice(`{"And":[],"Next":"B"}`), `SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Choices[0]/And`},
		{choice(`{"Variable":"$.a","Next":"B"}`), `SCHEMA_VALIDATION_FAILED: A data-test expression must have exactly one comparison operator at /States/A/Choices[0]`},
		{choice(`{"Variable":"$.a","IsNull":true,"IsString":true,"Next":"B"}`), `SCHEMA_VALIDATION_FAILED: A data-test expression must have exactly one comparison operator at /States/A/Choices[0]`},
		{choice(`{"IsNull":true,"Next":"B"}`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Variable] at /States/A/Choices[0]`},
		{choice(`{"Variable":"$.a","TimestampEquals":"x","Next":"B"}`), `SCHEMA_VALIDATION_FAILED: The value does not have the type that the operator compares at /States/A/Choices[0]/TimestampEquals`},
		{choice(`{"Variable":"$.a","NumericEquals":"1","Next":"B"}`), `SCHEMA_VALIDATION_FAILED: The value does not have the type that the operator compares at /States/A/Choices[0]/NumericEquals`},
		{choice(`{"Not":[{"Variable":"$.a","IsNull":true}],"Next":"B"}`), `SCHEMA_VALIDATION_FAILED: Expected value of type Object at /States/A/Choices[0]/Not`},
		{stateA(`"Type":"Wait","End":true`), `SCHEMA_VALIDATION_FAILED: A Wait state must have exactly one of these fields: [Seconds, Timestamp, SecondsPath, TimestampPath] at /States/A`},
		{stateA(`"Type":"Wait","Seconds":1,"Timestamp":"2020-01-01T00:00:00Z","End":true`), `SCHEMA_VALIDATION_FAILED: A Wait state must have exactly one of these fields: [Seconds, Timestamp, SecondsPath, TimestampPath] at /States/A`},
		{stateA(`"Type":"Wait","Seconds":-1,"End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 0 to 99999999 at /States/A/Seconds`},
		{stateA(`"Type":"Wait","Seconds":1.5,"End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 0 to 99999999 at /States/A/Seconds`},
		{stateA(`"Type":"Wait","SecondsPath":"$[*]","End":true`), `SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/SecondsPath`},
		{stateA(`"Type":"Wait","TimestampPath":"$..a","End":true`), `SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/TimestampPath`},
		{stateA(`"Type":"Wait","Timestamp":"2020-01-01","End":true`), `SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/A/Timestamp`},
		{stateA(`"Type":"Pass"`), `SCHEMA_VALIDATION_FAILED: State must have either 'Next' or 'End: true' at /States/A, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Pass","End":false`), `SCHEMA_VALIDATION_FAILED: State must have either 'Next' or 'End: true' at /States/A, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Pass","End":true,"Next":"B"`), `SCHEMA_VALIDATION_FAILED: State must have either 'Next' or 'End: true' at /States/A`},
		{stateA(`"Type":"Pass","Retry":[],"End":true`), `SCHEMA_VALIDATION_FAILED: Field 'Retry' is not supported at /States/A`},
		{stateA(`"Type":"Foo","End":true`), `SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/A/Type`},
		{stateA(`"End":true`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/A`},
		{`{"StartAt":"A","States":{}}`, `SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States`},
		{`{"StartAt":"A"}`, `SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /`},
		{`{"States":{"A":{"Type":"Succeed"}}}`, `SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt] at /`},
		{`{"StartAt":5,"States":{"A":{"Type":"Succeed"}}}`, `SCHEMA_VALIDATION_FAILED: Expected value of type String at /StartAt`},
		{`[]`, `SCHEMA_VALIDATION_FAILED: Expected value of type Object at /`},
		{`5`, `SCHEMA_VALIDATION_FAILED: Expected value of type Object at /`},
		{`{`, `INVALID_JSON_DESCRIPTION: parse JSON: unexpected end of JSON input at null`},
		{stateA(`"Type":"Succeed","Comment":5`), `SCHEMA_VALIDATION_FAILED: Expected value of type String at /States/A/Comment`},
		{`{"Comment":5,` + stateA(`"Type":"Succeed"`)[1:], `SCHEMA_VALIDATION_FAILED: Expected value of type String at /Comment`},
		{`{"TimeoutSeconds":1.5,` + stateA(`"Type":"Succeed"`)[1:], `SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /TimeoutSeconds`},
		{`{"StartAt":"A","States":{"A":5}}`, `SCHEMA_VALIDATION_FAILED: Expected value of type Object at /States/A`},
		{stateA(`"Type":"Parallel","End":true`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Branches] at /States/A`},
		{stateA(`"Type":"Parallel","Branches":{},"End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Array at /States/A/Branches`},
		{stateA(`"Type":"Parallel","Branches":[{"StartAt":"X","States":{"X":{"Type":"Pass","Next":"B"}}}],"Next":"B"`), `MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Branches[0]/States/X/Next, MISSING_END_STATE: Workflow has no terminal state at null`},
		{stateA(`"Type":"Map","End":true`), `SCHEMA_VALIDATION_FAILED: These fields are required: [ItemProcessor] at /States/A`},
		{mapA(``, `,"Iterator":{"StartAt":"X","States":{"X":{"Type":"Succeed"}}}`), `SCHEMA_VALIDATION_FAILED: Field 'Iterator' is not supported at /States/A`},
		{mapA(``, `,"ItemSelector":{},"Parameters":{}`), `SCHEMA_VALIDATION_FAILED: A Map state must not have both ItemSelector and Parameters at /States/A`},
		{mapA(`"ProcessorConfig":{"Mode":"DISTRIBUTED"},`, ``), `SCHEMA_VALIDATION_FAILED: These fields are required: [ExecutionType] at /States/A/ItemProcessor/ProcessorConfig`},
		{mapA(`"ProcessorConfig":{"Mode":"INLINE","ExecutionType":"STANDARD"},`, ``), ``},
		{mapA(`"ProcessorConfig":{"Mode":"X"},`, ``), `SCHEMA_VALIDATION_FAILED: The field 'Mode' should have one of these values: [INLINE, DISTRIBUTED] at /States/A/ItemProcessor/ProcessorConfig/Mode`},
		{mapA(``, `,"MaxConcurrency":-1`), `SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/A/MaxConcurrency`},
		{mapA(``, `,"MaxConcurrency":1.5`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/A/MaxConcurrency`},
		{mapA(``, `,"MaxConcurrency":1,"MaxConcurrencyPath":"$.a"`), `SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [MaxConcurrency, MaxConcurrencyPath] at /States/A`},
		{mapA(``, `,"ToleratedFailureCount":1`), ``},
		{mapA(distributedConfig, `,"Label":"a b*"`), "SCHEMA_VALIDATION_FAILED: Label must not contain white space, control characters or any of ?*<>{}[]:;,\\|^~$#%&`\" at /States/A/Label"},
		{mapA(distributedConfig, `,"Label":"`+strings.Repeat("a", 41)+`"`), `SCHEMA_VALIDATION_FAILED: Label must not be longer than 40 characters at /States/A/Label`},
		{mapA(distributedConfig, `,"ToleratedFailurePercentage":101`), `SCHEMA_VALIDATION_FAILED: Maximum value is 100.0 at /States/A/ToleratedFailurePercentage`},
		{mapA(distributedConfig, `,"ToleratedFailurePercentage":1.5`), ``},
		{mapA(distributedConfig, `,"ToleratedFailureCount":1.5`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/A/ToleratedFailureCount`},
		{mapA(distributedConfig, `,"ToleratedFailureCount":1,"ToleratedFailureCountPath":"$.a"`), `SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [ToleratedFailureCount, ToleratedFailureCountPath] at /States/A`},
		{mapA(distributedConfig, `,"ItemBatcher":{}`), `SCHEMA_VALIDATION_FAILED: ItemBatcher must have MaxItemsPerBatch or MaxInputBytesPerBatch at /States/A/ItemBatcher`},
		{mapA(distributedConfig, `,"ItemBatcher":{"MaxItemsPerBatch":1.5}`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/A/ItemBatcher/MaxItemsPerBatch`},
		{mapA(distributedConfig, `,"ItemBatcher":{"MaxItemsPerBatch":0}`), ``},
		{mapA(distributedConfig, `,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON","MaxItems":1.5},"Parameters":{}}`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/A/ItemReader/ReaderConfig/MaxItems`},
		{mapA(distributedConfig, `,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"PARQUET"},"Parameters":{}}`), ``},
		{stateA(`"Type":"Pass","Parameters":5,"End":true`), ``},
		{stateA(`"Type":"Pass","Parameters":{"a.$":"x"},"End":true`), `SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters`},
		{stateA(`"Type":"Pass","Parameters":{"a.$":5},"End":true`), `SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters`},
		{stateA(`"Type":"Pass","Parameters":{"a.$":"States.Foo()"},"End":true`), `SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/A/Parameters`},
		{stateA(`"Type":"Pass","ResultPath":"$[*]","End":true`), `SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/ResultPath`},
		{stateA(`"Type":"Pass","InputPath":"x","End":true`), `SCHEMA_VALIDATION_FAILED: Value is not a valid JSONPath at /States/A/InputPath`},
		{jsonataA(`"Type":"Pass","Output":"{% $states.foo %}","End":true`), `UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.foo' does not exist. at /States/A/Output`},
		{jsonataA(`"Type":"Pass","Output":"{% $states.result %}","End":true`), `UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.result' does not exist. at /States/A/Output`},
		{jsonataA(`"Type":"Pass","Output":"{% $ %}","End":true`), ``},
		{jsonataA(`"Type":"Pass","Output":"{%%}","End":true`), `INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/A/Output`},
		{jsonataA(`"Type":"Pass","Output":" {% 1 %}","End":true`), `INVALID_JSONATA_EXPRESSION: A JSONata expression must begin with {% and end with %} at /States/A/Output`},
		{jsonataA(`"Type":"Pass","Output":"{% $undefinedVar %}","End":true`), ``},
		{jsonataA(`"Type":"Pass","Output":"{% $foo() %}","End":true`), ``},
		{jsonataA(`"Type":"Pass","Assign":{"states":1},"End":true`), `SCHEMA_VALIDATION_FAILED: Invalid variable name: states at /States/A/Assign`},
		{jsonataA(`"Type":"Pass","Assign":{"1a":1},"End":true`), `SCHEMA_VALIDATION_FAILED: Invalid variable name: 1a at /States/A/Assign`},
		{jsonataA(`"Type":"Choice","Choices":[{"Condition":"x","Next":"B"}]`), `SCHEMA_VALIDATION_FAILED: Expected a JSONata expression at /States/A/Choices[0]/Condition`},
		{jsonataA(`"Type":"Choice","Choices":[{"Next":"B"}]`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Condition] at /States/A/Choices[0]`},
		{jsonataA(`"Type":"Map","Items":"x","ItemProcessor":{"StartAt":"C","States":{"C":{"Type":"Succeed"}}},"End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Array or a JSONata expression at /States/A/Items`},
		{jsonataA(`"Type":"Wait","Seconds":"5","End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 0 to 99999999 at /States/A/Seconds`},
		{jsonataA(`"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":"5","End":true`), `SCHEMA_VALIDATION_FAILED: Expected value of type Integer, from 1 to 99999999 at /States/A/TimeoutSeconds`},
		{`{"QueryLanguage":"jsonata","StartAt":"A","States":{"A":{"Type":"Succeed"}}}`, `SCHEMA_VALIDATION_FAILED: Value should be one of the following: [JSONPath, JSONata] at /QueryLanguage`},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Succeed"}}}`, `DUPLICATE_STATE_NAME: State name 'A' is used more than once at /States/A`},
		{stateA(`"Type":"Succeed","Type":"Fail"`), ``},
	} {
		_, err := asl.Parse([]byte(test.definition))
		got := ""
		if err != nil {
			got = strings.TrimSuffix(strings.TrimPrefix(err.Error(), "Invalid State Machine Definition: '"), "'")
		}
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.definition, got, test.want)
		}
	}
}
