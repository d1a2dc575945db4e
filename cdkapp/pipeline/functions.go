package pipeline

import (
	"net/http"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/dynamo"
)

// addFunctions creates the functions that the table in package lambdas lists, with their routes, schedules and permissions. It
// creates the functions of csv_import only if the stack has that workflow.
func (p *Pipeline) addFunctions() {
	p.functions = map[string]awslambda.Function{}
	for _, f := range lambdas.Functions() {
		if f.Workflow == lambdas.CSVImport && !p.props.CSVImport {
			continue
		}
		if f.Watches { // Watch creates it
			continue
		}
		p.deploy(f)
	}
	p.Connect, p.Default, p.Notifier = p.functions["connect"], p.functions["default"], p.functions["notifier"]
	p.NotifierTarget = p.notifierTarget()
}

// deploy creates a function with its route, schedule and permissions.
func (p *Pipeline) deploy(f lambdas.Function) awslambda.Function {
	function := p.addFunction(f)
	p.grant(function, f.Grants)
	if p.takesUploads() {
		p.grant(function, f.UploadGrants)
	}
	if f.Route != "" {
		p.addLambdaRoute(f.Route, function)
	}
	if f.Schedule.Interval > 0 {
		p.addSchedule(f, function)
	}
	if f.OnFailure != (lambdas.FailureHandling{}) {
		p.addFailureHandling(f, function)
	}
	p.functions[f.Name] = function
	return function
}

// addFunction creates a function with its own role and log group.
func (p *Pipeline) addFunction(f lambdas.Function) awslambda.Function {
	logs := p.addLogGroup(f.ID+"Logs", "")
	role := awsiam.NewRole(p.Construct, jsii.String(f.ID+"Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("Herald " + f.Name),
	})
	logs.GrantWrite(role)
	p.grantNetworkInterfaces(role)

	function := awslambda.NewFunction(p.Construct, jsii.String(f.ID+"Function"), &awslambda.FunctionProps{
		Description:  jsii.String(f.Description),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_Custom(jsii.String(p.props.Architecture), nil),
		Handler:      jsii.String("bootstrap"),
		Code:         p.code(f.Name),
		MemorySize:   jsii.Number(p.memoryMB(f)),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(f.Timeout.Seconds())),
		Environment:  toCDKVariables(p.environment(f.Required, f.Optional)),
		Role:         role,
		LogGroup:     logs,
		Tracing:      awslambda.Tracing_ACTIVE,

		ReservedConcurrentExecutions: p.reservedConcurrency(f.Name),
	})
	p.attachToVPC(function)

	return function
}

// reservedConcurrency returns the reserved concurrency of a function, which is also the maximum. Nil reserves none and sets no
// maximum.
func (p *Pipeline) reservedConcurrency(name string) *float64 {
	reserved := map[string]int{
		"connect": p.props.ConnectConcurrency, "default": p.props.DefaultRouteConcurrency, "notifier": p.props.NotifierConcurrency,
	}[name]
	if reserved == 0 {
		return nil
	}
	return jsii.Number(reserved)
}

// addLogGroup creates a log group with the stack's retention; an empty name lets CloudFormation choose one. It is deleted
// with the stack.
func (p *Pipeline) addLogGroup(id, name string) awslogs.LogGroup {
	props := &awslogs.LogGroupProps{
		Retention:     retentions[p.props.LogRetentionDays],
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		EncryptionKey: p.key,
	}
	if name != "" {
		props.LogGroupName = jsii.String(name)
	}
	logs := awslogs.NewLogGroup(p.Construct, jsii.String(id), props)
	p.logGroups = append(p.logGroups, logs)

	return logs
}

// takesUploads reports whether browsers may upload.
func (p *Pipeline) takesUploads() bool { return len(p.props.UploadOrigins) > 0 }

// environment returns the named environment variables with their values. It leaves out the variables that have no value in this
// stack, and the bucket if it is optional and browsers may not upload.
func (p *Pipeline) environment(required, optional []string) map[string]string {
	values := p.props.variables()
	values[lambdas.EnvConnectionsTable] = *p.ConnectionsTable.TableName()
	values[lambdas.EnvFeedTable] = *p.FeedTable.TableName()
	values[lambdas.EnvEndpoint] = *p.Stage.CallbackUrl()
	values[lambdas.EnvUploadsBucket] = *p.Bucket.BucketName()
	if p.props.writesMetrics() {
		values[lambdas.EnvMetrics] = p.namePrefix
	}
	if !p.takesUploads() && !slices.Contains(required, lambdas.EnvUploadsBucket) {
		delete(values, lambdas.EnvUploadsBucket)
	}
	environment := map[string]string{}
	for _, name := range slices.Concat(required, optional) {
		if values[name] != "" {
			environment[name] = values[name]
		}
	}
	return environment
}

// PublishEnvironment returns the environment variables that a function needs to publish messages in its own process.
func (p *Pipeline) PublishEnvironment() map[string]string {
	return p.environment(lambdas.PublishVariables(), nil)
}

// GrantPublish lets grantee publish all kinds of messages in its own process, as the notifier does: progress, notes, messages to
// one connection, and the terminal state of a job whose updates name an execution. A worker that only reports progress needs
// only GrantReport.
func (p *Pipeline) GrantPublish(grantee awsiam.IGrantable) { p.grant(grantee, lambdas.PublishGrants()) }

// GrantReport lets grantee report the progress of jobs in its own process: store their states, find the user's connections,
// post to them, and remove those that are gone.
func (p *Pipeline) GrantReport(grantee awsiam.IGrantable) { p.grant(grantee, lambdas.ReportGrants()) }

// grant allows grantee the actions of all grants. It leaves out a grant on a resource that the stack does not have.
func (p *Pipeline) grant(grantee awsiam.IGrantable, grants []lambdas.Grant) {
	resources := p.resourceARNs()
	for _, g := range grants {
		if resource, ok := resources[g.On]; ok {
			grantActions(grantee, resource, g.Actions...)
			p.grantKey(grantee, g.Actions...)
		}
	}
}

// resourceARNs returns the ARNs of the resources that the stack has.
func (p *Pipeline) resourceARNs() map[lambdas.Resource]*string {
	index := func(name string) *string { return jsii.String(*p.ConnectionsTable.TableArn() + "/index/" + name) }
	objects := func(keys string) *string { return p.Bucket.ArnForObjects(jsii.String(keys)) }
	all := map[lambdas.Resource]*string{
		lambdas.ConnectionsTable:   p.ConnectionsTable.TableArn(),
		lambdas.UserIndex:          index(dynamo.UserIndex),
		lambdas.SessionExpiryIndex: index(dynamo.SessionExpiryIndex),
		lambdas.FeedTable:          p.FeedTable.TableArn(),
		lambdas.Posts:              p.connectionsARN(http.MethodPost),
		lambdas.Closes:             p.connectionsARN(http.MethodDelete),
		lambdas.Executions: awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("states"),
			Resource:     jsii.String("execution"),
			ResourceName: jsii.String("*"),
			ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
		}),
		lambdas.DurableExecutions: awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("lambda"),
			Resource:     jsii.String("function"),
			ResourceName: jsii.String("*/durable-execution/*"),
			ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
		}),
		lambdas.StateMachines: awscdk.Stack_Of(p.Construct).FormatArn(&awscdk.ArnComponents{
			Service:      jsii.String("states"),
			Resource:     jsii.String("stateMachine"),
			ResourceName: jsii.String("*"),
			ArnFormat:    awscdk.ArnFormat_COLON_RESOURCE_NAME,
		}),
		lambdas.Bucket:    p.Bucket.BucketArn(),
		lambdas.Uploads:   objects(csvimport.UploadsPrefix + "*"),
		lambdas.Claims:    objects(csvimport.ClaimsPrefix + "*"),
		lambdas.Staged:    objects(csvimport.StagedPrefix + "*"),
		lambdas.Results:   objects(csvimport.ResultsPrefix + "*"),
		lambdas.Summaries: objects(summaryKeys),
	}
	if p.props.Auth.Mode == AuthHS256 {
		all[lambdas.SharedKey] = jsii.String(p.props.Auth.SecretARN)
	}
	return all
}

// grantActions adds a statement that allows actions on resource to grantee's policy.
func grantActions(grantee awsiam.IGrantable, resource *string, actions ...string) {
	grantee.GrantPrincipal().AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{resource},
	}))
}

// toCDKVariables converts environment variables to the CDK's type.
func toCDKVariables(environment map[string]string) *map[string]*string {
	out := make(map[string]*string, len(environment))
	for name, value := range environment {
		out[name] = jsii.String(value)
	}
	return &out
}
