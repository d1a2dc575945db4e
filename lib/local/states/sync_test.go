package states_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

// withoutHostPrefix sends StartSyncExecution to the endpoint itself and not to the host "sync-" and the endpoint's name.
func withoutHostPrefix(o *sfn.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("withoutHostPrefix", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.Before)
	})
}

func TestAnExpressWorkflowRunsInOneRequest(t *testing.T) {
	t.Parallel()
	_, client := newClient(t, states.Config{StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
		t.Errorf("EventBridge hears of %s, which is an Express execution", x.ExecutionArn)
	}})
	arn := create(t, client, "quick", passMachine, types.StateMachineTypeExpress)
	in := &sfn.StartSyncExecutionInput{StateMachineArn: arn, Name: aws.String("n"), Input: aws.String(`{"a":1}`)}
	first, err := client.StartSyncExecution(t.Context(), in, withoutHostPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if first.Status != types.SyncExecutionStatusSucceeded || aws.ToString(first.Output) != `{"a":1}` || aws.ToString(first.Input) != `{"a":1}` ||
		!strings.HasPrefix(*first.ExecutionArn, "arn:aws:states:us-east-1:000000000000:express:quick:n:") || first.StopDate == nil ||
		first.BillingDetails.BilledMemoryUsedInMB == 0 {
		t.Errorf("%+v", first)
	}
	second, err := client.StartSyncExecution(t.Context(), in, withoutHostPrefix)
	if err != nil || *second.ExecutionArn == *first.ExecutionArn {
		t.Errorf("the same name again: %+v, %v; want another execution", second, err)
	}
	third, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: arn, Name: aws.String("n")})
	if err != nil || !strings.Contains(*third.ExecutionArn, ":express:") {
		t.Errorf("without waiting: %+v, %v", third, err)
	}

	_, err = client.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: arn})
	wiretest.WantCode(t, "list", err, "StateMachineTypeNotSupported")
	_, err = client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: first.ExecutionArn})
	wiretest.WantCode(t, "describe", err, "InvalidArn")

	failing := create(t, client, "failing", failMachine, types.StateMachineTypeExpress)
	failed, err := client.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: failing}, withoutHostPrefix)
	if err != nil || failed.Status != types.SyncExecutionStatusFailed || aws.ToString(failed.Error) != "Bad" || aws.ToString(failed.Cause) != "why" {
		t.Errorf("%+v, %v", failed, err)
	}

	_, err = client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("token"), RoleArn: aws.String(role), Type: types.StateMachineTypeExpress,
		Definition: aws.String(taskMachine("arn:aws:states:::lambda:invoke.waitForTaskToken", `,"Arguments":{"FunctionName":"f"}`)),
	})
	wiretest.WantCode(t, "task token", err, "InvalidDefinition")
}

func TestAnExpressWorkflowEndsAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := newService(t, states.Config{}, nil)
		out, err := service.CreateStateMachine(t.Context(), states.CreateStateMachineInput{
			Name: "slow", Definition: waitMachine, RoleArn: role, Type: "EXPRESS",
		})
		if err != nil {
			t.Fatal(err)
		}
		x, err := service.StartSyncExecution(t.Context(), states.StartSyncExecutionInput{StateMachineArn: out.StateMachineArn})
		if err != nil || x.Status != "TIMED_OUT" || x.Error != "States.Timeout" || x.StopDate.Sub(x.StartDate.Time) != 5*time.Minute {
			t.Errorf("%+v, %v", x, err)
		}
	})
}
