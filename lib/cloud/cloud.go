// Package cloud makes of a Lambda function's environment its handler, wired to AWS.
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

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/dynamo"
)

// The variables that functions read. Those by which tokens are verified are in auth.go.
const (
	envTable    = "CONNECTIONS_TABLE"
	envFeed     = "FEED_TABLE"
	envEndpoint = "WEBSOCKET_API_ENDPOINT"
	envBucket   = "UPLOADS_BUCKET"
)

// environment reads variables and remembers which required ones are missing, and which are wrong.
type environment struct {
	getenv  func(string) string
	missing []string
	wrong   []string
}

func (e *environment) required(name string) string {
	value := e.getenv(name)
	if value == "" {
		e.missing = append(e.missing, name)
	}

	return value
}

// list splits a variable at its commas.
func (e *environment) list(name string) []string {
	var values []string
	for value := range strings.SplitSeq(e.getenv(name), ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}

	return values
}

// whole reads a whole number; a variable that is not set is 0.
func (e *environment) whole(name string) int {
	value := e.getenv(name)
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		e.wrong = append(e.wrong, name+" must be a whole number over 0")
	}

	return n
}

func (e *environment) err() error {
	if len(e.missing) > 0 {
		return fmt.Errorf("cloud: set %s", strings.Join(e.missing, ", "))
	}
	if len(e.wrong) > 0 {
		return fmt.Errorf("cloud: %s", strings.Join(e.wrong, "; "))
	}

	return nil
}

// function holds what handlers are wired with.
type function struct {
	aws aws.Config
	// dynamo serves all tables, over the same sockets.
	dynamo *dynamodb.Client
	log    *slog.Logger
}

// load returns the parts that every function has, unless a required variable is missing.
func load(ctx context.Context, e *environment) (function, error) {
	if err := e.err(); err != nil {
		return function{}, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return function{}, fmt.Errorf("load AWS configuration: %w", err)
	}

	return function{aws: awsConfig, dynamo: dynamodb.NewFromConfig(awsConfig), log: slog.New(slog.NewJSONHandler(os.Stderr, nil))}, nil
}

func (f function) connections(table string) *dynamo.Connections {
	return &dynamo.Connections{Client: f.dynamo, Table: table}
}

func (f function) sender(endpoint string) (*apigw.Sender, error) {
	sender, err := apigw.New(f.aws, endpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envEndpoint, err)
	}

	return sender, nil
}
