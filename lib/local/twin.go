// Package local is Herald's twin: all of what is deployed, in one process on this machine, behind AWS's wire formats.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/gateway"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/loopback"
	"github.com/herald-progress/herald/lib/local/objects"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/statemachines"
)

// Names in the twin, as a deployment has them.
const (
	Stage           = "prod"
	Bucket          = "herald-uploads"
	NotifierName    = "herald-notifier"
	CSVImport       = "csv_import"
	uploadsPrefix   = "uploads/"
	functionPrefix  = "herald-"
	shutdownTimeout = 5 * time.Second
	headerTimeout   = 10 * time.Second
	// browserTimeout is how long browsers may take to answer that their connection is closed, before it is dropped.
	browserTimeout = time.Second
	// drainTimeout is how long requests may take to end once all else has, before their sockets are closed.
	drainTimeout = time.Second
)

// Config says how a twin is set up. Its zero value is a twin on a free port with everything in memory.
type Config struct {
	// Port is the TCP port on 127.0.0.1; zero takes a free one.
	Port int
	// Allowed says which Host names and pages' origins are answered beside those of this machine. All else is answered 403.
	Allowed loopback.Config
	// Connections keeps the connections; nil keeps them in memory.
	Connections session.Connections
	// Feed keeps the states of jobs, and notes; nil keeps them in memory.
	Feed feed.Store
	// IndexLag is how far the look-ups of a user's connections and of ended sessions lag behind, as DynamoDB's indexes do.
	// It is for connections in memory.
	IndexLag time.Duration
	// Faults is how posts to connections go wrong at first; see Twin.SetFaults.
	Faults Faults
	// Functions replaces functions of Herald's by others, such as ones in processes of their own: from the name of its
	// folder in lambdas/ to any handler that lambda.Start of aws-lambda-go takes, or a lambda.Handler. It is called from
	// many goroutines at once. A name that Herald does not have is an error of Start.
	Functions map[string]any
	// Machines adds workflows of others: from a state machine's name to its definition in the Amazon States Language, in
	// which ${NotifierFunctionArn} and the like are replaced as in Herald's own. A name of Herald's replaces that one.
	Machines map[string]string
	// BytesPerSecond slows the reading of uploads down, so that progress can be watched; zero does not.
	BytesPerSecond int
	// StatusChanged is called when an execution has started and when it has ended. Nil is called never.
	StatusChanged func(ctx context.Context, execution states.ExecutionDescription)
	// Log is silent when nil.
	Log *slog.Logger
}

// Twin is a running twin. Close it after use.
type Twin struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
	served   chan error

	gateway *gateway.Gateway
	lambda  *invoke.Lambda
	upkeep  *upkeep
	states  *states.StepFunctions
	s3      *objects.S3
	secret  []byte
}

// Start returns a twin that serves.
func Start(ctx context.Context, c Config) (*Twin, error) {
	if err := c.Faults.Validate(); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if err := c.Allowed.Validate(); err != nil {
		return nil, err
	}
	t := &Twin{config: c, log: c.Log, secret: newSecret(), served: make(chan error, 1)}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if c.Connections == nil {
		t.config.Connections = &connection.Memory{IndexLag: c.IndexLag}
	}
	if c.Feed == nil {
		t.config.Feed = &feed.Memory{}
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	t.listener = listener
	if err := t.wire(); err != nil { //nolint:contextcheck // the schedules outlive the start
		return nil, errors.Join(err, listener.Close())
	}
	t.server = &http.Server{
		Handler: loopback.Only(c.Allowed, http.HandlerFunc(t.route)), DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	go func() { t.served <- t.server.Serve(listener) }()
	return t, nil
}

// wire assembles the parts, which call each other by the twin's own endpoint, as they do on AWS.
func (t *Twin) wire() error {
	verifier, err := auth.New(auth.Config{Secret: t.secret})
	if err != nil {
		return fmt.Errorf("verifier: %w", err)
	}
	functions, err := t.functions(verifier)
	if err != nil {
		return err
	}
	t.lambda = invoke.New(invoke.Config{Functions: functions, Log: t.log})
	routes := map[string]gateway.Function{}
	for _, name := range []string{"connect", "disconnect", "default"} {
		routes["$"+name] = route{t.lambda, functionPrefix + name}
	}
	t.gateway = gateway.New(gateway.Config{
		Stage: Stage, Routes: routes, Mocks: map[string]func(time.Time) string{"ping": pong},
		Faults: t.config.Faults, Log: t.log,
	})
	machines, err := t.machines()
	if err != nil {
		return err
	}
	t.upkeep = newUpkeep(t.lambda, t.log)
	t.states, err = states.New(states.Config{Machines: machines, Lambda: t.lambda, StatusChanged: t.statusChanged, Log: t.log})
	if err != nil {
		return fmt.Errorf("step functions: %w", err)
	}
	t.s3, err = objects.New(objects.Config{Bucket: Bucket, Prefix: uploadsPrefix, Created: t.uploaded})
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	t.upkeep.schedule("reaper", reaperInterval, reaperRetries)
	t.upkeep.schedule("sweeper", sweeperInterval, sweeperRetries)
	return nil
}

// machines returns the definitions of all workflows.
func (t *Twin) machines() (map[string][]byte, error) {
	functions := map[string]string{
		"NotifierFunctionArn":  invoke.FunctionARN(NotifierName),
		"CsvPlanFunctionArn":   invoke.FunctionARN(functionPrefix + "csvplan"),
		"CsvChunkFunctionArn":  invoke.FunctionARN(functionPrefix + "csvchunk"),
		"CsvFinishFunctionArn": invoke.FunctionARN(functionPrefix + "csvfinish"),
	}
	definition, err := statemachines.Fill(CSVImport, functions)
	if err != nil {
		return nil, fmt.Errorf("workflow: %w", err)
	}
	machines := map[string][]byte{CSVImport: []byte(definition)}
	places := make([]string, 0, 2*len(functions)) //nolint:mnd // each with its value
	for name, arn := range functions {
		places = append(places, "${"+name+"}", arn)
	}
	for name, definition := range t.config.Machines {
		machines[name] = []byte(strings.NewReplacer(places...).Replace(definition))
	}

	return machines, nil
}

// statusChanged tells the rule on ended executions and whoever the configuration names.
func (t *Twin) statusChanged(ctx context.Context, x states.ExecutionDescription) {
	t.upkeep.statusChanged(x) //nolint:contextcheck // what it starts outlives the execution
	if t.config.StatusChanged != nil {
		t.config.StatusChanged(ctx, x)
	}
}

// route serves every endpoint on one port: Step Functions by its header, the others by their paths, S3 takes the rest. What
// is for another stage is the gateway's too, which answers that it is forbidden.
func (t *Twin) route(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions."):
		t.states.ServeHTTP(w, r)
	case first == Stage, strings.HasPrefix(rest, "@connections/"), strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		t.gateway.ServeHTTP(w, r)
	case first == "2015-03-31":
		t.lambda.ServeHTTP(w, r)
	default:
		t.s3.ServeHTTP(w, r)
	}
}

// uploaded starts an import, as the rule on the bucket's events does.
func (t *Twin) uploaded(ctx context.Context, event json.RawMessage) {
	_, err := t.states.StartExecution(ctx, states.StartExecutionInput{StateMachineArn: states.StateMachineARN(CSVImport), Input: string(event)})
	if err != nil {
		t.log.ErrorContext(ctx, "start import", "err", err)
	}
}

// Endpoint returns the URL under which AWS clients find Lambda, Step Functions and S3.
func (t *Twin) Endpoint() string { return "http://" + t.listener.Addr().String() }

// WebSocketURL returns the URL that browsers connect to.
func (t *Twin) WebSocketURL() string { return "ws://" + t.listener.Addr().String() + "/" + Stage }

// ManagementEndpoint returns the URL under which connections are posted to.
func (t *Twin) ManagementEndpoint() string { return t.Endpoint() + "/" + Stage }

// AWSConfig returns the configuration of AWS clients that call the twin.
func (t *Twin) AWSConfig() aws.Config {
	return aws.Config{
		Region:       awswire.Region,
		BaseEndpoint: aws.String(t.Endpoint()),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
}

// Wait returns when the twin has stopped serving, or when ctx ends; the error says why it stopped by itself.
func (t *Twin) Wait(ctx context.Context) error {
	select {
	case err := <-t.served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// Close stops what runs, closes every connection, runs their $disconnect, and removes all objects, within some seconds.
func (t *Twin) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	executions := t.states.Close(ctx)
	told, enough := context.WithTimeout(ctx, drainTimeout)
	defer enough()
	t.upkeep.close(told) // the ends of jobs that were cut short reach the feed
	answered, dropped := context.WithTimeout(ctx, browserTimeout)
	defer dropped()
	connections := t.gateway.Close(answered)
	if ctx.Err() == nil && errors.Is(connections, context.DeadlineExceeded) {
		connections = nil // a browser that is silent is no failure: its $disconnect has run
	}
	functions := t.lambda.Close(ctx)
	drained, cut := context.WithTimeout(ctx, drainTimeout)
	defer cut()
	served := t.server.Shutdown(drained)
	if served != nil {
		served = t.server.Close() // for a socket that no request has used yet, Shutdown waits 5 s
	}

	return errors.Join(executions, connections, functions, served, t.s3.Close())
}
