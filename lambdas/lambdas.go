// Package lambdas has the table of the deployed functions. Each of its folders has the program of one function.
//
// The stack, the build, the wiring in lib/cloud and the local twin read this table, so that each fact is stated only here.
package lambdas

import (
	"slices"
	"time"
)

// Function describes a deployed function.
type Function struct {
	// Name is the function's folder.
	Name string
	// ID is the prefix of the ids of the function's resources in the stack.
	ID string
	// Description is what the AWS console shows.
	Description string
	// Workflow is the name of the workflow that the function is a part of. A stack without this workflow does not have the function.
	// Empty means that every stack has the function.
	Workflow string
	// Watches is true for the function that follows workflows by their logs. A stack that watches no workflow does not have it.
	Watches bool
	// MemoryMB is the memory in MB. Lambda gives CPU in proportion: 1,769 MB are one vCPU
	// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
	MemoryMB int
	// Timeout is the maximum duration of an invocation, in whole seconds.
	Timeout time.Duration
	// Route is the route of the WebSocket API that invokes the function, or empty.
	Route string
	// Schedule invokes the function at an interval. Its zero value invokes nothing.
	Schedule Schedule
	// OnFailure says what Lambda does when the function returns an error for an event. Its zero value means Lambda's defaults.
	OnFailure FailureHandling
	// Required and Optional are the environment variables that the function reads. It does not start without the required
	// ones.
	Required, Optional []string
	// Grants are the permissions of the function's role. All functions may also write logs and traces.
	Grants []Grant
	// UploadGrants are further permissions in a stack where browsers may upload. If EnvUploadsBucket is an optional variable of the
	// function, the function gets it only in such a stack.
	UploadGrants []Grant
}

// Substitution returns the name of the placeholder that definitions of workflows have for the function's ARN, without ${}.
func (f Function) Substitution() string { return f.ID + "FunctionArn" }

// Schedule invokes a function at an interval. A scheduled event that cannot be delivered is dropped, because the next one starts
// the same work.
type Schedule struct {
	// Description says what the function does when the schedule invokes it.
	Description string
	// Interval is the time between two events, in whole minutes. Zero means no schedule.
	Interval time.Duration
}

// FailureHandling says what Lambda does with an event of EventBridge for which the function returned an error
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
type FailureHandling struct {
	// Retries is how often Lambda invokes the function again with the event, at most 2.
	Retries int
	// MaxAge is the age of an event from which on Lambda does not retry it, from a minute to 6 hours.
	MaxAge time.Duration
	// DeadLetters is true if Lambda then sends the event to a dead-letter queue.
	DeadLetters bool
}

const (
	// messageMemoryMB and messageTimeout are for functions that handle one small message. The timeout is one second over the
	// 29 seconds for which API Gateway waits for the function of a route.
	messageMemoryMB = 256
	messageTimeout  = 30 * time.Second
	// streamMemoryMB and streamTimeout are for functions that stream files. They need one full vCPU for parsing, and memory
	// for buffers only.
	streamMemoryMB = 1769
	streamTimeout  = 15 * time.Minute
	// observerTimeout leaves time for a batch with the log lines of many executions.
	observerTimeout = time.Minute
	// ReaperInterval and SweeperInterval are also the timeouts of these functions: the next run continues the work of a run that
	// timed out.
	ReaperInterval  = time.Minute
	SweeperInterval = 5 * time.Minute
)

// CSVImport is the name of the csv_import workflow.
const CSVImport = "csv_import"

// Functions returns the deployed functions.
func Functions() []Function {
	functions := []Function{
		{
			Name: "connect", ID: "Connect", Description: "Herald: verifies the token and stores the connection",
			MemoryMB: messageMemoryMB, Timeout: messageTimeout, Route: "$connect",
			Required: []string{EnvConnectionsTable, EnvAuthMode},
			Optional: slices.Concat(tokenVariables(), limitVariables(), []string{EnvAllowedOrigins}),
			Grants: []Grant{
				{ConnectionsTable, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}},
				{UserIndex, []string{"dynamodb:Query"}},
				{SharedKey, []string{"secretsmanager:GetSecretValue"}},
			},
		},
		{
			Name: "disconnect", ID: "Disconnect", Description: "Herald: deletes the connection",
			MemoryMB: messageMemoryMB, Timeout: messageTimeout, Route: "$disconnect",
			Required: []string{EnvConnectionsTable},
			Grants:   []Grant{{ConnectionsTable, []string{"dynamodb:DeleteItem"}}},
		},
		{
			Name: "default", ID: "Default", Description: "Herald: answers the messages of browsers",
			MemoryMB: messageMemoryMB, Timeout: messageTimeout, Route: "$default",
			Required: append(PublishVariables(), EnvAuthMode),
			Optional: slices.Concat(tokenVariables(), limitVariables(), []string{EnvUploadsBucket}),
			Grants: []Grant{
				{ConnectionsTable, []string{"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}},
				{UserIndex, []string{"dynamodb:Query"}},
				{FeedTable, []string{"dynamodb:Query", "dynamodb:DeleteItem"}},
				{Posts, []string{manageConnections}},
				{Closes, []string{manageConnections}},
				{SharedKey, []string{"secretsmanager:GetSecretValue"}},
			},
			// It stores which uploads are open, signs the URLs of uploads and of results, and joins parts. A URL allows what its signer may do, but only for its
			// own object or part.
			UploadGrants: []Grant{
				{FeedTable, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}},
				{Uploads, []string{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}},
				{Results, []string{"s3:GetObject"}},
				{Bucket, []string{"s3:ListBucket"}},
			},
		},
		{
			Name: "notifier", ID: "Notifier", Description: "Herald: delivers a message to a user's browsers",
			MemoryMB: messageMemoryMB, Timeout: messageTimeout,
			Required: PublishVariables(),
			Grants:   PublishGrants(),
		},
		importStep("csvplan", "CsvPlan", "claims an upload and splits it into ranges",
			Grant{Claims, []string{"s3:PutObject"}}),
		importStep("csvchunk", "CsvChunk", "imports one range",
			Grant{Staged, []string{"s3:PutObject", "s3:AbortMultipartUpload"}}),
		importStep("csvfinish", "CsvFinish", "puts the results together",
			Grant{Staged, []string{"s3:GetObject", "s3:DeleteObject"}},
			Grant{Results, []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"}}),
		{
			Name: "reaper", ID: "Reaper", Description: "Herald: closes connections whose sessions have ended",
			MemoryMB: messageMemoryMB, Timeout: ReaperInterval,
			Schedule:  Schedule{Description: "Herald: closes connections whose sessions have ended", Interval: ReaperInterval},
			OnFailure: FailureHandling{Retries: 0, MaxAge: ReaperInterval}, // the next run does the work of one that failed
			Required:  []string{EnvConnectionsTable, EnvEndpoint},
			Grants: []Grant{
				{SessionExpiryIndex, []string{"dynamodb:Query"}},
				{ConnectionsTable, []string{"dynamodb:DeleteItem"}},
				{Posts, []string{manageConnections}},
				{Closes, []string{manageConnections}},
			},
		},
		{
			Name: "sweeper", ID: "Sweeper", Description: "Herald: ends the jobs of workflows that ended without reporting it",
			MemoryMB: messageMemoryMB, Timeout: SweeperInterval,
			Schedule:  Schedule{Description: "Herald: looks for workflows that ended without reporting it", Interval: SweeperInterval},
			OnFailure: FailureHandling{Retries: 2, MaxAge: time.Hour, DeadLetters: true}, // Lambda allows at most 2 retries.
			Required:  PublishVariables(),
			Grants: []Grant{
				{FeedTable, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"}},
				{UserIndex, []string{"dynamodb:Query"}},
				{ConnectionsTable, []string{"dynamodb:DeleteItem"}},
				{Posts, []string{manageConnections}},
				{Executions, []string{"states:DescribeExecution"}},
				{DurableExecutions, []string{"lambda:GetDurableExecution"}},
			},
		},
		{
			Name: "observer", ID: "Observer", Description: "Herald: reports the progress of workflows by their logs", Watches: true,
			MemoryMB: messageMemoryMB, Timeout: observerTimeout,
			OnFailure: FailureHandling{Retries: 2, MaxAge: time.Hour, DeadLetters: true},
			Required:  append(PublishVariables(), EnvWatched),
			Grants: append(ReportGrants(),
				Grant{FeedTable, []string{"dynamodb:DeleteItem"}}, // delete the pointer to a job once it is terminal
				Grant{Executions, []string{"states:DescribeExecution", "states:DescribeStateMachineForExecution"}},
				Grant{StateMachines, []string{"states:DescribeStateMachine"}}), // an Express workflow's definition
		},
	}
	for i := range functions {
		functions[i].Optional = append(functions[i].Optional, EnvLogLevel, EnvMetrics)
	}

	return functions
}

// importStep returns the function of a step of csv_import. It may read uploads, claims and summaries, and may report progress.
// task says what the step does, and more are its further grants.
func importStep(name, id, task string, more ...Grant) Function {
	return Function{
		Name: name, ID: id, Description: "Herald csv_import: " + task, Workflow: CSVImport,
		MemoryMB: streamMemoryMB, Timeout: streamTimeout,
		Required: append(PublishVariables(), EnvUploadsBucket),
		Grants: slices.Concat(ReportGrants(), []Grant{
			{Uploads, []string{"s3:GetObjectVersion"}}, // each import reads one version
			{Claims, []string{"s3:GetObject"}},
			{Summaries, []string{"s3:GetObject"}},
			{Bucket, []string{"s3:ListBucket"}},
		}, more),
	}
}

// ByName returns the function with a name. It returns false if there is none.
func ByName(name string) (Function, bool) {
	for _, f := range Functions() {
		if f.Name == name {
			return f, true
		}
	}
	return Function{}, false
}

// The environment variables of the functions.
const (
	// EnvConnectionsTable and EnvFeedTable are the names of the tables.
	EnvConnectionsTable = "CONNECTIONS_TABLE"
	EnvFeedTable        = "FEED_TABLE"
	// EnvEndpoint is the https URL of the stage of the WebSocket API.
	EnvEndpoint = "WEBSOCKET_API_ENDPOINT"
	// EnvUploadsBucket is the name of the bucket of uploads. Without it, $default takes no uploads.
	EnvUploadsBucket = "UPLOADS_BUCKET"

	// EnvMetrics is the name of the stack, under which a function writes metrics into its log. Without it, the function writes none.
	EnvMetrics = "METRICS_STACK"
	// EnvLogLevel is the lowest level that a function logs: debug, info, warn or error. Without it, that is info.
	EnvLogLevel = "LOG_LEVEL"
	// EnvNotifierFunction is the name of the notifier, in workers that invoke it. Herald's own functions do not read it.
	EnvNotifierFunction = "NOTIFIER_FUNCTION_NAME"

	// EnvAuthMode is AuthCognito, AuthJWKS or AuthHS256.
	EnvAuthMode = "AUTH_MODE"
	// EnvIssuer, EnvAudience and EnvJWKSURL are for AuthJWKS. AuthHS256 uses EnvIssuer and EnvAudience, too. The audience is a
	// comma-separated list.
	EnvIssuer   = "AUTH_ISSUER"
	EnvAudience = "AUTH_AUDIENCE"
	EnvJWKSURL  = "AUTH_JWKS_URL"
	// EnvSecretARN and EnvSecretOverlap, in minutes, are for AuthHS256.
	EnvSecretARN     = "AUTH_SECRET_ARN" //nolint:gosec // the name of a variable, not a secret
	EnvSecretOverlap = "AUTH_SECRET_OVERLAP_MINUTES"
	// EnvUserPoolID and EnvClientIDs, a comma-separated list, are for AuthCognito.
	EnvUserPoolID = "COGNITO_USER_POOL_ID"
	EnvClientIDs  = "COGNITO_CLIENT_IDS"

	// EnvWatched is the JSON list of the state machines that the observer follows, as lib/observe reads it.
	EnvWatched = "WATCHED_STATE_MACHINES"

	// EnvAllowedOrigins is the comma-separated list of the origins whose pages may connect. If it is not set, all pages may.
	EnvAllowedOrigins = "ALLOWED_ORIGINS"
	// EnvMaxConnections and EnvMaxPosts are the limits of one user.
	EnvMaxConnections = "MAX_CONNECTIONS"
	EnvMaxPosts       = "MAX_POSTS_PER_MINUTE"
)

// The values of EnvAuthMode.
const (
	// AuthCognito verifies the tokens of an Amazon Cognito user pool.
	AuthCognito = "cognito"
	// AuthJWKS verifies RS256 and ES256 tokens with the keys that their issuer publishes.
	AuthJWKS = "jwks"
	// AuthHS256 verifies HS256 tokens with a shared key from Secrets Manager.
	AuthHS256 = "hs256"
)

// PublishVariables returns the variables that a function needs to publish messages in its own process.
func PublishVariables() []string {
	return []string{EnvConnectionsTable, EnvFeedTable, EnvEndpoint}
}

// tokenVariables returns the variables that configure the verification of tokens, without EnvAuthMode.
func tokenVariables() []string {
	return []string{EnvIssuer, EnvAudience, EnvJWKSURL, EnvSecretARN, EnvSecretOverlap, EnvUserPoolID, EnvClientIDs}
}

// limitVariables returns the variables with the limits of one user.
func limitVariables() []string { return []string{EnvMaxConnections, EnvMaxPosts} }
