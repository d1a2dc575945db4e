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

// Sizes of the functions that handle one small message.
const (
	messageMemoryMB = 256
	messageTimeoutS = 30 // one second over API Gateway's own limit
)

// Environment variables that several functions read.
const (
	tableVariable    = "CONNECTIONS_TABLE"
	feedVariable     = "FEED_TABLE"
	endpointVariable = "WEBSOCKET_API_ENDPOINT"
	bucketVariable   = "UPLOADS_BUCKET"

	connectionsVariable = "MAX_CONNECTIONS"
	postsVariable       = "MAX_POSTS_PER_MINUTE"
)

// spec describes one function.
type spec struct {
	id          string // start of the construct ids
	name        string // folder in lambdas/
	description string
	memoryMB    float64
	timeoutS    float64
	// concurrency is how many executions are reserved, and how many there are at most; 0 reserves and bounds none.
	concurrency int
	environment map[string]string
}

// function makes a function with a role and a log group of its own.
func (p *Pipeline) function(s spec) awslambda.Function {
	logs := p.logGroup(s.id+"Logs", "")
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
		Environment:  variables(s.environment),
		Role:         role,
		LogGroup:     logs,
		Tracing:      awslambda.Tracing_ACTIVE,

		ReservedConcurrentExecutions: reserved,
	})
}

// logGroup makes a log group with the stack's retention; an empty name lets CloudFormation choose one. It goes with
// the stack.
func (p *Pipeline) logGroup(id, name string) awslogs.LogGroup {
	props := &awslogs.LogGroupProps{
		Retention:     retentions[p.props.LogRetentionDays],
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	}
	if name != "" {
		props.LogGroupName = jsii.String(name)
	}
	return awslogs.NewLogGroup(p.Construct, jsii.String(id), props)
}

// addConnect makes the function and route of $connect.
func (p *Pipeline) addConnect() {
	environment := p.props.Auth.environment()
	environment[tableVariable] = *p.Table.TableName()
	maps.Copy(environment, p.limits())
	if len(p.props.AllowedOrigins) > 0 {
		environment["ALLOWED_ORIGINS"] = strings.Join(p.props.AllowedOrigins, ",")
	}
	p.Connect = p.function(spec{
		id: "Connect", name: "connect", description: "Herald: verifies the token and keeps the connection",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.ConnectConcurrency, environment: environment,
	})
	allow(p.Connect, p.Table.TableArn(), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
	allow(p.Connect, p.index(userIndex), "dynamodb:Query")
	p.allowSecret(p.Connect)
	p.route("$connect", p.Connect)
}

// allowSecret lets a function that verifies tokens read the shared key, where there is one.
func (p *Pipeline) allowSecret(function awslambda.Function) {
	if p.props.Auth.Mode == AuthHS256 {
		allow(function, jsii.String(p.props.Auth.SecretARN), "secretsmanager:GetSecretValue")
	}
}

// limits returns the variables that bound what one user may cost.
func (p *Pipeline) limits() map[string]string {
	return map[string]string{
		connectionsVariable: strconv.Itoa(p.props.MaxConnections),
		postsVariable:       strconv.Itoa(p.props.MaxPostsPerMinute),
	}
}

// addDisconnect makes the function and route of $disconnect.
func (p *Pipeline) addDisconnect() {
	disconnect := p.function(spec{
		id: "Disconnect", name: "disconnect", description: "Herald: forgets the connection",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS,
		environment: map[string]string{tableVariable: *p.Table.TableName()},
	})
	allow(disconnect, p.Table.TableArn(), "dynamodb:DeleteItem")
	p.route("$disconnect", disconnect)
}

// addDefault makes the function and route of $default.
func (p *Pipeline) addDefault() {
	environment := p.PublishEnvironment()
	maps.Copy(environment, p.props.Auth.environment())
	maps.Copy(environment, p.limits())
	p.Default = p.function(spec{
		id: "Default", name: "default", description: "Herald: answers what browsers say",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.DefaultConcurrency, environment: environment,
	})
	allow(p.Default, p.Table.TableArn(), "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
	allow(p.Default, p.index(userIndex), "dynamodb:Query")
	allow(p.Default, p.Feed.TableArn(), "dynamodb:Query", "dynamodb:DeleteItem")
	p.allowConnections(p.Default, http.MethodPost, http.MethodDelete)
	p.allowSecret(p.Default)
	p.route("$default", p.Default)
}

// addNotifier makes the notifier.
func (p *Pipeline) addNotifier() {
	p.Notifier = p.function(spec{
		id: "Notifier", name: "notifier", description: "Herald: delivers a message to a user's browsers",
		memoryMB: messageMemoryMB, timeoutS: messageTimeoutS, concurrency: p.props.NotifierConcurrency,
		environment: p.PublishEnvironment(),
	})
	p.GrantPublish(p.Notifier)
}

// PublishEnvironment returns the variables that a function needs to publish messages in its own process.
func (p *Pipeline) PublishEnvironment() map[string]string {
	return map[string]string{
		tableVariable:    *p.Table.TableName(),
		feedVariable:     *p.Feed.TableName(),
		endpointVariable: *p.Stage.CallbackUrl(),
	}
}

// GrantPublish lets grantee publish every message in its own process, as the notifier does: also notes, the ends of jobs that
// name an execution, and messages to one connection. A worker that reports how far its jobs are needs GrantReport only.
func (p *Pipeline) GrantPublish(grantee awsiam.IGrantable) {
	p.GrantReport(grantee)
	allow(grantee, p.Feed.TableArn(), "dynamodb:DeleteItem")
	allow(grantee, p.Table.TableArn(), "dynamodb:GetItem")
}

// GrantReport lets grantee report the progress of jobs in its own process: store their states, find the user's connections,
// post to them, and remove those that are gone.
func (p *Pipeline) GrantReport(grantee awsiam.IGrantable) {
	allow(grantee, p.Feed.TableArn(), "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
	allow(grantee, p.index(userIndex), "dynamodb:Query")
	allow(grantee, p.Table.TableArn(), "dynamodb:DeleteItem")
	p.allowConnections(grantee, http.MethodPost)
}

// index is the ARN of an index of the connections table.
func (p *Pipeline) index(name string) *string {
	return jsii.String(*p.Table.TableArn() + "/index/" + name)
}

// allow adds one statement to grantee's policy.
func allow(grantee awsiam.IGrantable, resource *string, actions ...string) {
	grantee.GrantPrincipal().AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings(actions...),
		Resources: &[]*string{resource},
	}))
}

// variables returns environment as the CDK takes it.
func variables(environment map[string]string) *map[string]*string {
	out := make(map[string]*string, len(environment))
	for name, value := range environment {
		out[name] = jsii.String(value)
	}
	return &out
}
