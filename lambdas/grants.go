package lambdas

import "slices"

// Grant allows actions on a resource.
type Grant struct {
	// On is the resource.
	On Resource
	// Actions are the actions of IAM, such as dynamodb:GetItem.
	Actions []string
}

// Resource is what a function may act on. The stack has its ARN.
type Resource string

// The resources of a stack.
const (
	// ConnectionsTable and its indexes have the connections.
	ConnectionsTable   Resource = "connections table"
	UserIndex          Resource = "index of the connections of a user"
	SessionExpiryIndex Resource = "index of the ends of sessions"
	// FeedTable has the newest state of each job, and notes.
	FeedTable Resource = "feed table"
	// Posts sends frames to the connections of the stage, and Closes closes them.
	Posts  Resource = "posts to connections"
	Closes Resource = "closing of connections"
	// SharedKey is the secret with the key of AuthHS256. It does not exist in other modes.
	SharedKey Resource = "shared key"
	// Executions are all executions of workflows in the account and Region.
	Executions Resource = "executions"
	// Bucket is the bucket of uploads itself. The right to list its keys also makes S3 answer a read of a missing object with
	// 404 instead of 403 (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
	Bucket Resource = "bucket"
	// Uploads, Claims, Staged and Results are objects in the bucket, by their prefix. Summaries are some of the results.
	Uploads   Resource = "uploads"
	Claims    Resource = "claims"
	Staged    Resource = "staged results"
	Results   Resource = "results"
	Summaries Resource = "summaries"
)

// manageConnections is the only action on Posts and Closes.
const manageConnections = "execute-api:ManageConnections"

// ReportGrants returns what a function needs to report the progress of jobs in its own process: it stores their states, finds
// the user's connections, posts to them, and deletes those that are gone.
func ReportGrants() []Grant {
	return []Grant{
		{FeedTable, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}},
		{UserIndex, []string{"dynamodb:Query"}},
		{ConnectionsTable, []string{"dynamodb:DeleteItem"}},
		{Posts, []string{manageConnections}},
	}
}

// PublishGrants returns what a function needs to publish all kinds of messages in its own process: the ReportGrants, and those
// for notes, ends of jobs that name an execution, and messages to one connection.
func PublishGrants() []Grant {
	return slices.Concat(ReportGrants(), []Grant{
		{FeedTable, []string{"dynamodb:DeleteItem"}},
		{ConnectionsTable, []string{"dynamodb:GetItem"}},
	})
}
