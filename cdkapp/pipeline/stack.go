package pipeline

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewStack returns a stack in scope with one Pipeline and these outputs: WebSocketUrl, ManagementEndpoint,
// NotifierFunctionName, NotifierFunctionArn, ConnectionsTableName, FeedTableName, UploadsBucketName, the URL of each dead-letter
// queue, such as SweeperDeadLettersUrl, and the ARN of the state machine of each workflow, such as CsvImportStateMachineArn. Its
// errors are those of New.
func NewStack(scope constructs.Construct, settings Settings) (awscdk.Stack, error) {
	stack := awscdk.NewStack(scope, jsii.String(settings.StackName), &awscdk.StackProps{
		Description:        jsii.String("Herald: progress of workflows to signed-in browsers"),
		AnalyticsReporting: jsii.Bool(false),
	})
	p, err := New(stack, "Herald", settings.Props)
	if err != nil {
		return nil, err
	}
	output(stack, "WebSocketUrl", "Where browsers connect", p.Stage.Url())
	output(stack, "ManagementEndpoint", "Where @connections is called", p.Stage.CallbackUrl())
	output(stack, "NotifierFunctionName", "What aws lambda invoke calls", p.Notifier.FunctionName())
	output(stack, "NotifierFunctionArn", "What a workflow calls as a task", p.Notifier.FunctionArn())
	output(stack, "ConnectionsTableName", "The open connections", p.ConnectionsTable.TableName())
	output(stack, "FeedTableName", "The newest state of each job, and notes", p.FeedTable.TableName())
	output(stack, "UploadsBucketName", "Objects under uploads/ are imported", p.Bucket.BucketName())
	for _, id := range slices.Sorted(maps.Keys(p.deadLetters)) {
		output(stack, id+"Url", "The events that were given up", p.deadLetters[id].QueueUrl())
	}
	for _, name := range slices.Sorted(maps.Keys(p.workflows)) {
		output(stack, constructID(name)+"StateMachineArn", "The "+name+" workflow", p.workflows[name].StateMachineArn())
	}

	if !settings.Props.ExistingTables {
		refuseRenamed(stack, "DeployedTable", "tableName", p.props.TableName)
		refuseRenamed(stack, "DeployedFeedTable", "feedTableName", p.props.FeedTableName)
	}

	return stack, nil
}

// output adds an output to the stack.
func output(stack awscdk.Stack, id, description string, value *string) {
	awscdk.NewCfnOutput(stack, jsii.String(id), &awscdk.CfnOutputProps{
		Description: jsii.String(description),
		Value:       value,
	})
}
