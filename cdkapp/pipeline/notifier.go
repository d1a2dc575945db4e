package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
)

// NotifierAlias is the name of the notifier's alias in a stack with Props.NotifierProvisionedConcurrency.
const NotifierAlias = "live"

// notifierName is the name of the notifier in package lambdas.
const notifierName = "notifier"

// What Lambda accepts as the memory of a function, in MB.
const (
	minMemoryMB = 128
	maxMemoryMB = 10_240
)

// notifierSettings returns the settings of how the notifier starts and runs.
func notifierSettings() []setting {
	return []setting{
		{
			key: "notifierMemoryMB", field: func(s *Settings) any { return &s.Props.NotifierMemoryMB }, fallback: defaultNotifierMemoryMB(),
			check: between(minMemoryMB, maxMemoryMB, "MB"),
		},
		{
			key: "notifierProvisionedConcurrency", field: func(s *Settings) any { return &s.Props.NotifierProvisionedConcurrency },
			check: checkProvisionedConcurrency,
		},
	}
}

// defaultNotifierMemoryMB returns the memory that package lambdas lists.
func defaultNotifierMemoryMB() int {
	f, _ := lambdas.ByName(notifierName) // it is in the table
	return f.MemoryMB
}

// checkProvisionedConcurrency checks that Lambda accepts the number beside the reserved concurrency.
func checkProvisionedConcurrency(c *checker, s setting, all *Settings) {
	between(0, maxConcurrency, "executions at once; 0 provisions none")(c, s, all)
	provisioned, reserved := all.Props.NotifierProvisionedConcurrency, all.Props.NotifierConcurrency
	if reserved > 0 && provisioned > reserved {
		c.addf("%s: %d is more than notifierConcurrency, %d", s.key, provisioned, reserved)
	}
}

// memoryMB returns the memory of a function.
func (p *Pipeline) memoryMB(f lambdas.Function) int {
	if f.Name == notifierName {
		return p.props.NotifierMemoryMB
	}
	return f.MemoryMB
}

// notifierTarget returns what workflows and workers call. Lambda provisions concurrency for an alias or a version only, so it is an
// alias of the newest version if the stack provisions any.
func (p *Pipeline) notifierTarget() awslambda.IFunction {
	if p.props.NotifierProvisionedConcurrency == 0 {
		return p.Notifier
	}
	return awslambda.NewAlias(p.Construct, jsii.String("NotifierAlias"), &awslambda.AliasProps{
		AliasName:                       jsii.String(NotifierAlias),
		Version:                         p.Notifier.CurrentVersion(),
		ProvisionedConcurrentExecutions: jsii.Number(p.props.NotifierProvisionedConcurrency),
	})
}

// invoked returns what invokes a function: the function itself or its alias.
func (p *Pipeline) invoked(name string) awslambda.IFunction {
	if name == notifierName {
		return p.NotifierTarget
	}
	return p.functions[name]
}

// GrantNotify lets grantee invoke the notifier, such as the state machine of your own workflow or a worker. A worker that is a
// function also gets the variable lambdas.EnvNotifierFunction, with the name that it invokes.
func (p *Pipeline) GrantNotify(grantee awsiam.IGrantable) awsiam.Grant {
	if worker, ok := grantee.(awslambda.Function); ok {
		worker.AddEnvironment(jsii.String(lambdas.EnvNotifierFunction), p.NotifierTarget.FunctionName(), nil)
	}
	return awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings("lambda:InvokeFunction"),
		ResourceArns: jsii.Strings(*p.NotifierTarget.FunctionArn()),
	})
}

// MetricInvocations returns how often the notifier was invoked: the sum over 5 minutes, unless props says otherwise. Props may be
// nil, also in the other metric methods.
func (p *Pipeline) MetricInvocations(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return p.NotifierTarget.MetricInvocations(props)
}

// MetricErrors returns how many invocations of the notifier returned an error: the sum over 5 minutes.
func (p *Pipeline) MetricErrors(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return p.NotifierTarget.MetricErrors(props)
}

// MetricThrottles returns how many invocations of the notifier Lambda refused because too many ran at once: the sum over 5 minutes.
func (p *Pipeline) MetricThrottles(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return p.NotifierTarget.MetricThrottles(props)
}

// MetricDuration returns how long invocations of the notifier took, in milliseconds: the average over 5 minutes.
func (p *Pipeline) MetricDuration(props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return p.NotifierTarget.MetricDuration(props)
}

// MetricDeadLetters returns how many events that were given up are in a dead-letter queue: the maximum over 5 minutes. queue is
// SweeperDeadLetters or UploadDeadLetters. It returns nil if the stack does not have the queue.
func (p *Pipeline) MetricDeadLetters(queue string, props *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	found, ok := p.deadLetters[queue]
	if !ok {
		return nil
	}
	return found.MetricApproximateNumberOfMessagesVisible(props)
}
