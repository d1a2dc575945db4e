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
	"github.com/herald-progress/herald/lib/metrics"
)

// Clients has the AWS configuration, the DynamoDB client, the logger and the metrics that every handler needs.
type Clients struct {
	AWS aws.Config
	// DynamoDB is the client of all tables. They share its sockets.
	DynamoDB *dynamodb.Client
	Log      *slog.Logger
	// Metrics collects the metrics of one event. It is nil if the function writes none.
	Metrics *metrics.Writer
}

// NewClients returns the clients of a function. It returns an error if a variable is missing or invalid.
func NewClients(e *Environment) (Clients, error) {
	level, stack := e.logLevel(lambdas.EnvLogLevel), e.Get(lambdas.EnvMetrics)
	if err := e.Err(); err != nil {
		return Clients{}, err
	}
	log := newLog(os.Stderr, level)
	prepareProcess(amazonBundle)
	config, err := awsConfig(os.Getenv)
	if err != nil {
		return Clients{}, err
	}
	c := Clients{AWS: config, Log: log}
	if stack != "" {
		c.Metrics = metrics.NewWriter(os.Stderr, stack, nil)
	}
	c.DynamoDB = dynamodb.NewFromConfig(config, func(o *dynamodb.Options) { o.Retryer = countThrottles(o.Retryer, c.Metrics) })

	return c, nil
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
