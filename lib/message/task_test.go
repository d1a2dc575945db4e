package message_test

import (
	"strings"
	"testing"

	"github.com/herald-progress/herald/lib/message"
)

// TestTasksAreExecutionsToo: a job may end with a task of ECS, or with a job of Batch or MediaConvert.
func TestTasksAreExecutionsToo(t *testing.T) {
	task := message.Execution{Region: "us-west-2", Account: "111122223333", Task: true}
	for arn, ok := range map[string]bool{
		"arn:aws:ecs:us-west-2:111122223333:task/FargateCluster/c13b4cb40f1f4fe4a2971f76ae5a47ad": true,
		"arn:aws:ecs:us-west-2:111122223333:task/c13b4cb4-0f1f-4fe4-a297-1f76ae5a47ad":            true,
		"arn:aws-cn:ecs:us-west-2:111122223333:task/a_b-c/c13b4cb40f1f4fe4a2971f76ae5a47ad":       true,
		"arn:aws:batch:us-west-2:111122223333:job/4c7599ae-0a82-49aa-ba5a-4727fcce14a8":           true,
		"arn:aws:batch:us-west-2:111122223333:job/4c7599ae-0a82-49aa-ba5a-4727fcce14a8:17":        true,
		"arn:aws:mediaconvert:us-west-2:111122223333:jobs/1671477617078-2886ye":                   true,
		"arn:aws:ecs:us-west-2:111122223333:task/" + strings.Repeat("x", 255) + "/y":              false, // over 256 characters
		"arn:aws:ecs:us-west-2:111122223333:task/":                                                false,
		"arn:aws:ecs:us-west-2:111122223333:task/a/b/c":                                           false,
		"arn:aws:ecs:us-west-2:111122223333:service/a/b":                                          false,
		"arn:aws:ecs:us-west-2::task/a/b":                                                         false,
		"arn:aws:batch:us-west-2:111122223333:job-queue/q":                                        false,
		"arn:aws:batch:us-west-2:111122223333:job/a:b":                                            false,
		"arn:aws:batch:us-west-2:111122223333:job/a#0":                                            false,
		"arn:aws:mediaconvert:us-west-2::jobs/1671477617078-2886ye":                               false,
		"arn:aws:mediaconvert:us-west-2:111122223333:job/1671477617078-2886ye":                    false,
		"arn:aws:glue:us-west-2:111122223333:job/x":                                               false,
		"arn:aws:ecs:us-west-2:111122223333":                                                      false,
	} {
		want := task
		if !ok {
			want = message.Execution{}
		}
		if got, gotOK := message.ParseExecution(arn); got != want || gotOK != ok {
			t.Errorf("%s is %+v, %v", arn, got, gotOK)
		}
	}
}
