package lambdas

import "slices"

// Grant allows actions on a resource.
type Grant struct {
	// On is the resource that the actions act on.
	On Resource
	// Actions are the names of the actions in IAM, such as dynamodb:GetItem.
	Actions []string
}

// Resource is something that a function may act on. The stack, in cdkapp/pipeline, knows its ARN.
type Resource string

// The resources of a stack.
const (
	// ConnectionsTable has the connections. UserIndex and SessionExpiryIndex are its indexes.
	ConnectionsTable   Resource = "connections table"
	UserIndex          Resource = "index of the connections of a user"
	SessionExpiryIndex Resource = "index of the ends of sessions"
	// FeedTable has the newest state of each job, and notes.
	FeedTable Resource = "feed table"
	// Posts are the requests that send frames to the connections of the stage. Closes are the requests that close them.
	Posts  Resource = "posts to connections"
	Closes Resource = "closing of connections"
	// SharedKey is the secret with the key of AuthHS256. It does not exist in other modes.
	SharedKey Resource = "shared key"
	// Executions are all executions of workflows in the account and Region.
	Executions Resource = "executions"
	// DurableExecutions are all executions of Lambda durable functions in the account and Region.
	DurableExecutions Resource = "durable executions"
	// StateMachines are all state machines in the account and Region.
	StateMachines Resource = "state machines"
	// Bucket is the bucket of uploads itself. The right to list its keys also makes S3 answer a read of a missing object with
	// 404 instead of 403 (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
	Bucket Resource = "bucket"
	// Uploads, Claims, Staged and Results are the objects in the bucket under the prefixes that lib/csvimport names so. Summaries
	// are the summaries of imports among the results.
	Uploads   Resource = "uploads"
	Claims    Resource = "claims"
	Staged    Resource = "staged results"
	Results   Resource = "results"
	Summaries Resource = "summaries"
)

// manageConnections is the only action on Posts and Closes.
const manageConnections = "execute-api:ManageConnections"

// ReportGrants returns the grants that a function needs to report the progress of jobs in its own process.
func ReportGrants() []Grant {
	return []Grant{
		{FeedTable, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}}, // store the states of jobs
		{UserIndex, []string{"dynamodb:Query"}},                                              // find the user's connections
		{ConnectionsTable, []string{"dynamodb:DeleteItem"}},                                  // delete the connections that are gone
		{Posts, []string{manageConnections}},                                                 // post to the connections
	}
}

// PublishGrants returns the grants that a function needs to publish all kinds of messages in its own process: the ReportGrants and
// more.
func PublishGrants() []Grant {
	return slices.Concat(ReportGrants(), []Grant{
		{FeedTable, []string{"dynamodb:DeleteItem"}},     // delete the pointer from an execution to its job once the job is terminal
		{ConnectionsTable, []string{"dynamodb:GetItem"}}, // find the one connection that a message is for
	})
}
