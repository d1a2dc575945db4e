package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
)

// Delivery of an event to its target: EventBridge retries for a day, then the dead-letter queue holds it for two weeks.
const (
	eventRetries     = 185
	eventMaxAgeHours = 24
	deadLetterDays   = 14
)

// latestVersion is the qualifier of a function without versions.
const latestVersion = "$LATEST"

// addSchedule creates the rule that invokes a function at an interval. A failed delivery is not retried: the next run does its
// work.
func (p *Pipeline) addSchedule(f lambdas.Function, function awslambda.Function) {
	awsevents.NewRule(p.Construct, jsii.String(f.ID+"Schedule"), &awsevents.RuleProps{
		Description: jsii.String(f.Schedule.Description),
		Schedule:    awsevents.Schedule_Rate(awscdk.Duration_Minutes(jsii.Number(f.Schedule.Interval.Minutes()))),
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(function, &awseventstargets.LambdaFunctionProps{
				RetryAttempts: jsii.Number(0),
			}),
		},
	})
}

// addEvents says what Lambda does with events whose function failed.
func (p *Pipeline) addEvents(f lambdas.Function, function awslambda.Function) {
	props := &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             function.FunctionName(),
		Qualifier:                jsii.String(latestVersion),
		MaximumRetryAttempts:     jsii.Number(f.Events.Retries),
		MaximumEventAgeInSeconds: jsii.Number(f.Events.MaxAge.Seconds()),
	}
	if f.Events.DeadLetters {
		queue := p.addDeadLetterQueue(f.ID + "DeadLetters")
		grantActions(function, queue.QueueArn(), "sqs:SendMessage")
		props.DestinationConfig = &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queue.QueueArn()},
		}
		p.deadLetters[f.Name] = queue
	}
	awslambda.NewCfnEventInvokeConfig(p.Construct, jsii.String(f.ID+"Events"), props)
}

// addExecutionRule creates the rule that calls the sweeper when a workflow ends. The rule matches all workflows of the account
// and Region, as any may call the notifier: each execution that ends costs an invocation and one read of DynamoDB.
func (p *Pipeline) addExecutionRule() {
	sweeper := p.functions["sweeper"]
	awsevents.NewRule(p.Construct, jsii.String("ExecutionRule"), &awsevents.RuleProps{
		Description: jsii.String("Herald: a workflow ended"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.states"),
			DetailType: jsii.Strings("Step Functions Execution Status Change"),
			Detail:     &map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}},
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(sweeper, &awseventstargets.LambdaFunctionProps{
				DeadLetterQueue: p.deadLetters["sweeper"],
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
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
