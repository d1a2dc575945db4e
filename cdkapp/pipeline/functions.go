package pipeline

import (
	"maps"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// Memory and timeout of the functions that handle one small message.
const (
	messageMemoryMB = 256
	messageTimeoutS = 30 // one second over API Gateway's own limit
)

// Environment variables that several functions read.
const (
	connectionsTableVariable = "CONNECTIONS_TABLE"
	feedTableVariable        = "FEED_TABLE"
	endpointVariable         = "WEBSOCKET_API_ENDPOINT"
	bucketVariable           = "UPLOADS_BUCKET"

	maxConnectionsVariable = "MAX_CONNECTIONS"
	maxPostsVariable       = "MAX_POSTS_PER_MINUTE"
)

// functionSpec describes one function.
type functionSpec struct {
	id          string // start of the construct ids
	name        string // folder in lambdas/
	description string
	memoryMB    float64
	timeoutS    float64
	// concurrency is the reserved concurrency, which is also the maximum; 0 reserves none and sets no maximum.
	concurrency int
	environment map[string]string
}

// addFunction creates a function with its own role and log group.
func (p *Pipeline) addFunction(s functionSpec) awslambda.Function {
	logs := p.addLogGroup(s.id+"Logs", "")
	role := awsiam.NewRole(p.Construct, jsii.String(s.id+"Role"), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("Herald " + s.name),
	})
	logs.GrantWrite(role)
	var reserved *float64
	if s.concurrency > 0 {
		reserved = jsii.Number(s.concurrency)
	}

	return awslambda.NewFunction(p.Construct, jsii.String(s.id+"Function"), &awslambda.FunctionProps{
		Description:  jsii.String(s.description),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(),
		Handler:      jsii.String("bootstrap"),
		Code:         awslambda.Code_FromAsset(jsii.String(filepath.Join(p.props.FunctionsDir, s.name)), nil),
		MemorySize:   jsii.Number(s.memoryMB),
		Timeout:      awscdk.Duration_Seconds(jsii.Number(s.timeoutS)),
		Environment:  toCDKVariables(s.environment),
		Role:         role,
		LogGroup:     logs,
		Tracing:      awslambda.Tracing_ACTIVE,

		ReservedConcurrentExecutions: reserved,
	})
}

// addLogGroup creates a log group with the stack's retention; an empty name lets CloudFormation choose one. It is deleted
// with the stack.
func (p *Pipeline) addLogGroup(id, name string) awslogs.LogGroup {
	props := &awslogs.LogGroupProps{
		Retention:     retentions[p.props.LogRetentionDays],
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	}
	if name != "" {
		props.LogGroupName = jsii.String(name)
	}
	return awslogs.NewLogGroup(p.Construct, jsii.String(id), props)
}

// addConnect creates the function and route of $connect.
func (p *Pipeline) addConnect() {
	environment := p.props.Auth.environment()
	environment[connectionsTableVariable] = *p.ConnectionsTable.TableName()
	maps.Copy(environment, p.userLimitVariables())
	if len(p.props.AllowedOrigins) > 0 {
		environment["ALLOWED_ORIGINS"] = strings.Join(p.props.AllowedOrigins, ",")
	}
	p.Connect = p.addFunction(functionSpec{
		id: "Connect", name: "connect", description: "Herald: verifies the token and keeps the connection",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.ConnectConcurrency, environment: environment,
	})
	grantActions(p.Connect, p.ConnectionsTable.TableArn(), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
	grantActions(p.Connect, p.indexARN(userIndex), "dynamodb:Query")
	p.grantReadSecret(p.Connect)
	p.addLambdaRoute("$connect", p.Connect)
}

// grantReadSecret lets a function that verifies tokens read the shared key, if the auth mode is HS256.
func (p *Pipeline) grantReadSecret(function awslambda.Function) {
	if p.props.Auth.Mode == AuthHS256 {
		grantActions(function, jsii.String(p.props.Auth.SecretARN), "secretsmanager:GetSecretValue")
	}
}

// userLimitVariables returns the environment variables with the limits of one user.
func (p *Pipeline) userLimitVariables() map[string]string {
	return map[string]string{
		maxConnectionsVariable: strconv.Itoa(p.props.MaxConnections),
		maxPostsVariable:       strconv.Itoa(p.props.MaxPostsPerMinute),
	}
}

// addDisconnect creates the function and route of $disconnect.
func (p *Pipeline) addDisconnect() {
	disconnect := p.addFunction(functionSpec{
		id: "Disconnect", name: "disconnect", description: "Herald: forgets the connection",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS,
		environment: map[string]string{connectionsTableVariable: *p.ConnectionsTable.TableName()},
	})
	grantActions(disconnect, p.ConnectionsTable.TableArn(), "dynamodb:DeleteItem")
	p.addLambdaRoute("$disconnect", disconnect)
}

// addDefault creates the function and route of $default.
func (p *Pipeline) addDefault() {
	environment := p.PublishEnvironment()
	maps.Copy(environment, p.props.Auth.environment())
	maps.Copy(environment, p.userLimitVariables())
	p.Default = p.addFunction(functionSpec{
		id: "Default", name: "default", description: "Herald: answers what browsers say",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.DefaultConcurrency, environment: environment,
	})
	grantActions(p.Default, p.ConnectionsTable.TableArn(), "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
	grantActions(p.Default, p.indexARN(userIndex), "dynamodb:Query")
	grantActions(p.Default, p.FeedTable.TableArn(), "dynamodb:Query", "dynamodb:DeleteItem")
	p.grantManageConnections(p.Default, http.MethodPost, http.MethodDelete)
	p.grantReadSecret(p.Default)
	p.addLambdaRoute("$default", p.Default)
}

// addNotifier creates the notifier.
func (p *Pipeline) addNotifier() {
	p.Notifier = p.addFunction(functionSpec{
		id: "Notifier", name: "notifier", description: "Herald: delivers a message to a user's browsers",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.NotifierConcurrency,
		environment: p.PublishEnvironment(),
	})
	p.GrantPublish(p.Notifier)
}

// PublishEnvironment returns the environment variables that a function needs to publish messages in its own process.
func (p *Pipeline) PublishEnvironment() map[string]string {
	return map[string]string{
		connectionsTableVariable: *p.ConnectionsTable.TableName(),
		feedTableVariable:        *p.FeedTable.TableName(),
		endpointVariable:         *p.Stage.CallbackUrl(),
	}
}

// GrantPublish lets grantee publish all kinds of messages in its own process, as the notifier does: progress, notes, ends of
// jobs that name an execution, and messages to one connection. A worker that only reports progress needs GrantReport.
func (p *Pipeline) GrantPublish(grantee awsiam.IGrantable) {
	p.GrantReport(grantee)
	grantActions(grantee, p.FeedTable.TableArn(), "dynamodb:DeleteItem")
	grantActions(grantee, p.ConnectionsTable.TableArn(), "dynamodb:GetItem")
}

// GrantReport lets grantee report the progress of jobs in its own process: store their states, find the user's connections,
// post to them, and remove those that are gone.
func (p *Pipeline) GrantReport(grantee awsiam.IGrantable) {
	grantActions(grantee, p.FeedTable.TableArn(), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
	grantActions(grantee, p.indexARN(userIndex), "dynamodb:Query")
	grantActions(grantee, p.ConnectionsTable.TableArn(), "dynamodb:DeleteItem")
	p.grantManageConnections(grantee, http.MethodPost)
}

// indexARN returns the ARN of an index of the connections table.
func (p *Pipeline) indexARN(name string) *string {
	return jsii.String(*p.ConnectionsTable.TableArn() + "/index/" + name)
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
