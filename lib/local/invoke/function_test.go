package invoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
)

func TestPanicBecomesAFunctionError(t *testing.T) {
	t.Parallel()

	lambda := newLambda(t, map[string]invoke.Function{
		"text":   {Handler: func() error { panic("oh no") }},
		"value":  {Handler: func() error { panic(&pointerError{}) }},
		"lambda": {Handler: func() error { panic(messages.InvokeResponse_Error{Type: "Mine"}) }},
	})
	for function, want := range map[string]string{"text": "string", "value": "pointerError", "lambda": "Mine"} {
		result, err := lambda.Invoke(t.Context(), function, nil)
		if err != nil || result.Error == nil || result.Error.Type != want {
			t.Errorf("%s: got %s, error %v, want the type %s", function, result.Payload, err, want)
		}
	}

	result, err := lambda.Invoke(t.Context(), "text", nil)
	if err != nil {
		t.Fatal(err)
	}

	if stack := result.Error.StackTrace; len(stack) == 0 ||
		stack[0].Path != "invoke/function_test.go" || !strings.HasPrefix(stack[0].Label, "TestPanic") {
		t.Errorf("stack trace of %s", result.Payload)
	}
}

func TestInvocationEndsAtItsDeadline(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		lambda := newLambda(t, map[string]invoke.Function{
			"context": {Timeout: time.Minute, Handler: func(ctx context.Context) (map[string]string, error) {
				lambdaCtx, _ := lambdacontext.FromContext(ctx)
				deadline, _ := ctx.Deadline()
				return map[string]string{
					"arn": lambdaCtx.InvokedFunctionArn, "request": lambdaCtx.AwsRequestID, "left": time.Until(deadline).String(),
				}, nil
			}},
			"ignores deadline": {Timeout: 30 * time.Second, Handler: func() error {
				time.Sleep(time.Hour)
				return nil
			}},
			"slow": {Handler: func(ctx context.Context) error {
				start := time.Now()
				<-ctx.Done()
				ended <- time.Since(start)
				return nil
			}},
		})

		result, err := lambda.Invoke(t.Context(), "context", nil)
		if err != nil {
			t.Fatal(err)
		}

		var got map[string]string
		err = json.Unmarshal(result.Payload, &got)
		if err != nil {
			t.Fatal(err)
		}

		want := map[string]string{
			"arn": invoke.FunctionARN("context"), "request": result.RequestID, "left": time.Minute.String(),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what the function sees (-want +got):\n%s", diff)
		}

		// A function that ignores its deadline does not delay its caller.
		start := time.Now()
		result, err = lambda.Invoke(t.Context(), "ignores deadline", nil)
		if err != nil || time.Since(start) != 30*time.Second ||
			!strings.HasSuffix(result.Error.Message, "Task timed out after 30.00 seconds") {
			t.Errorf("ignores deadline: %s after %v, error %v", result.Payload, time.Since(start), err)
		}

		// A caller that stops waiting does not stop the function. Its default timeout is 3 s.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = lambda.Invoke(ctx, "slow", nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow: got %v", err)
		}
		if lasted := <-ended; lasted != 3*time.Second {
			t.Errorf("slow ran for %v", lasted)
		}
	})
}

func TestCloseCancelsRunningFunctions(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		lambda := invoke.New(invoke.Config{Functions: map[string]invoke.Function{
			"wait": {Timeout: time.Minute, Handler: func(ctx context.Context) error {
				<-ctx.Done()
				return brokenError{"stopped"}
			}},
			"ignores cancellation": {Timeout: time.Minute, Handler: func() error {
				time.Sleep(time.Hour)
				return nil
			}},
		}})

		_, err := lambda.InvokeEvent("ignores cancellation", nil)
		if err != nil {
			t.Fatal(err)
		}

		var wg sync.WaitGroup
		wg.Go(func() {
			result, err := lambda.Invoke(t.Context(), "wait", nil)
			if err != nil || result.Error == nil || result.Error.Type != "brokenError" {
				t.Errorf("got %s, error %v", result.Payload, err)
			}
		})

		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = lambda.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close with a function that ignores it: %v", err)
		}

		wg.Wait()
		_, err = lambda.Invoke(t.Context(), "wait", nil)
		wiretest.WantCode(t, "after Close", err, "ServiceUnavailableException")
		err = lambda.Close(t.Context())
		if err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

// The race detector finds results that share memory with a later call.
func TestConcurrentInvocationsDoNotShareAnswers(t *testing.T) {
	t.Parallel()
	lambda := newLambda(t, map[string]invoke.Function{"echo": {Handler: echo}})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 200 {
				want := fmt.Sprintf(`"%d-%d"`, worker, i)
				got, err := lambda.Invoke(t.Context(), "echo", []byte(want))
				if err != nil || string(got.Payload) != want {
					t.Errorf("got %s, want %s, error %v", got.Payload, want, err)
				}
			}
		})
	}

	wg.Wait()
}
