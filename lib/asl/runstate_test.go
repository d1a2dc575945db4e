package asl_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// mocked returns a mock with a result.
func mocked(result string) *asl.StateMock { return &asl.StateMock{Result: &result} }

func TestRunStateRejectsWhatAWSDocuments(t *testing.T) {
	const branches = `"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},{"StartAt":"C","States":{"C":{"Type":"Succeed"}}}]`
	for _, test := range []struct {
		name, definition string
		mock             *asl.StateMock
		want             string
	}{
		{"a result for each branch", `{"Type":"Parallel","End":true,` + branches + `}`, mocked(`[1]`), "Mocked result must be an array with one element for each branch."},
		{"a task that waits", `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","End":true}`, nil, "The resource 'arn:aws:states:::sqs:sendMessage.waitForTaskToken' is not supported when a mock is not specified."},
		{"an activity", `{"Type":"Task","Resource":"arn:aws:states:eu-central-1:111111111111:activity:a","End":true}`, nil, "The resource 'arn:aws:states:eu-central-1:111111111111:activity:a' is not supported when a mock is not specified."},
		{"a result that is not JSON", `{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}`, mocked(`{`), "Mocked result is not valid JSON: parse JSON: unexpected end of JSON input"},
		{"an invalid state", `{"Type":"Parallel","Branches":[],"End":true}`, mocked(`[]`), "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/StateName/Branches'"},
	} {
		_, err := asl.RunState(t.Context(), asl.StateTest{
			Definition: []byte(test.definition), Mock: test.mock, Execution: asl.Execution{RoleARN: "role", Input: []byte(`{}`)},
		})
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestRunStateInsideAMapHasTheFirstItem(t *testing.T) {
	definition := `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass",
		"Parameters":{"i.$":"$$.Map.Item.Index","v.$":"$$.Map.Item.Value.x"},"End":true}}}}}}`
	result, err := asl.RunState(t.Context(), asl.StateTest{Definition: []byte(definition), StateName: "I", Execution: asl.Execution{Input: []byte(`{"x":5}`)}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"i":0,"v":5}`; string(result.Output) != want {
		t.Errorf("got %s, want %s", result.Output, want)
	}
}
