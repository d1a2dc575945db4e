// Package cloud has what the Lambda functions share: their environment, the AWS clients, and what they publish with. It also wires
// the notifier.
//
// Packages browser and workflow below it wire the other functions. A program initializes every package that it links, whether it
// uses the package or not. The notifier starts while a workflow waits, so this package imports only what the notifier needs.
package cloud

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/dynamo"
)

// Clients has the AWS configuration, the DynamoDB client and the logger that every handler needs.
type Clients struct {
	AWS aws.Config
	// DynamoDB is the client of all tables. They share its sockets.
	DynamoDB *dynamodb.Client
	Log      *slog.Logger
}

// NewClients returns the clients of a function. It returns an error if a variable is missing or invalid.
func NewClients(e *Environment) (Clients, error) {
	level := e.logLevel(lambdas.EnvLogLevel)
	if err := e.Err(); err != nil {
		return Clients{}, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	prepareProcess(amazonBundle)
	config, err := awsConfig(os.Getenv)
	if err != nil {
		return Clients{}, err
	}
	return Clients{AWS: config, DynamoDB: dynamodb.NewFromConfig(config), Log: log}, nil
}

// Connections returns the store of connections in a table.
func (c Clients) Connections(table string) *dynamo.Connections {
	return &dynamo.Connections{Client: c.DynamoDB, Table: table}
}

// Sender returns the sender of frames to the connections of a stage, whose https URL is endpoint. Its error names the variable.
func (c Clients) Sender(endpoint string) (*apigw.Sender, error) {
	sender, err := apigw.New(c.AWS, endpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", lambdas.EnvEndpoint, err)
	}
	return sender, nil
}
