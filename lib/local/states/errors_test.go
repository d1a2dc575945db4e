package states_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestErrorsHaveTheCodesOfAWS(t *testing.T) {
	t.Parallel()
	service := newService(t, states.Config{}, map[string]string{"wait": waitMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	machine := aws.String(states.StateMachineARN("wait"))
	unknownExecution := aws.String(states.ExecutionARN("wait", "unknown"))

	arn := start(t, service, "wait", "name", `{"a":1}`)
	if again := start(t, service, "wait", "name", `{"a":1}`); again != arn {
		t.Errorf("started %s, want %s again", again, arn)
	}

	startErr := func(in sfn.StartExecutionInput) error {
		_, err := client.StartExecution(t.Context(), &in)
		return err
	}
	historyErr := func(in sfn.GetExecutionHistoryInput) error {
		_, err := client.GetExecutionHistory(t.Context(), &in)
		return err
	}

	nameErr := func(name string) error {
		return startErr(sfn.StartExecutionInput{StateMachineArn: machine, Name: aws.String(name)})
	}

	_, stopErr := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: unknownExecution})
	_, tokenErr := client.SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{
		TaskToken: aws.String("no"), Output: aws.String("{}"),
	})
	_, outputErr := client.SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{
		TaskToken: aws.String("no"), Output: aws.String("{"),
	})
	_, failureErr := client.SendTaskFailure(t.Context(), &sfn.SendTaskFailureInput{TaskToken: aws.String("no")})
	_, heartbeatErr := client.SendTaskHeartbeat(t.Context(), &sfn.SendTaskHeartbeatInput{TaskToken: aws.String("no")})
	for _, tt := range []struct {
		name string
		err  error
		code string
	}{
		{
			"other input", startErr(sfn.StartExecutionInput{
				StateMachineArn: machine, Name: aws.String("name"), Input: aws.String("{}"),
			}), "ExecutionAlreadyExists",
		},
		{"no JSON", startErr(sfn.StartExecutionInput{StateMachineArn: machine, Input: aws.String("{")}), "InvalidExecutionInput"},
		{
			"large input", startErr(sfn.StartExecutionInput{
				StateMachineArn: machine, Input: aws.String(`"` + strings.Repeat("x", 262_144) + `"`),
			}), "ValidationException",
		},
		{"space", nameErr("a b"), "InvalidName"},
		{"wildcard", nameErr("a*"), "InvalidName"},
		{"long name", nameErr(strings.Repeat("x", 81)), "InvalidName"},
		{"colon", nameErr("a:b"), "InvalidName"},
		{
			"no machine", startErr(sfn.StartExecutionInput{StateMachineArn: aws.String(states.StateMachineARN("other"))}),
			"StateMachineDoesNotExist",
		},
		{"no ARN", startErr(sfn.StartExecutionInput{StateMachineArn: aws.String("wait")}), "InvalidArn"},
		{"another ARN", startErr(sfn.StartExecutionInput{StateMachineArn: unknownExecution}), "InvalidArn"},
		{"history of an unknown execution", historyErr(sfn.GetExecutionHistoryInput{ExecutionArn: unknownExecution}), "ExecutionDoesNotExist"},
		{
			"history token", historyErr(sfn.GetExecutionHistoryInput{ExecutionArn: aws.String(arn), NextToken: aws.String("?")}),
			"InvalidToken",
		},
		{
			"page size", historyErr(sfn.GetExecutionHistoryInput{ExecutionArn: aws.String(arn), MaxResults: 1001}),
			"ValidationException",
		},
		{"stop an unknown execution", stopErr, "ExecutionDoesNotExist"},
		{"token", tokenErr, "InvalidToken"},
		{"output", outputErr, "InvalidOutput"},
		{"failure", failureErr, "InvalidToken"},
		{"heartbeat", heartbeatErr, "InvalidToken"},
	} {
		wiretest.WantCode(t, tt.name, tt.err, tt.code)
	}

	// The SDK's own types.
	var exists *types.ExecutionAlreadyExists
	if err := startErr(sfn.StartExecutionInput{StateMachineArn: machine, Name: aws.String("name")}); !errors.As(err, &exists) ||
		exists.ErrorMessage() != "Execution Already Exists: '"+arn+"'" {
		t.Errorf("got %v", err)
	}

	// The name of an execution that has ended is still in use.
	_, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: aws.String(arn)})
	if err != nil {
		t.Fatal(err)
	}

	wiretest.WantCode(t, "ended", startErr(sfn.StartExecutionInput{
		StateMachineArn: machine, Name: aws.String("name"), Input: aws.String(`{"a":1}`),
	}), "ExecutionAlreadyExists")
}
