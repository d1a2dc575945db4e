package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewStack returns a stack in scope with one Pipeline and these outputs: WebSocketUrl, ManagementEndpoint,
// NotifierFunctionName, NotifierFunctionArn, ConnectionsTableName, FeedTableName, UploadsBucketName, the URL of each dead-letter
// queue, such as SweeperDeadLettersUrl, and the ARN of the state machine of each workflow, such as CsvImportStateMachineArn. The
// Pipeline has an SSM parameter for each of them, under Props.ParameterPrefix. Errors are those of New, and an invalid StackName.
func NewStack(scope constructs.Construct, settings Settings) (awscdk.Stack, error) {
	settings.StackName = cmp.Or(settings.StackName, DefaultStackName)
	if !stackNamePattern.MatchString(settings.StackName) {
		return nil, &SettingError{Text: fmt.Sprintf("stackName: %q is not %s", settings.StackName, stackNameRule)}
	}
	stack := awscdk.NewStack(scope, jsii.String(settings.StackName), &awscdk.StackProps{
		Description:        jsii.String(description),
		AnalyticsReporting: jsii.Bool(false),
	})
	p, err := New(stack, "Herald", settings.Props)
	if err != nil {
		return nil, err
	}
	p.addOutputs(stack)

	p.refuseRenamedTables(stack, "--parameters")

	return stack, nil
}

// addOutputs adds the outputs to the stack.
func (p *Pipeline) addOutputs(stack awscdk.Stack) {
	for _, o := range p.outputs() {
		awscdk.NewCfnOutput(stack, jsii.String(o.name), &awscdk.CfnOutputProps{Description: jsii.String(o.description), Value: o.value})
	}
}

// output is what operators and apps need to find a part of a Pipeline: an output of the stack, and an SSM parameter.
type output struct {
	name, description string
	value             *string
}

// outputs returns the outputs.
func (p *Pipeline) outputs() []output {
	outputs := []output{
		{"WebSocketUrl", "Where browsers connect", p.Stage.Url()},
		{"ManagementEndpoint", "Where @connections is called", p.Stage.CallbackUrl()},
		{"NotifierFunctionName", "What aws lambda invoke calls", p.NotifierTarget.FunctionName()},
		{"NotifierFunctionArn", "What a workflow calls as a task", p.NotifierTarget.FunctionArn()},
		{"ConnectionsTableName", "The open connections", p.ConnectionsTable.TableName()},
		{"FeedTableName", "The newest state of each job, and notes", p.FeedTable.TableName()},
		{"UploadsBucketName", "Objects under uploads/ are imported", p.Bucket.BucketName()},
	}
	for _, id := range slices.Sorted(maps.Keys(p.deadLetters)) {
		outputs = append(outputs, p.deadLetterOutput(id))
	}
	for _, name := range slices.Sorted(maps.Keys(p.workflows)) {
		outputs = append(outputs, output{constructID(name) + "StateMachineArn", "The " + name + " workflow", p.workflows[name].StateMachineArn()})
	}
	return outputs
}

// deadLetterOutput returns the output of a dead-letter queue.
func (p *Pipeline) deadLetterOutput(id string) output {
	return output{id + "Url", "The events that were given up", p.deadLetters[id].QueueUrl()}
}
