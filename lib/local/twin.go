// Package local is Herald's twin: everything that a deployment has, in one process on this machine, with AWS's wire formats.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/background"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/gateway"
	"github.com/herald-progress/herald/lib/local/idle"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/local/loopback"
	"github.com/herald-progress/herald/lib/local/objects"
	"github.com/herald-progress/herald/lib/local/process"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/observe"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/trace"
	"github.com/herald-progress/herald/lib/upload"
)

// Names in the twin, and timeouts.
const (
	Stage          = "prod"
	Bucket         = "herald-uploads"
	NotifierName   = "herald-notifier"
	CSVImport      = lambdas.CSVImport
	functionPrefix = "herald-"
	// accessKey and secretKey are the credentials of AWS clients that call the twin.
	accessKey = "local"
	secretKey = "local"
	// shutdownTimeout bounds Close as a whole. headerTimeout bounds the reading of a request's headers. bodyTimeout bounds the time
	// without a byte of its body.
	shutdownTimeout = 5 * time.Second
	headerTimeout   = 10 * time.Second
	bodyTimeout     = 20 * time.Second
	// browserTimeout is how long Close waits for the close frames of browsers before it drops the connections.
	browserTimeout = time.Second
	// drainTimeout is how long Close waits for events in delivery, and for open requests before it closes their sockets.
	drainTimeout = time.Second
)

// Config configures a twin. Its zero value is a twin on a free port that stores everything in memory.
type Config struct {
	// Port is the TCP port on 127.0.0.1; zero means any free one.
	Port int
	// Allowed lists the Host names and the origins of pages that are admitted in addition to those of this machine. All
	// other requests are answered 403.
	Allowed loopback.Config
	// Connections stores the connections; nil stores them in memory.
	Connections session.Connections
	// Feed stores the jobs' states and the notes; nil stores them in memory.
	Feed feed.Store
	// Uploads stores the uploads of browsers; nil stores them in memory.
	Uploads upload.Store
	// StateDir is a folder in which the state outlives the process: workflows, activities and executions, the feed and the uploads, unless
	// Feed and Uploads are set, and the objects of S3. One twin at a time can use it. Connections, and the events of executions in the last
	// moment before the process is killed, end with the process. Empty means that all does.
	StateDir string
	// IndexLag is the delay after which queries for a user's connections and for ended sessions see a write, as with
	// DynamoDB's indexes. It applies to connections in memory only.
	IndexLag time.Duration
	// Faults are the faults of posts to connections at the start; see Twin.SetFaults.
	Faults Faults
	// Users are the ids of the users whose jobs the page shows; nil means dev and ada. Every page of the twin gets their tokens.
	Users []string
	// Functions replaces functions of Herald, for instance by programs in other processes. The key is the name of the
	// function's folder in lambdas/. The value is any handler that lambda.Start of aws-lambda-go accepts, or a
	// lambda.Handler; many goroutines call it concurrently. An unknown name is an error of Start.
	Functions map[string]any
	// StateMachines adds state machines. The key is the name; the name of one of Herald's own replaces that one. The value is
	// the definition in the Amazon States Language. Placeholders, such as ${NotifierFunctionArn}, are replaced as in Herald's own
	// definitions; one without a value is an error.
	StateMachines map[string]string
	// WorkflowFiles adds the state machines in files, by name. A file that changes is loaded again. If it is then wrong, the
	// definition before goes on.
	WorkflowFiles map[string]string
	// MockFile is a mock configuration file of Step Functions Local: executions that are started with stateMachineArn#TestCase get the
	// answers in it. It is loaded again when it changes. If it is then wrong, the test cases before go on. Empty means none.
	MockFile string
	// Substitutions are values of further placeholders, by name.
	Substitutions map[string]string
	// Processes adds users' own functions, by name.
	Processes map[string]Process
	// Output receives lines for the user: what the processes print, and what was loaded again. Nil discards them. It must be
	// safe for concurrent use.
	Output io.Writer
	// BytesPerSecond limits the rate at which uploads are read, so that a person can watch the progress; zero means no
	// limit.
	BytesPerSecond int
	// Watched are state machines whose executions are observed by their logs, as the stack does it. They need not exist yet.
	Watched []observe.Machine
	// Executions stores what is known about these executions; nil stores it in memory.
	Executions trace.Store
	// LogFaults says how late, in which order and how often log lines come.
	LogFaults LogFaults
	// StatusChanged, if not nil, is called when an execution has started and when it has ended.
	StatusChanged func(ctx context.Context, execution states.ExecutionDescription)
	// Log receives the logs; nil discards them.
	Log *slog.Logger
}

// Twin is a running twin. Close it after use.
type Twin struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	server   *http.Server
	serveErr chan error // receives the error with which the server ends

	gateway *gateway.Gateway
	lambda  *invoke.Lambda
	events  *eventBridge
	logs    *logDelivery
	states  *states.StepFunctions
	s3      *objects.S3
	page    *page
	secret  []byte

	state     *durable.Store // Nil without Config.StateDir.
	processes []*process.Function
	watchers  *background.Group
}

// Start starts a twin.
func Start(ctx context.Context, c Config) (*Twin, error) {
	if err := c.Faults.Validate(); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if err := c.Allowed.Validate(); err != nil {
		return nil, err
	}
	t := &Twin{config: c, log: c.Log, secret: newSecret(), serveErr: make(chan error, 1), watchers: background.NewGroup()}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if c.Connections == nil {
		t.config.Connections = &connection.Memory{IndexLag: c.IndexLag}
	}
	if err := t.openState(); err != nil {
		return nil, errors.Join(err, t.closeState())
	}
	if t.config.Feed == nil {
		t.config.Feed = &feed.Memory{}
	}
	if t.config.Uploads == nil {
		t.config.Uploads = &upload.Memory{}
	}
	if c.Executions == nil {
		t.config.Executions = &trace.Memory{}
	}
	if c.Users == nil {
		t.config.Users = defaultUsers
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", address, err), t.closeState())
	}
	t.listener = listener
	if err := t.wire(); err != nil {
		return nil, errors.Join(err, listener.Close(), t.closeOwn(ctx), t.closeStates(ctx), t.closeState())
	}
	t.server = &http.Server{
		Handler: loopback.Only(c.Allowed, idle.Bodies(bodyTimeout, http.HandlerFunc(t.serveEndpoint))), DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	go func() { t.serveErr <- t.server.Serve(listener) }()
	t.states.ReportInterrupted(ctx)
	return t, nil
}

// wire creates the gateway, Lambda, Step Functions, S3 and EventBridge. Functions call the others through the twin's endpoint, as
// they do on AWS.
func (t *Twin) wire() error {
	verifier, err := auth.New(auth.Config{Secret: t.secret})
	if err != nil {
		return fmt.Errorf("verifier: %w", err)
	}
	functions, err := t.functions(verifier)
	if err != nil {
		return err
	}
	own, err := t.startProcesses()
	if err != nil {
		return err
	}
	maps.Copy(functions, own)
	t.lambda = invoke.New(invoke.Config{Functions: functions, Log: t.log})
	routes := map[string]gateway.Function{}
	for _, f := range lambdas.Functions() {
		if f.Route != "" {
			routes[f.Route] = routeFunction{t.lambda, functionPrefix + f.Name}
		}
	}
	t.gateway = gateway.New(gateway.Config{
		Stage: Stage, Routes: routes, Mocks: map[string]func(time.Time) string{"ping": pong},
		Faults: t.config.Faults, Log: t.log,
	})
	machines, err := t.machines()
	if err != nil {
		return err
	}
	t.events = newEventBridge(t.lambda, t.log)
	t.logs = newLogDelivery(t.events, t.config.Watched, t.config.LogFaults)
	t.states, err = states.New(states.Config{
		Machines: machines, Lambda: t.lambda, StatusChanged: t.statusChanged, EventRecorded: t.logs.record, Objects: mapObjects{t.S3Client()},
		Store: t.state, Log: t.log,
	})
	if err != nil {
		return fmt.Errorf("step functions: %w", err)
	}
	if err := t.startWorkflows(); err != nil {
		return err
	}
	if err := t.startMocks(); err != nil {
		return err
	}
	t.s3, err = objects.New(objects.Config{
		Bucket: Bucket, Prefix: csvimport.UploadsPrefix, Created: t.startImport, SecretKeys: map[string]string{accessKey: secretKey},
		Dir: t.objectsDir(), Store: t.state, Log: t.log,
	})
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	if t.page, err = newPage(t); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	t.events.startSchedules()
	if len(t.config.Watched) > 0 {
		t.events.goUnlessClosed(func() { t.logs.run(t.events.ctx) })
	}
	return nil
}

// statusChanged passes an execution on to the rule for ended executions and to the callback of the configuration.
func (t *Twin) statusChanged(ctx context.Context, x states.ExecutionDescription) {
	if x.Status == states.StatusRunning {
		t.logs.started(statusChangeEvent(x), x.ExecutionArn)
	}
	t.events.statusChanged(x)
	if t.config.StatusChanged != nil {
		t.config.StatusChanged(ctx, x)
	}
}

// serveEndpoint serves all endpoints on one port. It recognizes Step Functions by a header, and the gateway, Lambda and the page
// by the path. Every other request is for S3. The gateway also gets requests
// for other stages and answers them 403.
func (t *Twin) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions."):
		t.states.ServeHTTP(w, r)
	case first == Stage, first == "@connections", strings.HasPrefix(rest, "@connections/"), strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		t.gateway.ServeHTTP(w, r)
	case invoke.Serves(r):
		t.lambda.ServeHTTP(w, r)
	default:
		if handler := t.page.route(r); handler != nil {
			t.page.serve(w, r, handler)
			return
		}
		// An uploaded document must not act as the page, whose origin it has.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		t.s3.ServeHTTP(w, r)
	}
}

// startImport starts an execution of csv_import with an event of the bucket, as the upload rule does in the stack.
func (t *Twin) startImport(ctx context.Context, event json.RawMessage) {
	_, err := t.states.StartExecution(ctx, states.StartExecutionInput{StateMachineArn: states.StateMachineARN(CSVImport), Input: string(event)})
	if err != nil {
		t.log.ErrorContext(ctx, "start import", "err", err)
	}
}

// Endpoint returns the URL under which AWS clients find Lambda, Step Functions and S3.
func (t *Twin) Endpoint() string { return "http://" + t.listener.Addr().String() }

// PageURL returns the URL of the page that shows the jobs of the twin's users.
func (t *Twin) PageURL() string { return t.Endpoint() + "/" }

// WebSocketURL returns the URL that browsers connect to.
func (t *Twin) WebSocketURL() string { return "ws://" + t.listener.Addr().String() + "/" + Stage }

// ManagementEndpoint returns the URL of the API that posts to connections.
func (t *Twin) ManagementEndpoint() string { return t.Endpoint() + "/" + Stage }

// AWSConfig returns the configuration of AWS clients that call the twin.
func (t *Twin) AWSConfig() aws.Config {
	return aws.Config{
		Region:       awswire.Region,
		BaseEndpoint: aws.String(t.Endpoint()),
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		// As in the deployed functions, and the SDK's default if it loads the configuration.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

// S3Client returns a client of the twin's S3. It does not sign bodies, as it does not over https either: a SHA-256 of each body would take
// longer than an import.
func (t *Twin) S3Client() *s3.Client {
	return s3.NewFromConfig(t.AWSConfig(), func(o *s3.Options) {
		o.UsePathStyle = true
		o.APIOptions = append(o.APIOptions, leaveBodiesUnsigned)
	})
}

// leaveBodiesUnsigned makes a client sign its requests without their bodies.
func leaveBodiesUnsigned(stack *middleware.Stack) error {
	unsigned := middleware.InitializeMiddlewareFunc("LeaveBodiesUnsigned", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD"), in)
	})
	return stack.Initialize.Add(unsigned, middleware.After) //nolint:wrapcheck // the SDK adds what it was doing
}

// Objects returns the store of the twin's bucket, which has the uploads and the results of imports.
func (t *Twin) Objects() csvimport.Store {
	return s3store.New(s3store.Config{Client: t.S3Client(), Bucket: Bucket})
}

// Wait waits until ctx ends, or until the twin stops serving; then it returns the reason as an error.
func (t *Twin) Wait(ctx context.Context) error {
	select {
	case err := <-t.serveErr:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// Close stops the executions, closes every connection, runs their $disconnect and removes all objects. It takes some
// seconds at most.
func (t *Twin) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	executionsErr := t.states.Close(ctx)
	drainCtx, cancelDrain := context.WithTimeout(ctx, drainTimeout)
	defer cancelDrain()
	t.events.close(drainCtx) // the sweeper stores the ends of the jobs whose executions were stopped
	browserCtx, cancelBrowsers := context.WithTimeout(ctx, browserTimeout)
	defer cancelBrowsers()
	connectionsErr := t.gateway.Close(browserCtx)
	if ctx.Err() == nil && errors.Is(connectionsErr, context.DeadlineExceeded) {
		connectionsErr = nil // it is not an error that a browser does not answer: its $disconnect has run
	}
	functionsErr := errors.Join(t.lambda.Close(ctx), t.closeOwn(ctx))
	shutdownCtx, cancelShutdown := context.WithTimeout(ctx, drainTimeout)
	defer cancelShutdown()
	serverErr := t.server.Shutdown(shutdownCtx)
	if serverErr != nil {
		serverErr = t.server.Close() // Shutdown would wait 5 s for a socket without a request
	}

	return errors.Join(executionsErr, connectionsErr, functionsErr, serverErr, t.s3.Close(), t.closeState())
}

// closeOwn ends the users' functions, and the reloading of their workflows.
func (t *Twin) closeOwn(ctx context.Context) error {
	return errors.Join(t.watchers.Close(ctx), t.closeProcesses(ctx))
}
