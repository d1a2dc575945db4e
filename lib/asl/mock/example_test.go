package mock_test

import (
	"context"
	"fmt"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/mock"
)

func ExampleCase_Tasks() {
	m, err := asl.Parse([]byte(`{"QueryLanguage": "JSONata", "StartAt": "Reserve", "States": {
		"Reserve": {
			"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "reserve"},
			"Retry": [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1}],
			"Output": "{% $states.result.Payload.left %}", "End": true
		}
	}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := mock.Parse([]byte(`{
		"StateMachines": {"order": {"TestCases": {"OutOfStock": {"Reserve": "NothingLeft"}}}},
		"MockedResponses": {"NothingLeft": {
			"0": {"Throw": {"Error": "Lambda.TooManyRequestsException", "Cause": "Rate exceeded"}},
			"1": {"Return": {"StatusCode": 200, "Payload": {"left": 0}}}
		}}
	}`))
	if err != nil {
		fmt.Println(err) // It names the place in the file and the rule.
		return
	}
	testCase, err := file.Case("order", "OutOfStock")
	if err != nil {
		fmt.Println(err) // It lists the names that the file has.
		return
	}
	if err := testCase.Check(m); err != nil {
		fmt.Println(err) // It names the states that the definition does not have.
		return
	}

	result := m.Run(context.Background(), asl.Execution{Tasks: testCase.Tasks(nil)})
	fmt.Println(result.Status, string(result.Output))
	// Output: SUCCEEDED 0
}
