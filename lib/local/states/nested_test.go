package states_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/states"
)

func TestNestedExecutionsReturnTheirResults(t *testing.T) {
	t.Parallel()
	const resource = "arn:aws:states:::states:startExecution"

	arguments := func(machine string) string {
		return `,"Arguments":{"StateMachineArn":"` + states.StateMachineARN(machine) + `","Name":"child","Input":{"a":1}}`
	}
	for name, tt := range map[string]struct {
		machine string
		output  string // Without the dates.
		error   string
		cause   string // A * stands for any text.
	}{
		"start": {machine: taskMachine(resource, arguments("wait")), output: `{"ExecutionArn":"` +
			states.ExecutionARN("wait", "child") + `"}`},
		"sync": {machine: taskMachine(resource+".sync", arguments("pass")), output: `{"ExecutionArn":"` +
			states.ExecutionARN("pass", "child") + `","Input":"{\"a\":1}","InputDetails":{"Included":true},"Name":"child",` +
			`"Output":"{\"a\":1}","OutputDetails":{"Included":true},"StateMachineArn":"` + states.StateMachineARN("pass") +
			`","Status":"SUCCEEDED"}`},
		"sync:2": {machine: taskMachine(resource+".sync:2", arguments("pass")), output: `{"ExecutionArn":"` +
			states.ExecutionARN("pass", "child") + `","Input":{"a":1},"InputDetails":{"Included":true},"Name":"child",` +
			`"Output":{"a":1},"OutputDetails":{"Included":true},"StateMachineArn":"` + states.StateMachineARN("pass") +
			`","Status":"SUCCEEDED"}`},
		"failed": {
			machine: taskMachine(resource+".sync:2", arguments("fail")), error: "States.TaskFailed",
			cause: `{"Cause":"why","Error":"Bad","ExecutionArn":"` + states.ExecutionARN("fail", "child") + `","Input":*`,
		},
		"unknown": {
			machine: taskMachine(resource, arguments("other")), error: "StepFunctions.StateMachineDoesNotExistException",
			cause: "State Machine Does Not Exist: '" + states.StateMachineARN("other") + "' (Service: AWSStepFunctions; " +
				"Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: *; Proxy: null)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan states.ExecutionDescription, 1)
			service := newService(t, states.Config{
				StatusChanged: func(_ context.Context, description states.ExecutionDescription) {
					if description.Status != "RUNNING" && description.StateMachineArn == states.StateMachineARN("parent") {
						ended <- description
					}
				},
			}, map[string]string{"parent": tt.machine, "pass": passMachine, "fail": failMachine, "wait": waitMachine})
			start(t, service, "parent", "", "")
			got := <-ended
			if got.Error != tt.error || !matches(tt.cause, got.Cause) {
				t.Errorf("failed with %s: %s", got.Error, got.Cause)
			}

			if tt.error != "" {
				return
			}

			answer, _ := decode(t, got.Output).(map[string]any)
			for _, field := range []string{"StartDate", "StopDate", "SdkHttpMetadata", "SdkResponseMetadata"} {
				delete(answer, field)
			}

			if diff := cmp.Diff(decode(t, tt.output), any(answer)); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStoppedParentStopsItsNestedExecution(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		service := newService(t, states.Config{}, map[string]string{
			"parent": taskMachine("arn:aws:states:::states:startExecution.sync:2",
				`,"Arguments":{"StateMachineArn":"`+states.StateMachineARN("wait")+`","Name":"child"}`),
			"wait": waitMachine,
		})
		parent := start(t, service, "parent", "", "")
		synctest.Wait()

		if got := describe(t, service, states.ExecutionARN("wait", "child")); got.Status != "RUNNING" {
			t.Fatalf("the child is %s", got.Status)
		}

		_, err := service.StopExecution(t.Context(), states.StopExecutionInput{ExecutionArn: parent})
		if err != nil {
			t.Fatal(err)
		}

		synctest.Wait()
		for _, arn := range []string{parent, states.ExecutionARN("wait", "child")} {
			if got := describe(t, service, arn); got.Status != "ABORTED" {
				t.Errorf("%s is %s", arn, got.Status)
			}
		}
	})
}
