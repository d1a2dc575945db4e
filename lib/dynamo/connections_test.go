package dynamo_test

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/connection/connectiontest"
	"github.com/herald-progress/herald/lib/dynamo"
)

// endpoints names the variables that hold the URLs of DynamoDB emulators.
var endpoints = map[string]string{"dynalite": "DYNALITE_ENDPOINT", "moto": "MOTO_ENDPOINT"}

func TestConnections(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			client := emulator(t, variable)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatal(err)
			}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatalf("creating an existing table: %v", err)
			}
			connectiontest.Run(t, func(*testing.T) connection.Store { return store })
		})
	}
}

func emulator(t *testing.T, variable string) *dynamodb.Client {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Skipf("set %s to the URL of a DynamoDB emulator", variable)
	}

	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}
