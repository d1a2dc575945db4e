// Package pipeline is an AWS CDK construct with all of Herald's infrastructure.
package pipeline

import (
	"errors"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// The defaults of Props.
const (
	DefaultTableName     = "websocket_connections"
	DefaultFeedTableName = "websocket_feed"
	DefaultStageName     = "prod"
	DefaultThrottleRate  = 1000.0 // requests per second: a tenth of the account's 10,000, which callbacks share
	DefaultThrottleBurst = 500

	DefaultMaxConnections    = 50
	DefaultMaxPostsPerMinute = 3000
	DefaultLogRetentionDays  = 30
)

// ErrFunctionsDir says that Props.FunctionsDir is empty.
var ErrFunctionsDir = errors.New("pipeline: FunctionsDir is empty: set it to the folder that bootstrap.Build filled")

// Props configures a Pipeline. FunctionsDir and Auth are required; every other field has a useful zero value.
// Strings may be CDK tokens, such as a user pool's id.
type Props struct {
	// FunctionsDir is the folder that bootstrap.Build filled: one sub-folder per function.
	FunctionsDir string
	// Auth says how $connect verifies tokens.
	Auth Auth
	// AllowedOrigins lists the Origin values that $connect accepts, such as "https://app.example.com".
	// Empty accepts any.
	AllowedOrigins []string
	// UploadOrigins lists the origins from which browsers may PUT to the uploads bucket. Empty is AllowedOrigins;
	// when that is empty too, the bucket has no CORS rule.
	UploadOrigins []string
	// TableName is the connections table's name. Empty is DefaultTableName.
	TableName string
	// FeedTableName is the feed table's name. Empty is DefaultFeedTableName.
	FeedTableName string
	// StageName is the WebSocket stage's name, the last part of its URL. Empty is DefaultStageName.
	StageName string
	// ThrottleRate bounds the requests per second from all browsers. 0 is DefaultThrottleRate.
	ThrottleRate float64
	// ThrottleBurst bounds the concurrent requests from all browsers. 0 is DefaultThrottleBurst.
	ThrottleBurst int
	// ConnectConcurrency, DefaultConcurrency and NotifierConcurrency are the reserved concurrency of these functions: the
	// number of concurrent executions that Lambda reserves for the function, which is also its maximum. 0 reserves none, so
	// that the function shares the account's unreserved concurrency. An account must leave 100 unreserved, so that a new
	// account, which has 10, can reserve none.
	ConnectConcurrency, DefaultConcurrency, NotifierConcurrency int
	// MaxConnections is how many connections a user may have, from 1 to 500. 0 is DefaultMaxConnections.
	MaxConnections int
	// MaxPostsPerMinute bounds the posts that the requests of one user may cause in a minute: at least 1,000, and 12 more for
	// each of MaxConnections. 0 is DefaultMaxPostsPerMinute.
	MaxPostsPerMinute int
	// LogRetentionDays is the retention of logs, one of the values that CloudWatch Logs accepts. 0 is
	// DefaultLogRetentionDays.
	LogRetentionDays int
	// AccessLogs turns on the stage's access log. It needs the CloudWatch role in API Gateway's account settings. An
	// account has one per Region, so the construct does not create it.
	AccessLogs bool
	// WithoutCSVImport omits the csv_import workflow. Your own workflows do not need it.
	WithoutCSVImport bool
}

// Pipeline is the L3 construct: WebSocket API, tables of connections and of the feed, notifier, reaper, sweeper, uploads
// bucket, and the csv_import workflow unless WithoutCSVImport is set. The app that embeds it may use its fields.
type Pipeline struct {
	// Construct is the scope of all its resources.
	Construct constructs.Construct
	// API is the WebSocket API. The app can add its own routes.
	API awsapigatewayv2.WebSocketApi
	// Stage is the deployed stage. Browsers connect to its Url; functions post to its CallbackUrl.
	Stage awsapigatewayv2.WebSocketStage
	// ConnectionsTable holds the open connections.
	ConnectionsTable awsdynamodb.Table
	// FeedTable holds the newest state of each job, and notes.
	FeedTable awsdynamodb.Table
	// Bucket receives uploads under uploads/ and reports new objects to EventBridge.
	Bucket awss3.Bucket
	// Connect serves $connect. With a customer-managed key on the HS256 secret, grant its Role kms:Decrypt.
	Connect awslambda.Function
	// Default serves $default. It verifies tokens too: grant its Role what you grant Connect's.
	Default awslambda.Function
	// Notifier is the function that workflows call as a task.
	Notifier awslambda.Function
	// CSVImport is the csv_import state machine, or nil with WithoutCSVImport.
	CSVImport awsstepfunctions.StateMachine

	props Props
}

// New creates a Pipeline in scope with the given id. Its error names each invalid setting, or says why the definition of
// csv_import cannot be filled.
func New(scope constructs.Construct, id string, props Props) (*Pipeline, error) {
	props = props.withDefaults()
	if err := props.validate(); err != nil {
		return nil, err
	}
	if props.FunctionsDir == "" {
		return nil, ErrFunctionsDir
	}
	p := &Pipeline{Construct: constructs.NewConstruct(scope, jsii.String(id)), props: props}
	p.addTables()
	p.addBucket()
	p.addGateway()
	p.addNotifier()
	p.addReaper()
	p.addSweeper()
	if !props.WithoutCSVImport {
		if err := p.addCSVImport(); err != nil {
			return nil, fmt.Errorf("csv_import: %w", err)
		}
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

// withDefaults returns props with the documented value in each optional field that is zero.
func (props Props) withDefaults() Props {
	if props.TableName == "" {
		props.TableName = DefaultTableName
	}
	if props.FeedTableName == "" {
		props.FeedTableName = DefaultFeedTableName
	}
	if props.StageName == "" {
		props.StageName = DefaultStageName
	}
	if props.ThrottleRate == 0 {
		props.ThrottleRate = DefaultThrottleRate
	}
	if props.ThrottleBurst == 0 {
		props.ThrottleBurst = DefaultThrottleBurst
	}
	if props.MaxConnections == 0 {
		props.MaxConnections = DefaultMaxConnections
	}
	if props.MaxPostsPerMinute == 0 {
		props.MaxPostsPerMinute = DefaultMaxPostsPerMinute
	}
	if props.LogRetentionDays == 0 {
		props.LogRetentionDays = DefaultLogRetentionDays
	}
	if len(props.UploadOrigins) == 0 {
		props.UploadOrigins = props.AllowedOrigins
	}
	return props
}
