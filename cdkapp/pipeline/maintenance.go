package pipeline

import (
	"net/http"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

// The intervals of the schedules of reaper and sweeper, which are also the functions' timeouts.
const (
	reaperMinutes  = 1
	sweeperMinutes = 5
	minuteSeconds  = 60
)

// Delivery of an event to its target: EventBridge retries for a day, then the dead-letter queue holds it for two weeks.
const (
	eventRetries     = 185
	eventMaxAgeHours = 24
	deadLetterDays   = 14
)

// Lambda's retries of an event whose function failed
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
const (
	sweeperRetries = 2
	sweeperMaxAgeS = 3600
	reaperRetries  = 0 // the next run does the work of one that failed
	reaperMaxAgeS  = reaperMinutes * minuteSeconds
	latestVersion  = "$LATEST"
)

// addReaper creates the function that closes connections whose sessions have ended.
func (p *Pipeline) addReaper() {
	reaper := p.addFunction(functionSpec{
		id: "Reaper", name: "reaper", description: "Herald: closes connections whose sessions have ended",
		memoryMB: messageMemoryMB, timeoutS: reaperMinutes * minuteSeconds,
		environment: map[string]string{
			connectionsTableVariable: *p.ConnectionsTable.TableName(),
			endpointVariable:         *p.Stage.CallbackUrl(),
		},
	})
	grantActions(reaper, p.indexARN(sessionExpiryIndex), "dynamodb:Query")
	grantActions(reaper, p.ConnectionsTable.TableArn(), "dynamodb:DeleteItem")
	p.grantManageConnections(reaper, http.MethodPost, http.MethodDelete)
	awslambda.NewCfnEventInvokeConfig(p.Construct, jsii.String("ReaperEvents"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             reaper.FunctionName(),
		Qualifier:                jsii.String(latestVersion),
		MaximumRetryAttempts:     jsii.Number(reaperRetries),
		MaximumEventAgeInSeconds: jsii.Number(reaperMaxAgeS),
	})
	p.addSchedule("ReaperSchedule", "closes connections whose sessions have ended", reaperMinutes, reaper)
}

// addSweeper creates the function that ends the jobs of workflows that ended without reporting it, and the rule that calls
// it when a workflow ends. The rule matches all workflows of the account and Region, as any may call the notifier: each
// execution that ends costs an invocation and one read of DynamoDB.
func (p *Pipeline) addSweeper() {
	sweeper := p.addFunction(functionSpec{
		id: "Sweeper", name: "sweeper", description: "Herald: ends the jobs of workflows that ended without a word",
		memoryMB: messageMemoryMB, timeoutS: sweeperMinutes * minuteSeconds, environment: p.PublishEnvironment(),
	})
	grantActions(sweeper, p.FeedTable.TableArn(), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query")
	grantActions(sweeper, p.indexARN(userIndex), "dynamodb:Query")
	grantActions(sweeper, p.ConnectionsTable.TableArn(), "dynamodb:DeleteItem")
	p.grantManageConnections(sweeper, http.MethodPost)
	grantActions(sweeper, awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
		Service:      jsii.String("states"),
		Resource:     jsii.String("execution"),
		ResourceName: jsii.String("*"),
		ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
	}), "states:DescribeExecution")

	deadLetters := p.addDeadLetterQueue("SweeperDeadLetters")
	grantActions(sweeper, deadLetters.QueueArn(), "sqs:SendMessage")
	awslambda.NewCfnEventInvokeConfig(p.Construct, jsii.String("SweeperEvents"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             sweeper.FunctionName(),
		Qualifier:                jsii.String(latestVersion),
		MaximumRetryAttempts:     jsii.Number(sweeperRetries),
		MaximumEventAgeInSeconds: jsii.Number(sweeperMaxAgeS),
		DestinationConfig: &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: deadLetters.QueueArn()},
		},
	})
	awsevents.NewRule(p.Construct, jsii.String("ExecutionRule"), &awsevents.RuleProps{
		Description: jsii.String("Herald: a workflow ended"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.states"),
			DetailType: jsii.Strings("Step Functions Execution Status Change"),
			Detail:     &map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}},
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(sweeper, &awseventstargets.LambdaFunctionProps{
				DeadLetterQueue: deadLetters,
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
			}),
		},
	})
	p.addSchedule("SweeperSchedule", "looks for workflows that ended without a word", sweeperMinutes, sweeper)
}

// addSchedule creates a rule that invokes function at an interval in minutes. A failed delivery is not retried: the next
// run does its work.
func (p *Pipeline) addSchedule(id, does string, minutes float64, function awslambda.Function) {
	awsevents.NewRule(p.Construct, jsii.String(id), &awsevents.RuleProps{
		Description: jsii.String("Herald: " + does),
		Schedule:    awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(minutes))),
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(function, &awseventstargets.LambdaFunctionProps{
				RetryAttempts: jsii.Number(0),
			}),
		},
	})
}

// addDeadLetterQueue creates a queue for events that could not be delivered.
func (p *Pipeline) addDeadLetterQueue(id string) awssqs.Queue {
	return awssqs.NewQueue(p.Construct, jsii.String(id), &awssqs.QueueProps{
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: days(deadLetterDays),
	})
}
