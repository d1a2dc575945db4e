// Command local runs Herald's local twin: the whole pipeline in one process on this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/loopback"
)

const usage = `Herald's local twin: the workflows, handlers and wire formats of a deployment in one process on 127.0.0.1.

  go run ./cdkapp/local [flags]             serve until Ctrl-C
  go run ./cdkapp/local [flags] FILE.csv    import FILE.csv, show its progress, the summary and the first rejected rows
  go run ./cdkapp/local watch [flags]       show a user's jobs as bars, live; watch -help says more

Examples
  go run ./cdkapp/local testdata/parts-list.csv
  go run ./cdkapp/local -results out testdata/parts-list.csv   all results in the folder out; mend out/rejected.csv and import it
  go run ./cdkapp/local -rate 100 testdata/parts-list.csv      in slow motion, 100 KB of the file a second
  go run ./cdkapp/local -json testdata/parts-list.csv          the frames as the browser gets them
  go run ./cdkapp/local -faults throttled=0.3,latency=50ms testdata/parts-list.csv
  go run ./cdkapp/local -port 9000
  go run ./cdkapp/local -dynamodb http://127.0.0.1:8000        connections and the feed in any DynamoDB endpoint
  go run ./cdkapp/local -workflow thumbs=thumbs.asl.json -function make-thumbs='python3 app.py'   your own workflow
  go run ./cdkapp/local -workflow thumbs=thumbs.asl.json -watch thumbs   a workflow that does not call the notifier
  go run ./cdkapp/local -state ~/herald     the next twin has the workflows, executions, jobs and objects of this one
  go run ./cdkapp/local -workflow thumbs=thumbs.asl.json -mocks mocks.json   its tasks answered from a file of Step Functions Local

A client that connects again asks by a sync for what it has missed. Do the same by hand:
  npx wscat@6.1.0 --connect ws://127.0.0.1:4510/prod --subprotocol herald --subprotocol TOKEN --execute '{"action":"sync"}' --wait 60

Flags
`

// Exit codes.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

const (
	defaultPort = 4510
	table       = "websocket_connections"
	feedTable   = "websocket_feed"
	kilobyte    = 1000
	maxRate     = 1_000_000 // in KB a second, which is more than a test needs
)

// options are the parsed command line.
type options struct {
	port     int
	json     bool
	rate     int
	faults   faultFlag
	allowed  loopback.Config
	dynamodb string
	user     string
	verbose  bool
	file     string
	results  string
	state    string
	own      ownFlags
}

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores SIGHUP
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // a closed stdout then fails the write, and the twin still removes its files
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "watch" {
		return runWatch(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "local: %s\nlocal: -help shows how it is used\n", format.SafeText(err.Error()))
		return exitUsage
	case o.file != "":
		err = importFile(ctx, o, stdout, stderr)
	default:
		err = serve(ctx, o, stdout, stderr)
	}
	if ctx.Err() != nil && o.file != "" {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintf(stderr, "local: %s\n", format.SafeText(err.Error()))
		return exitFailed
	}

	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.IntVar(&o.port, "port", 0, fmt.Sprintf("listen on this TCP `port` of 127.0.0.1 (default %d, or any free port with FILE.csv)", defaultPort))
	f.BoolVar(&o.json, "json", false, "print JSON lines for programs")
	f.IntVar(&o.rate, "rate", 0, "slow motion: read FILE.csv at `n` KB a second")
	f.Func("results", "keep the results of FILE.csv in this `folder`, which must be new or empty: summary.json, the rows, rejected.csv", func(folder string) error {
		if o.results = folder; folder == "" {
			return errors.New("the name of the folder is empty")
		}
		return nil
	})
	f.Var(&o.faults, "faults", "simulate faults: a `list` such as gone=0.01,throttled=0.1,latency=50ms,lag=1s,seed=1\n"+
		"gone: the share of posts that are answered 410, as for a closed connection\n"+
		"throttled: the share of posts that are answered 429\n"+
		"latency: how long each post takes\n"+
		"lag: how late the list of a user's connections shows a change, as an index of DynamoDB does\n"+
		"logs: up to how late the log lines of -watch come; they then come in another order, and some twice\n"+
		"seed: a number that decides which posts fail")
	f.Func("allow-host", "also answer requests to this host `name`, such as host.docker.internal; may be given again\n"+
		"(127.0.0.1, [::1] and localhost are always answered)", func(name string) error {
		o.allowed.Hosts = append(o.allowed.Hosts, name)
		return o.allowed.Validate()
	})
	f.Func("allow-origin", "also answer pages of this `origin`, such as https://app.example.com; may be given again\n"+
		"(pages of this machine, such as http://localhost:3000, are always answered)", func(origin string) error {
		o.allowed.Origins = append(o.allowed.Origins, origin)
		return o.allowed.Validate()
	})
	f.StringVar(&o.dynamodb, "dynamodb", "", "store connections and the feed in the DynamoDB at this `URL`, and create the tables there")
	f.Func("state", "keep workflows, executions, jobs and objects in this `folder`, so that the next twin has them; one twin at a time", func(folder string) error {
		if o.state = folder; folder == "" {
			return errors.New("the name of the folder is empty")
		}
		return nil
	})
	f.StringVar(&o.user, "user", "dev", "the `id` of the user of the token that is printed at the start")
	o.own.add(f)
	f.BoolVar(&o.verbose, "v", false, "log what the functions do")
	if err := parseFlags(f, args, usage, stderr); err != nil {
		return o, err
	}
	o.file = f.Arg(0)
	if o.file == "" && o.port == 0 {
		o.port = defaultPort
	}
	return o, o.check(f.Args())
}

// check returns an error if the arguments or the flags have wrong values, or do not fit together.
func (o options) check(args []string) error {
	switch {
	case len(args) > 1 && strings.HasPrefix(args[1], "-"):
		return fmt.Errorf("flags go before the file: %s", args[1])
	case len(args) > 1:
		return fmt.Errorf("one file at a time, not %d", len(args))
	case len(args) == 1 && o.file == "":
		return errors.New("the name of the file is empty")
	case o.file == "" && o.results != "":
		return errors.New("-results is for an import, with FILE.csv")
	case o.port < 0 || o.port > 65535:
		return errors.New("-port must be from 0 to 65535")
	case o.rate < 0 || o.rate > maxRate:
		return fmt.Errorf("-rate must be from 0 to %d", maxRate)
	case o.faults.lag > 0 && o.dynamodb != "":
		return errors.New("-faults: lag is for connections in memory, without -dynamodb")
	}
	if err := o.own.check(); err != nil {
		return err
	}
	return checkUser(o.user)
}

// start starts a twin with the options.
func start(ctx context.Context, o options, c local.Config, stderr io.Writer) (*local.Twin, error) {
	level := slog.LevelError
	if o.verbose {
		level = slog.LevelInfo
	}
	c.Port, c.BytesPerSecond = o.port, o.rate*kilobyte
	c.Allowed, c.StateDir = o.allowed, o.state
	c.Faults, c.IndexLag, c.LogFaults.Delay = o.faults.Faults, o.faults.lag, o.faults.logs
	stderr = &lockedWriter{out: stderr} // Logs, and what the user's functions print, come at the same time.
	o.own.apply(&c, stderr)
	c.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if o.dynamodb != "" {
		client := dynamodb.New(dynamodb.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(o.dynamodb), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		})
		if err := dynamo.CreateConnections(ctx, client, table); err != nil {
			return nil, fmt.Errorf("-dynamodb: %w", err)
		}
		if err := dynamo.CreateFeed(ctx, client, feedTable); err != nil {
			return nil, fmt.Errorf("-dynamodb: %w", err)
		}
		c.Connections = &dynamo.Connections{Client: client, Table: table}
		c.Feed = &dynamo.Feed{Client: client, Table: feedTable, Log: c.Log}
		c.Executions = &dynamo.Executions{Client: client, Table: feedTable}
		c.Uploads = &dynamo.Uploads{Client: client, Table: feedTable} // uploads are items of the feed table
	}
	twin, err := local.Start(ctx, c)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken: choose another with -port", o.port)
	}

	return twin, err
}
