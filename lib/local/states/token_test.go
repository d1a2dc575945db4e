package states_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// tokenMachine returns a state machine that passes its task token to the function ask.
func tokenMachine(fields string) string {
	return taskMachine("arn:aws:states:::lambda:invoke.waitForTaskToken",
		`,"Arguments":{"FunctionName":"ask","Payload":{"Token":"{% $states.context.Task.Token %}"}}`+fields)
}

type askInput struct{ Token string }

// askService returns a service with the machine "ask". The machine's function sends the task tokens to the channel and returns
// functionErr.
func askService(t *testing.T, fields string, functionErr error) (*states.StepFunctions, <-chan string) {
	t.Helper()
	tokens := make(chan string, 1)
	lambda := newLambda(t, map[string]invoke.Function{
		"ask": {Timeout: time.Minute, Handler: func(_ context.Context, in askInput) error {
			tokens <- in.Token
			return functionErr
		}},
	})
	return newService(t, states.Config{Lambda: lambda}, map[string]string{"ask": tokenMachine(fields)}), tokens
}

func TestTaskTokenEndsItsTaskOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		service, tokens := askService(t, "", nil)

		// Success.
		arn := start(t, service, "ask", "", "")
		token := <-tokens
		time.Sleep(time.Hour) // No function is running any more.

		if got := describe(t, service, arn); got.Status != "RUNNING" {
			t.Fatalf("ended as %+v", got)
		}

		_, err := service.SendTaskHeartbeat(t.Context(), states.SendTaskHeartbeatInput{TaskToken: token})
		if err != nil {
			t.Errorf("heartbeat: %v", err)
		}

		success := states.SendTaskSuccessInput{TaskToken: token, Output: `{"choice":"yes"}`}
		_, err = service.SendTaskSuccess(t.Context(), success)
		if err != nil {
			t.Errorf("success: %v", err)
		}

		synctest.Wait()
		if got := describe(t, service, arn); got.Status != "SUCCEEDED" || got.Output != success.Output {
			t.Errorf("ended as %+v", got)
		}

		_, err = service.SendTaskSuccess(t.Context(), success)
		wiretest.WantCode(t, "a token used twice", err, "TaskTimedOut")

		// Failure.
		arn = start(t, service, "ask", "", "")

		_, err = service.SendTaskFailure(t.Context(), states.SendTaskFailureInput{TaskToken: <-tokens, Error: "No", Cause: "not now"})
		if err != nil {
			t.Errorf("failure: %v", err)
		}

		synctest.Wait()
		if got := describe(t, service, arn); got.Status != "FAILED" || got.Error != "No" || got.Cause != "not now" {
			t.Errorf("ended as %+v", got)
		}

		// StopExecution.
		arn = start(t, service, "ask", "", "")
		token = <-tokens

		_, err = service.StopExecution(t.Context(), states.StopExecutionInput{ExecutionArn: arn})
		if err != nil {
			t.Errorf("stop: %v", err)
		}

		_, err = service.SendTaskHeartbeat(t.Context(), states.SendTaskHeartbeatInput{TaskToken: token})
		wiretest.WantCode(t, "a stopped execution", err, "TaskTimedOut")
	})
}

func TestTaskTokenIsRejectedAfterTheTimeout(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		service, tokens := askService(t, `,"TimeoutSeconds":30`, nil)
		arn := start(t, service, "ask", "", "")
		token := <-tokens
		time.Sleep(31 * time.Second)

		if got := describe(t, service, arn); got.Status != "FAILED" || got.Error != "States.Timeout" {
			t.Errorf("ended as %+v", got)
		}
		_, err := service.SendTaskSuccess(t.Context(), states.SendTaskSuccessInput{TaskToken: token, Output: "1"})
		wiretest.WantCode(t, "too late", err, "TaskTimedOut")
	})
}

func TestTaskTokenIsRejectedAfterAFunctionError(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		service, tokens := askService(t, "", brokenError{"went wrong"})
		arn := start(t, service, "ask", "", "")
		token := <-tokens
		synctest.Wait()

		if got := describe(t, service, arn); got.Status != "FAILED" || got.Error != "brokenError" {
			t.Errorf("ended as %+v", got)
		}
		_, err := service.SendTaskSuccess(t.Context(), states.SendTaskSuccessInput{TaskToken: token, Output: "1"})
		wiretest.WantCode(t, "too late", err, "TaskTimedOut")
	})
}
