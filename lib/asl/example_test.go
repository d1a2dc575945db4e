package asl_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/herald-progress/herald/lib/asl"
)

// greeter runs every task: its result is a greeting.
type greeter struct{}

func (greeter) RunTask(_ context.Context, t asl.Task) (json.RawMessage, error) {
	var who string
	if err := json.Unmarshal(t.Arguments, &who); err != nil {
		return nil, &asl.Error{Name: "BadName", Cause: err.Error()}
	}
	return json.Marshal("Hello, " + who + "!")
}

func ExampleMachine_Run() {
	m, err := asl.Parse([]byte(`{
		"QueryLanguage": "JSONata",
		"StartAt": "Greet",
		"States": {
			"Greet": {
				"Type": "Task",
				"Resource": "arn:aws:lambda:eu-central-1:111111111111:function:greet",
				"Arguments": "{% $exists($states.input.name) ? $states.input.name : 'you' %}",
				"Output": {"greeting": "{% $uppercase($states.result) %}"},
				"End": true
			}
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}

	result := m.Run(context.Background(), asl.Execution{
		Input:  json.RawMessage(`{"name": "Ada"}`),
		Tasks:  greeter{},
		Record: func(e asl.Event) { fmt.Println(e.ID, e.Type) },
	})
	fmt.Println(result.Status, string(result.Output))
	// Output:
	// 1 ExecutionStarted
	// 2 TaskStateEntered
	// 3 LambdaFunctionScheduled
	// 4 LambdaFunctionStarted
	// 5 LambdaFunctionSucceeded
	// 6 TaskStateExited
	// 7 ExecutionSucceeded
	// SUCCEEDED {"greeting":"HELLO, ADA!"}
}
