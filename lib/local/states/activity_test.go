package states_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/states"
)

func TestAWorkerRunsTheTasksOfAnActivity(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{
		"m": taskMachine(states.ActivityARN("mine"), `,"Arguments":{"n":"{% $states.input.n %}"}`),
	})
	client := sfn.NewFromConfig(wiretest.Config(t, service))
	created, err := client.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("mine")})
	if err != nil || aws.ToString(created.ActivityArn) != states.ActivityARN("mine") {
		t.Fatalf("%+v, %v", created, err)
	}
	if again, err := client.CreateActivity(t.Context(), &sfn.CreateActivityInput{Name: aws.String("mine")}); err != nil ||
		!again.CreationDate.Equal(*created.CreationDate) {
		t.Errorf("created again: %+v, %v", again, err)
	}
	poll := func() *sfn.GetActivityTaskOutput {
		task, err := client.GetActivityTask(t.Context(), &sfn.GetActivityTaskInput{ActivityArn: created.ActivityArn})
		if err != nil {
			t.Error(err)
		}
		return task
	}

	// A worker may poll before there is a task.
	early := make(chan *sfn.GetActivityTaskOutput, 1)
	go func() { early <- poll() }()
	start(t, service, "m", "", `{"n":1}`)
	task := <-early
	if aws.ToString(task.Input) != `{"n":1}` {
		t.Errorf("input %s", aws.ToString(task.Input))
	}
	if _, err := client.SendTaskHeartbeat(t.Context(), &sfn.SendTaskHeartbeatInput{TaskToken: task.TaskToken}); err != nil {
		t.Error(err)
	}
	if _, err := client.SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{TaskToken: task.TaskToken, Output: aws.String(`"one"`)}); err != nil {
		t.Error(err)
	}
	if x := ended.nextEnded(); x.Output != `"one"` {
		t.Errorf("%+v", x)
	}

	start(t, service, "m", "", `{"n":2}`)
	if _, err := client.SendTaskFailure(t.Context(), &sfn.SendTaskFailureInput{TaskToken: poll().TaskToken, Error: aws.String("Bad")}); err != nil {
		t.Error(err)
	}
	if x := ended.nextEnded(); x.Status != "FAILED" || x.Error != "Bad" {
		t.Errorf("%+v", x)
	}

	list, err := client.ListActivities(t.Context(), &sfn.ListActivitiesInput{})
	if err != nil || len(list.Activities) != 1 || aws.ToString(list.Activities[0].Name) != "mine" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := client.DeleteActivity(t.Context(), &sfn.DeleteActivityInput{ActivityArn: created.ActivityArn}); err != nil {
		t.Error(err)
	}
	_, err = client.DescribeActivity(t.Context(), &sfn.DescribeActivityInput{ActivityArn: created.ActivityArn})
	wiretest.WantCode(t, "deleted", err, "ActivityDoesNotExist")
	_, err = client.GetActivityTask(t.Context(), &sfn.GetActivityTaskInput{ActivityArn: aws.String(states.StateMachineARN("m"))})
	wiretest.WantCode(t, "another ARN", err, "InvalidArn")
	start(t, service, "m", "", `{"n":3}`)
	if x := ended.nextEnded(); x.Status != "FAILED" || x.Error != "States.Runtime" {
		t.Errorf("without the activity: %+v", x)
	}
}

func TestATaskOfAnActivityTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(statusChanges, 20)
		service := newService(t, states.Config{StatusChanged: ended.add}, map[string]string{
			"m": taskMachine(states.ActivityARN("mine"), `,"TimeoutSeconds":30`),
		})
		if _, err := service.CreateActivity(t.Context(), states.CreateActivityInput{Name: "mine"}); err != nil {
			t.Fatal(err)
		}
		start(t, service, "m", "", "")
		if x := ended.nextEnded(); x.Error != "States.Timeout" {
			t.Errorf("%+v", x)
		}
		begin := time.Now()
		task, err := service.GetActivityTask(t.Context(), states.GetActivityTaskInput{ActivityArn: states.ActivityARN("mine")})
		if err != nil || task.TaskToken != "" || time.Since(begin) != time.Minute {
			t.Errorf("%+v, %v after %v; want no task after a minute", task, err, time.Since(begin))
		}
	})
}
