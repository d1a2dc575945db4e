// Package dynamotest gives tests clients of DynamoDB emulators, and tables in them.
package dynamotest

import (
	"crypto/rand"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/dynamo"
)

// Dynalite and Moto are the names of environment variables. Each contains the URL of an emulator.
const (
	Dynalite = "DYNALITE_ENDPOINT"
	Moto     = "MOTO_ENDPOINT"
)

// Client returns a client of the emulator whose URL is in the environment variable. It skips the test if the variable is not set. If
// http is nil, the client has the AWS SDK's default HTTP client.
func Client(tb testing.TB, variable string, http aws.HTTPClient) *dynamodb.Client {
	tb.Helper()
	endpoint := os.Getenv(variable)
	if endpoint == "" {
		tb.Skipf("set %s to the URL of a DynamoDB emulator", variable)
	}
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: http,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}

// Tables returns a new connections table and a new feed table.
func Tables(tb testing.TB, client *dynamodb.Client) (*dynamo.Connections, *dynamo.Feed) {
	tb.Helper()
	connections := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
	feed := &dynamo.Feed{Client: client, Table: "feed_" + rand.Text()}
	err := errors.Join(
		dynamo.CreateConnections(tb.Context(), client, connections.Table), dynamo.CreateFeed(tb.Context(), client, feed.Table),
	)
	if err != nil {
		tb.Fatal(err)
	}
	return connections, feed
}
