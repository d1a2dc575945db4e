package states

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/awswire"
)

// StateTestInput is the input of TestState.
type StateTestInput struct {
	Definition      string `json:"definition"`
	StateName       string `json:"stateName"`
	RoleArn         string `json:"roleArn"`
	Input           string `json:"input"`
	Variables       string `json:"variables"`
	Context         string `json:"context"`
	InspectionLevel string `json:"inspectionLevel"`
	RevealSecrets   bool   `json:"revealSecrets"`
	Mock            *struct {
		Result      *string `json:"result"`
		ErrorOutput *struct {
			Error string `json:"error"`
			Cause string `json:"cause"`
		} `json:"errorOutput"`
		FieldValidationMode string `json:"fieldValidationMode"`
	} `json:"mock"`
	StateConfiguration struct {
		RetrierRetryCount        int    `json:"retrierRetryCount"`
		ErrorCausedByState       string `json:"errorCausedByState"`
		MapIterationFailureCount *int   `json:"mapIterationFailureCount"`
		MapItemReaderData        string `json:"mapItemReaderData"`
	} `json:"stateConfiguration"`
}

// StateTestOutput is the output of TestState.
type StateTestOutput struct {
	Status         asl.StateTestStatus `json:"status"`
	Output         string              `json:"output,omitempty"`
	Error          string              `json:"error,omitempty"`
	Cause          string              `json:"cause,omitempty"`
	NextState      string              `json:"nextState,omitempty"`
	InspectionData json.RawMessage     `json:"inspectionData,omitempty"`
}

// TestState runs one state by itself, with a mocked result or with the functions that are there.
func (s *StepFunctions) TestState(ctx context.Context, in StateTestInput) (StateTestOutput, error) {
	if err := validateChoice("inspectionLevel", in.InspectionLevel, "INFO", "DEBUG", "TRACE"); err != nil {
		return StateTestOutput{}, err
	}
	arn := ExecutionARN("TestState", awswire.NewUUID())
	test := asl.StateTest{
		Definition: []byte(in.Definition), StateName: in.StateName, RevealSecrets: in.RevealSecrets,
		Inspect:   in.InspectionLevel == "DEBUG" || in.InspectionLevel == "TRACE",
		Variables: json.RawMessage(in.Variables), Context: json.RawMessage(in.Context),
		Execution: asl.Execution{
			ID: arn, Name: "TestState", RoleARN: in.RoleArn, StateMachineID: StateMachineARN("TestState"), StateMachineName: "TestState",
			Input: json.RawMessage(cmp.Or(in.Input, "{}")), Tasks: &taskRunner{states: s, executionARN: arn},
		},
		Configuration: asl.StateTestConfiguration{
			RetrierRetryCount: in.StateConfiguration.RetrierRetryCount, ErrorCausedByState: in.StateConfiguration.ErrorCausedByState,
			MapIterationFailureCount: in.StateConfiguration.MapIterationFailureCount, MapItemReaderData: in.StateConfiguration.MapItemReaderData,
		},
	}
	if in.Mock != nil {
		test.Mock = &asl.StateMock{Result: in.Mock.Result, Validation: in.Mock.FieldValidationMode}
		if failure := in.Mock.ErrorOutput; failure != nil {
			test.Mock.Error = &asl.Error{Name: failure.Error, Cause: failure.Cause}
		}
	}

	result, err := asl.RunState(ctx, test)
	var rejected *asl.StateTestError
	if errors.As(err, &rejected) {
		return StateTestOutput{}, awswire.NewError(rejected.Code, rejected.Message)
	}
	if err != nil {
		return StateTestOutput{}, err
	}
	out := StateTestOutput{
		Status: result.Status, Output: string(result.Output), NextState: result.NextState, InspectionData: result.InspectionData,
	}
	if result.Error != nil {
		out.Error, out.Cause = result.Error.Name, result.Error.Cause
	}
	return out, nil
}
