// Package cloud makes of a Lambda function's environment its handler, wired to AWS.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/notify"
)

// The variables that functions read. Those of $connect's authentication are in connect.go.
const (
	envTable    = "CONNECTIONS_TABLE"
	envEndpoint = "WEBSOCKET_API_ENDPOINT"
	envBucket   = "UPLOADS_BUCKET"
)

const (
	// nobodysID and nobody are the connection and the user that warm asks for. No token has such a sub: it holds a control
	// character.
	nobodysID = "nobody"
	nobody    = "nobody\x00"
	// warmTimeout bounds warm within the ten seconds that Lambda gives a function to start.
	warmTimeout = 2 * time.Second
)

// environment reads variables and remembers which required ones are missing.
type environment struct {
	getenv  func(string) string
	missing []string
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

func (e *environment) err() error {
	if len(e.missing) == 0 {
		return nil
	}

	return fmt.Errorf("cloud: set %s", strings.Join(e.missing, ", "))
}

// function holds what handlers are wired with.
type function struct {
	aws aws.Config
	log *slog.Logger
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

	return function{aws: awsConfig, log: slog.New(slog.NewJSONHandler(os.Stderr, nil))}, nil
}

func (f function) connections(table string) connection.Store {
	return &dynamo.Connections{Client: dynamodb.NewFromConfig(f.aws), Table: table}
}

func (f function) sender(endpoint string) (*apigw.Sender, error) {
	sender, err := apigw.New(f.aws, endpoint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envEndpoint, err)
	}

	return sender, nil
}

func (f function) notifier(ctx context.Context, table, endpoint string) (*notify.Notifier, error) {
	sender, err := f.sender(endpoint)
	if err != nil {
		return nil, err
	}

	rows := f.connections(table)
	f.warm(ctx, rows, sender)

	return &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: sender, Log: f.log}, Log: f.log}, nil
}

// warm calls what a delivery calls, so that the first event finds sockets open and codecs ready: Lambda is believed to
// give a function a whole processor while it starts, and at 256 MB it has a seventh of one afterwards. A service that
// refuses, or gives no answer, does not keep the function from starting.
func (f function) warm(ctx context.Context, rows connection.Store, sender broadcast.Sender) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var calls sync.WaitGroup
	calls.Go(func() {
		for _, err := range rows.ByUser(ctx, nobody) {
			if err != nil {
				f.log.WarnContext(ctx, "read no connections", "err", err)
			}
		}
	})
	calls.Go(func() {
		if err := sender.Send(ctx, nobodysID, []byte("{}")); errors.Is(err, broadcast.ErrUnavailable) {
			f.log.WarnContext(ctx, "post to no connection", "err", err)
		}
	})
	calls.Wait()
}
