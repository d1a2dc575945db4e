package asl_test

import (
	"fmt"
	"testing"

	"github.com/herald-progress/herald/lib/asl"
)

// taskWith returns a definition with a task of the resource.
func taskWith(resource string) string {
	return fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":%q,"End":true}}}`, resource)
}

func TestAllIntegrationsParse(t *testing.T) {
	for _, resource := range []string{
		"arn:aws:lambda:eu-central-1:111111111111:function:f:1", "arn:aws-cn:lambda:cn-north-1:111111111111:function:f",
		"arn:aws:states:eu-central-1:111111111111:activity:a",
		"arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken",
		"arn:aws:states:::states:startExecution", "arn:aws:states:::states:startExecution.sync", "arn:aws:states:::states:startExecution.sync:2",
		"arn:aws:states:::sqs:sendMessage.waitForTaskToken", "arn:aws:states:::sns:publish", "arn:aws:states:::events:putEvents.waitForTaskToken",
		"arn:aws:states:::dynamodb:getItem", "arn:aws:states:::dynamodb:updateItem", "arn:aws:states:::apigateway:invoke",
		"arn:aws:states:::http:invoke", "arn:aws:states:::batch:submitJob.sync", "arn:aws:states:::ecs:runTask.sync",
		"arn:aws:states:::ecs:runTask.waitForTaskToken", "arn:aws:states:::codebuild:startBuild.sync", "arn:aws:states:::glue:startJobRun.sync",
		"arn:aws:states:::athena:startQueryExecution.sync", "arn:aws:states:::eks:runJob.sync", "arn:aws:states:::databrew:startJobRun.sync",
		"arn:aws:states:::elasticmapreduce:createCluster.sync", "arn:aws:states:::emr-serverless:startJobRun.sync",
		"arn:aws:states:::emr-containers:startJobRun.sync", "arn:aws:states:::sagemaker:createTrainingJob.sync",
		"arn:aws:states:::bedrock:invokeModel", "arn:aws:states:::mediaconvert:createJob.sync",
		"arn:aws:states:::aws-sdk:s3:listObjectsV2", "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess", "arn:aws:states:::aws-sdk:ec2:runInstances.waitForTaskToken",
	} {
		m, err := asl.Parse([]byte(taskWith(resource)))
		if err != nil {
			t.Errorf("%s: %v", resource, err)
			continue
		}
		want := "FAILED ResourceNotServed Nobody serves the resource " + resource + " here."
		if got := resultText(m.Run(t.Context(), asl.Execution{})); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParseRejectsResourcesThatAWSDoesNotHave(t *testing.T) {
	for _, resource := range []string{
		"f", "arn:aws:s3:::b", "arn:aws:lambda:eu-central-1:111111111111:layer:l", "arn:aws:states:::dynamodb:query",
		"arn:aws:states:::lambda:invoke.sync", "arn:aws:states:::glue:startJobRun.sync:2", "arn:aws:states:::sqs:sendMessage.wait",
		"arn:aws:states:::aws-sdk:s3", "arn:aws:states:::aws-sdk:s3:getObject.sync", "arn:aws:states:::nobody:knows",
		"arn:aws:states:eu-central-1:111111111111:activity:",
	} {
		if _, err := asl.Parse([]byte(taskWith(resource))); err == nil {
			t.Errorf("%s is accepted", resource)
		}
	}
}
