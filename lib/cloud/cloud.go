// Package cloud wires the handler of each Lambda function to AWS, configured by environment variables.
package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/dynamo"
)

// environment reads the variables of a function, and records those that are missing or invalid.
type environment struct {
	getenv  func(string) string
	missing []string
	invalid []string
}

// newEnvironment returns the environment of a function, which is a name in the table of package lambdas. It records those of the
// function's required variables that are missing.
func newEnvironment(function string, getenv func(string) string) *environment {
	e := &environment{getenv: getenv}
	f, _ := lambdas.Named(function) // The callers in this package use names of the table.
	for _, name := range f.Required {
		e.required(name)
	}
	return e
}

// required reads a variable, and records it as missing if it is not set.
func (e *environment) required(name string) string {
	value := e.getenv(name)
	if value == "" {
		e.missing = append(e.missing, name)
	}
	return value
}

// list reads a list that is separated by commas.
func (e *environment) list(name string) []string {
	var values []string
	for value := range strings.SplitSeq(e.getenv(name), ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// positiveInt reads a positive integer, and records the variable as invalid if it has another value. It returns 0 if the variable is
// not set.
func (e *environment) positiveInt(name string) int {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		e.invalid = append(e.invalid, name+" must be a whole number over 0")
	}
	return n
}

// err returns an error with all variables that are missing. If none is missing, it returns an error with those that are invalid, or
// nil.
func (e *environment) err() error {
	if len(e.missing) > 0 {
		return fmt.Errorf("cloud: set %s", strings.Join(e.missing, ", "))
	}
	if len(e.invalid) > 0 {
		return fmt.Errorf("cloud: %s", strings.Join(e.invalid, "; "))
	}
	return nil
}

// awsClients has the AWS configuration, the DynamoDB client and the logger that every handler needs.
type awsClients struct {
	aws aws.Config
	// dynamo is the client of all tables. They share its sockets.
	dynamo *dynamodb.Client
	log    *slog.Logger
}

// loadAWS returns the clients. It returns an error if a variable is missing or invalid.
func loadAWS(ctx context.Context, e *environment) (awsClients, error) {
	if err := e.err(); err != nil {
		return awsClients{}, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return awsClients{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return awsClients{aws: awsConfig, dynamo: dynamodb.NewFromConfig(awsConfig), log: slog.New(slog.NewJSONHandler(os.Stderr, nil))}, nil
}

func (c awsClients) connectionStore(table string) *dynamo.Connections {
	return &dynamo.Connections{Client: c.dynamo, Table: table}
}

func (c awsClients) sender(endpoint string) (*apigw.Sender, error) {
	sender, err := apigw.New(c.aws, endpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", lambdas.EnvEndpoint, err)
	}
	return sender, nil
}
