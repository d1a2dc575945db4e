package asl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
)

// A testStateCall is a recorded call of TestState with its answer.
type testStateCall struct {
	Name       string          `json:"name"`
	Raised     bool            `json:"raised"`
	Definition json.RawMessage `json:"definition"`
	Input      json.RawMessage `json:"input"`
	Args       struct {
		StateName       string          `json:"stateName"`
		InspectionLevel string          `json:"inspectionLevel"`
		RevealSecrets   bool            `json:"revealSecrets"`
		Variables       json.RawMessage `json:"variables"`
		Context         json.RawMessage `json:"context"`
		Mock            *struct {
			Result      *string `json:"result"`
			ErrorOutput *struct {
				Error string `json:"error"`
				Cause string `json:"cause"`
			} `json:"errorOutput"`
			FieldValidationMode string `json:"fieldValidationMode"`
		} `json:"mock"`
		Configuration struct {
			RetrierRetryCount        int    `json:"retrierRetryCount"`
			ErrorCausedByState       string `json:"errorCausedByState"`
			MapIterationFailureCount *int   `json:"mapIterationFailureCount"`
			MapItemReaderData        string `json:"mapItemReaderData"`
		} `json:"stateConfiguration"`
	} `json:"args"`
	// Expected is a map because its keys error and Error differ only in case.
	Expected map[string]json.RawMessage `json:"expected"`
}

// expected returns a string field of the answer.
func (c *testStateCall) expected(field string) string {
	var text string
	_ = json.Unmarshal(c.Expected[field], &text)
	return text
}

// test returns the recorded call. The recording does not say whether the call has a role: it has none if the answer says so.
func (c *testStateCall) test() asl.StateTest {
	role := "arn:aws:iam::111111111111:role/role"
	if bytes.Contains(c.Expected["output"], []byte(`"RoleArn": null`)) || strings.Contains(c.expected("message"), "RoleArn must be") {
		role = ""
	}

	test := asl.StateTest{
		Definition: c.Definition, StateName: c.Args.StateName,
		Inspect:       c.Args.InspectionLevel == "DEBUG" || c.Args.InspectionLevel == "TRACE",
		RevealSecrets: c.Args.RevealSecrets, Variables: c.Args.Variables, Context: c.Args.Context,
		Execution: asl.Execution{
			ID:   "arn:aws:states:us-east-1:111111111111:express:machine:run:1",
			Name: "run", RoleARN: role,
			StateMachineName: "machine", StateMachineID: "arn:aws:states:us-east-1:111111111111:stateMachine:machine",
			Input: c.Input,
			Tasks: taskFunc(func(context.Context, asl.Task) (json.RawMessage, error) { return c.Expected["output"], nil }),
		},
		Configuration: asl.StateTestConfiguration(c.Args.Configuration),
	}
	if mock := c.Args.Mock; mock != nil {
		test.Mock = &asl.StateMock{Result: mock.Result, Validation: mock.FieldValidationMode}
		if mock.ErrorOutput != nil {
			test.Mock.Error = &asl.Error{Name: mock.ErrorOutput.Error, Cause: mock.ErrorOutput.Cause}
		}
	}
	return test
}

// answer returns the answer to a call as AWS writes it. The inspection data holds JSON texts, as on AWS: the recording has decoded those
// that are objects.
func answer(t *testing.T, result asl.StateTestResult, err error) map[string]any {
	t.Helper()
	var rejected *asl.StateTestError
	if errors.As(err, &rejected) {
		return map[string]any{
			"Error":   map[string]any{"Code": rejected.Code, "Message": rejected.Message},
			"message": rejected.Message,
		}
	}
	if err != nil {
		t.Fatal(err)
	}

	answered := map[string]any{"status": string(result.Status)}
	if result.Output != nil {
		answered["output"] = decode(t, result.Output)
	}
	if result.NextState != "" {
		answered["nextState"] = result.NextState
	}
	if result.Error != nil {
		answered["error"], answered["cause"] = result.Error.Name, result.Error.Cause
	}
	if result.InspectionData != nil {
		data, _ := decode(t, result.InspectionData).(map[string]any)
		for name, v := range data {
			if text, ok := v.(string); ok && strings.HasPrefix(text, "{") {
				data[name] = decode(t, []byte(text))
			}
		}
		answered["inspectionData"] = data
	}
	return answered
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStatesAnswerAsRecordedOnAWS(t *testing.T) {
	calls := readLines[testStateCall](t, "teststate.jsonl")
	for _, c := range calls {
		t.Run(c.Name, func(t *testing.T) {
			recorded, err := json.Marshal(c.Expected)
			if err != nil {
				t.Fatal(err)
			}

			synctest.Test(t, func(t *testing.T) {
				result, err := asl.RunState(t.Context(), c.test())
				want, got := decode(t, recorded), answer(t, result, err)
				if !matchValue(want, any(got)) {
					t.Error(cmp.Diff(want, any(got)))
				}
			})
		})
	}

	t.Logf("%d recorded calls of TestState were run", len(calls))
}
