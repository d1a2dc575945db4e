// Package pipeline is an AWS CDK construct with all of Herald's infrastructure.
package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/observe"
)

// ErrFunctionsDir says that Props.FunctionsDir is empty, or lacks the program of a function.
var ErrFunctionsDir = errors.New("pipeline: FunctionsDir: set it to the folder that bootstrap.Build filled")

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
	// Notifier is the function that delivers messages.
	Notifier awslambda.Function
	// NotifierTarget is what workflows and workers call: Notifier, or its alias with Props.NotifierProvisionedConcurrency.
	NotifierTarget awslambda.IFunction
	// CSVImport is the csv_import state machine, or nil without Props.CSVImport.
	CSVImport awsstepfunctions.StateMachine

	props Props
	// namePrefix begins the names of what operators look for by name: the stack's name, and the construct's id if it is not
	// DefaultStackName.
	namePrefix string
	// code returns the program of a function.
	code func(function string) awslambda.Code
	// key encrypts what is stored, or is nil without Props.KMSKeyARN.
	key awskms.IKey
	// logGroups has all log groups.
	logGroups []awslogs.LogGroup
	// functions has each function. The keys are the names of the functions.
	functions map[string]awslambda.Function
	// deadLetters has each dead-letter queue. The keys are the ids of the queues, such as sweeperDeadLetters.
	deadLetters map[string]awssqs.Queue
	// workflows has the state machine of each workflow. The keys are the names of the workflows.
	workflows map[string]awsstepfunctions.StateMachine
	// alarmTopic is what alarms notify, or nil.
	alarmTopic awssns.ITopic
	// watched are the state machines that the observer follows.
	watched []observe.Machine
	// deadLetterGraph shows the dead-letter queues, or is nil without a dashboard.
	deadLetterGraph awscloudwatch.GraphWidget
	// complete is true when New has created the dashboard and the parameters. A queue that comes later must be added to them.
	complete bool
}

// New creates a Pipeline in scope with the given id. Its error names each invalid setting, or the workflow whose definition
// has a placeholder without a value.
func New(scope constructs.Construct, id string, props Props) (*Pipeline, error) {
	if err := checkFunctionsDir(props.FunctionsDir); err != nil {
		return nil, err
	}
	namePrefix := *awscdk.Stack_Of(scope).StackName()
	if id != DefaultStackName {
		namePrefix += "-" + id
	}

	return newPipeline(scope, id, namePrefix, props, func(function string) awslambda.Code {
		return awslambda.Code_FromAsset(jsii.String(filepath.Join(props.FunctionsDir, function)), nil)
	})
}

// checkFunctionsDir returns an error that wraps ErrFunctionsDir if the folder does not have the program of each function.
func checkFunctionsDir(dir string) error {
	if dir == "" {
		return fmt.Errorf("%w: it is empty", ErrFunctionsDir)
	}
	for _, f := range lambdas.Functions() {
		if _, err := os.Stat(filepath.Join(dir, f.Name, "bootstrap")); err != nil {
			return fmt.Errorf("%w: %w", ErrFunctionsDir, err)
		}
	}

	return nil
}

// newPipeline creates a Pipeline. namePrefix begins the names that must be unique in an account and Region, and code returns the
// program of each function.
func newPipeline(
	scope constructs.Construct, id, namePrefix string, props Props, code func(function string) awslambda.Code,
) (*Pipeline, error) {
	props = props.withDefaults(namePrefix)
	if err := props.validate(namePrefix); err != nil {
		return nil, err
	}
	p := &Pipeline{
		Construct: constructs.NewConstruct(scope, jsii.String(id)), props: props, namePrefix: namePrefix, code: code,
		deadLetters: map[string]awssqs.Queue{},
	}
	p.addKey()
	p.alarmTopic = p.newAlarmTopic()
	p.addTables()
	p.addBucket()
	p.addGateway()
	p.addFunctions()
	p.addExecutionRules()
	if err := p.addWorkflows(); err != nil {
		return nil, err
	}
	if err := p.watchSettings(); err != nil {
		return nil, err
	}
	for _, a := range p.alarms() {
		p.addAlarm(a)
	}
	p.addDashboard()
	for _, o := range p.outputs() {
		p.addParameter(o)
	}
	p.complete = true

	return p, nil
}
