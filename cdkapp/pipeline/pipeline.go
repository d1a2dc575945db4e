// Package pipeline is an AWS CDK construct with all of Herald's infrastructure.
package pipeline

import (
	"errors"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/observe"
)

// ErrFunctionsDir says that Props.FunctionsDir is empty.
var ErrFunctionsDir = errors.New("pipeline: FunctionsDir is empty: set it to the folder that bootstrap.Build filled")

// Pipeline is the L3 construct: WebSocket API, tables of connections and of the feed, notifier, reaper, sweeper, uploads
// bucket, and with CSVImport the csv_import workflow. The app that embeds it may use its fields.
type Pipeline struct {
	// Construct is the scope of all its resources.
	Construct constructs.Construct
	// API is the WebSocket API. The app can add its own routes.
	API awsapigatewayv2.WebSocketApi
	// Stage is the deployed stage. Browsers connect to its Url; functions post to its CallbackUrl.
	Stage awsapigatewayv2.WebSocketStage
	// ConnectionsTable holds the open connections.
	ConnectionsTable awsdynamodb.ITable
	// FeedTable holds the newest state of each job, and notes.
	FeedTable awsdynamodb.ITable
	// Bucket receives uploads under uploads/ and reports new objects to EventBridge.
	Bucket awss3.IBucket
	// Connect serves $connect. If a customer-managed key encrypts the HS256 secret, grant the function's Role kms:Decrypt.
	Connect awslambda.Function
	// Default serves $default. It verifies tokens, too, so grant its Role what you grant the Role of Connect.
	Default awslambda.Function
	// Notifier is the function that workflows call as a task.
	Notifier awslambda.Function
	// CSVImport is the csv_import state machine, or nil without Props.CSVImport.
	CSVImport awsstepfunctions.StateMachine

	props Props
	// namePrefix begins the names of what operators look for by name: the stack's name, and the construct's id if it is not
	// DefaultStackName.
	namePrefix string
	// functions has each function. The keys are the names of the functions.
	functions map[string]awslambda.Function
	// deadLetters has each dead-letter queue. The keys are the ids of the queues, such as sweeperDeadLetters.
	deadLetters map[string]awssqs.Queue
	// workflows has the state machine of each workflow. The keys are the names of the workflows.
	workflows map[string]awsstepfunctions.StateMachine
	// watched are the state machines that the observer follows.
	watched []observe.Machine
}

// New creates a Pipeline in scope with the given id. Its error names each invalid setting, or the workflow whose definition
// has a placeholder without a value.
func New(scope constructs.Construct, id string, props Props) (*Pipeline, error) {
	props = props.withDefaults()
	if err := props.validate(); err != nil {
		return nil, err
	}
	if props.FunctionsDir == "" {
		return nil, ErrFunctionsDir
	}
	p := &Pipeline{
		Construct: constructs.NewConstruct(scope, jsii.String(id)), props: props, deadLetters: map[string]awssqs.Queue{},
	}
	p.namePrefix = *awscdk.Stack_Of(p.Construct).StackName()
	if id != DefaultStackName {
		p.namePrefix += "-" + id
	}
	p.addTables()
	p.addBucket()
	p.addGateway()
	p.addFunctions()
	p.addExecutionRule()
	if err := p.addWorkflows(); err != nil {
		return nil, err
	}
	if err := p.watchSettings(); err != nil {
		return nil, err
	}
	return p, nil
}

// GrantNotify lets grantee, such as the state machine of your own workflow, invoke the notifier.
func (p *Pipeline) GrantNotify(grantee awsiam.IGrantable) awsiam.Grant {
	return awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{
		Grantee:      grantee,
		Actions:      jsii.Strings("lambda:InvokeFunction"),
		ResourceArns: jsii.Strings(*p.Notifier.FunctionArn()),
	})
}
