package states_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

// The state machines of the tests, all in JSONata.
const (
	passMachine = `{"QueryLanguage":"JSONata","StartAt":"Pass","States":{"Pass":{"Type":"Pass","End":true}}}`
	waitMachine = `{"QueryLanguage":"JSONata","StartAt":"Wait","States":{"Wait":{"Type":"Wait","Seconds":600,"End":true}}}`
	failMachine = `{"QueryLanguage":"JSONata","StartAt":"Fail","States":{"Fail":{"Type":"Fail","Error":"Bad","Cause":"why"}}}`
)

// taskMachine returns a state machine of one task. fields are further fields of the task, with a comma before each.
func taskMachine(resource, fields string) string {
	return `{"QueryLanguage":"JSONata","StartAt":"Task","States":{"Task":{"Type":"Task","End":true,"Resource":"` +
		resource + `"` + fields + `}}}`
}

// newService returns a StepFunctions with the given definitions, by name. It is closed when the test ends.
func newService(t *testing.T, cfg states.Config, machines map[string]string) *states.StepFunctions {
	t.Helper()
	cfg.Machines = map[string][]byte{}
	for name, definition := range machines {
		cfg.Machines[name] = []byte(definition)
	}

	service, err := states.New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		err := service.Close(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return service
}

// start starts an execution and returns its ARN. An empty name or input means the default of StartExecution.
func start(t *testing.T, service *states.StepFunctions, machine, name, input string) string {
	t.Helper()
	out, err := service.StartExecution(t.Context(), states.StartExecutionInput{
		StateMachineArn: states.StateMachineARN(machine), Name: name, Input: input,
	})
	if err != nil {
		t.Fatalf("start %s: %v", machine, err)
	}
	return out.ExecutionArn
}

func describe(t *testing.T, service *states.StepFunctions, arn string) states.ExecutionDescription {
	t.Helper()
	out, err := service.DescribeExecution(t.Context(), states.DescribeExecutionInput{ExecutionArn: arn})
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	return out
}

// statusChanges receives the calls of Config.StatusChanged.
type statusChanges chan states.ExecutionDescription

func (s statusChanges) add(_ context.Context, description states.ExecutionDescription) {
	s <- description
}

// nextEnded waits for the next execution that ends.
func (s statusChanges) nextEnded() states.ExecutionDescription {
	for {
		if description := <-s; description.Status != "RUNNING" {
			return description
		}
	}
}

// runToEnd runs a state machine once and returns the ARN of the ended execution.
func runToEnd(t *testing.T, service *states.StepFunctions, ended statusChanges, machine string) string {
	t.Helper()
	arn := start(t, service, machine, "", "")
	ended.nextEnded()
	return arn
}

// decode returns JSON text as a value.
func decode(t *testing.T, text string) any {
	t.Helper()
	var value any
	err := json.Unmarshal([]byte(text), &value)
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return value
}

// brokenError is the error of a function. Lambda reports the name of its type, brokenError, as errorType.
type brokenError struct{ Reason string }

func (e brokenError) Error() string { return e.Reason }

func newLambda(t *testing.T, functions map[string]invoke.Function) *invoke.Lambda {
	t.Helper()
	lambda := invoke.New(invoke.Config{Functions: functions})
	t.Cleanup(func() {
		err := lambda.Close(context.WithoutCancel(t.Context()))
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return lambda
}

func TestSDKClientStartsAndDescribesExecutions(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 100)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{
		"pass": passMachine, "fail": failMachine,
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	begin := time.Now().Add(-time.Second)

	started, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String(states.StateMachineARN("pass")), Name: aws.String("one"), Input: aws.String(`{"a":[1]}`),
	})
	if err != nil {
		t.Fatal(err)
	}

	if aws.ToString(started.ExecutionArn) != "arn:aws:states:us-east-1:000000000000:execution:pass:one" ||
		started.StartDate.Before(begin) || started.StartDate.After(time.Now()) {
		t.Errorf("started %s at %v", aws.ToString(started.ExecutionArn), started.StartDate)
	}

	ended.nextEnded()
	got, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
	if err != nil {
		t.Fatal(err)
	}

	if got.Status != types.ExecutionStatusSucceeded || aws.ToString(got.Input) != `{"a":[1]}` ||
		aws.ToString(got.Output) != `{"a":[1]}` || got.StopDate == nil || got.StopDate.Before(*got.StartDate) ||
		got.Error != nil || !got.OutputDetails.Included || got.RedriveStatus != types.ExecutionRedriveStatusNotRedrivable {
		t.Errorf("described %+v", got)
	}

	got, err = client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{
		ExecutionArn: started.ExecutionArn, IncludedData: types.IncludedDataMetadataOnly,
	})
	if err != nil || got.Input != nil || got.Output != nil {
		t.Errorf("metadata only: %+v, error %v", got, err)
	}

	failed, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{
		ExecutionArn: aws.String(runToEnd(t, service, ended, "fail")),
	})
	if err != nil || failed.Status != types.ExecutionStatusFailed || aws.ToString(failed.Error) != "Bad" ||
		aws.ToString(failed.Cause) != "why" || failed.Output != nil || failed.OutputDetails != nil {
		t.Errorf("failed: %+v, error %v", failed, err)
	}
}

func TestStopExecutionAbortsARunningExecution(t *testing.T) {
	t.Parallel()
	service := newService(t, states.Config{}, map[string]string{"wait": waitMachine})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	begin := time.Now().Add(-time.Second)

	// A running execution has neither stop date nor output.
	running := aws.String(start(t, service, "wait", "", ""))
	got, err := client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: running})
	if err != nil || got.Status != types.ExecutionStatusRunning || got.StopDate != nil || aws.ToString(got.Input) != "{}" {
		t.Errorf("running: %+v, error %v", got, err)
	}

	stopped, err := client.StopExecution(t.Context(), &sfn.StopExecutionInput{
		ExecutionArn: running, Error: aws.String("Mine"), Cause: aws.String("enough"),
	})
	if err != nil || stopped.StopDate.Before(begin) {
		t.Errorf("stopped %+v, error %v", stopped, err)
	}

	got, err = client.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: running})
	if err != nil || got.Status != types.ExecutionStatusAborted || aws.ToString(got.Error) != "Mine" ||
		aws.ToString(got.Cause) != "enough" || !got.StopDate.Equal(*stopped.StopDate) {
		t.Errorf("stopped: %+v, error %v", got, err)
	}
}

func TestCloseAbortsRunningExecutions(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var (
			mu   sync.Mutex
			seen []string
		)
		service := newService(t, states.Config{StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, string(x.Status))
		}}, map[string]string{"wait": waitMachine})
		arn := start(t, service, "wait", "", "")
		synctest.Wait()
		err := service.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff([]string{"RUNNING", "ABORTED"}, seen); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if got := describe(t, service, arn); got.Status != "ABORTED" {
			t.Errorf("ended as %+v", got)
		}

		_, err = service.StartExecution(t.Context(), states.StartExecutionInput{StateMachineArn: states.StateMachineARN("wait")})
		wiretest.WantCode(t, "after Close", err, "ServiceUnavailableException")
	})
}
