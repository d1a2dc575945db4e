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

// What happens to an event that EventBridge cannot deliver to its target. Each number is the maximum that AWS accepts.
const (
	// EventBridge retries until eventRetries or eventMaxAgeHours is reached.
	eventRetries     = 185
	eventMaxAgeHours = 24
	// deadLetterDays is how long a dead-letter queue then holds the event.
	deadLetterDays = 14
)

// sweeperDeadLetters is the id of the sweeper's dead-letter queue.
const sweeperDeadLetters = "SweeperDeadLetters"

// latestVersion is the qualifier of the unpublished version of a function. The events of a function invoke this version.
const latestVersion = "$LATEST"

// addSchedule creates the rule that invokes a function at an interval. EventBridge does not retry a failed delivery, because
// the next scheduled event starts the same work.
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

// addFailureHandling configures what Lambda does with an event when the function returns an error for it: how often Lambda
// invokes the function again, and whether it then sends the event to a dead-letter queue.
func (p *Pipeline) addFailureHandling(f lambdas.Function, function awslambda.Function) {
	props := &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             function.FunctionName(),
		Qualifier:                jsii.String(latestVersion),
		MaximumRetryAttempts:     jsii.Number(f.OnFailure.Retries),
		MaximumEventAgeInSeconds: jsii.Number(f.OnFailure.MaxAge.Seconds()),
	}
	if f.OnFailure.DeadLetters {
		queue := p.addDeadLetterQueue(f.ID + "DeadLetters")
		grantActions(function, queue.QueueArn(), "sqs:SendMessage")
		p.grantKey(function, "sqs:SendMessage")
		props.DestinationConfig = &awslambda.CfnEventInvokeConfig_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventInvokeConfig_OnFailureProperty{Destination: queue.QueueArn()},
		}
	}
	awslambda.NewCfnEventInvokeConfig(p.Construct, jsii.String(f.ID+"Events"), props)
}

// addExecutionRules creates the rules that invoke the sweeper when an execution of a workflow or of a Lambda durable function ends. The
// rules match all of the account and Region, because any of them may call the notifier. So each execution that ends costs an
// invocation and one read of DynamoDB. addFunctions must have created the sweeper and its dead-letter queue.
func (p *Pipeline) addExecutionRules() {
	for _, rule := range []struct{ id, description, source, detailType, stopped string }{
		{"ExecutionRule", "Herald: a workflow ended", "aws.states", "Step Functions Execution Status Change", "ABORTED"},
		{"DurableExecutionRule", "Herald: a durable execution ended", "aws.lambda", "Durable Execution Status Change", "STOPPED"},
	} {
		p.addSweeperRule(rule.id, rule.description, &awsevents.EventPattern{
			Source:     jsii.Strings(rule.source),
			DetailType: jsii.Strings(rule.detailType),
			Detail:     &map[string]any{"status": []any{"SUCCEEDED", "FAILED", "TIMED_OUT", rule.stopped}},
		})
	}
}

// addSweeperRule creates a rule that invokes the sweeper with the events of a pattern.
func (p *Pipeline) addSweeperRule(id, description string, pattern *awsevents.EventPattern) awsevents.Rule {
	return awsevents.NewRule(p.Construct, jsii.String(id), &awsevents.RuleProps{
		Description:  jsii.String(description),
		EventPattern: pattern,
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(p.functions["sweeper"], &awseventstargets.LambdaFunctionProps{
				DeadLetterQueue: p.deadLetters[sweeperDeadLetters], // where the events go that the sweeper could not handle, too
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
			}),
		},
	})
}

// addDeadLetterQueue creates a queue for events that could not be delivered, or that their function could not handle.
func (p *Pipeline) addDeadLetterQueue(id string) awssqs.Queue {
	encryption := awssqs.QueueEncryption_SQS_MANAGED
	if p.key != nil {
		encryption = awssqs.QueueEncryption_KMS
	}
	queue := awssqs.NewQueue(p.Construct, jsii.String(id), &awssqs.QueueProps{
		Encryption:          encryption,
		EncryptionMasterKey: p.key,
		EnforceSSL:          jsii.Bool(true),
		RetentionPeriod:     days(deadLetterDays),
	})
	p.deadLetters[id] = queue
	p.addQueueAlarm(id)
	if p.complete {
		p.addParameter(p.deadLetterOutput(id))
		if p.deadLetterGraph != nil {
			p.deadLetterGraph.AddLeftMetric(p.deadLetterMetric(id))
		}
	}

	return queue
}
