package states_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestCheckResourcesNamesUnsupportedTasks(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{
		"arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken", invoke.FunctionARN("echo"),
		"arn:aws:states:::states:startExecution", "arn:aws:states:::states:startExecution.sync",
		"arn:aws:states:::states:startExecution.sync:2", "arn:aws:states:::states:startExecution.waitForTaskToken",
	} {
		err := states.CheckResources([]byte(taskMachine(resource, "")))
		if err != nil {
			t.Errorf("%s: %v", resource, err)
		}
	}

	err := states.CheckResources([]byte(`{"States":{
		"Good":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke"},
		"Table":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:putItem"},
		"Both":{"Type":"Parallel","Branches":[{"States":{"Queue":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage"}}}]},
		"Each":{"Type":"Map","ItemProcessor":{"States":{"Sync":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.sync"}}}}
	}}`))

	const want = "states: resource cannot be run here: arn:aws:states:::sqs:sendMessage, in state Queue\n" +
		"states: resource cannot be run here: arn:aws:states:::lambda:invoke.sync, in state Sync\n" +
		"states: resource cannot be run here: arn:aws:states:::dynamodb:putItem, in state Table"
	if err == nil || err.Error() != want || !errors.Is(err, states.ErrUnsupportedResource) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestATaskThatCannotRunHereFailsByName creates a state machine whose task nobody serves, as AWS would.
func TestATaskThatCannotRunHereFailsByName(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 10)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{
		"queue": taskMachine("arn:aws:states:::sqs:sendMessage", `,"Arguments":{}`),
	})
	x := describe(t, service, runToEnd(t, service, ended, "queue"))
	if x.Status != "FAILED" || x.Error != asl.ErrorNotServed || !strings.Contains(x.Cause, "sqs:sendMessage") {
		t.Errorf("%s %s: %s", x.Status, x.Error, x.Cause)
	}
}
