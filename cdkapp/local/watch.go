package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/cdkapp/local/watch"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/loopback"
)

const watchUsage = `Shows a user's jobs as bars in a terminal, live. It connects again by itself, and misses nothing.

  go run ./cdkapp/local watch                    the jobs of the twin that runs on this machine
  go run ./cdkapp/local watch -url wss://…       the jobs of a deployment; needs a token

A deployment's token comes from one of these, and is sent to -url only. It is never printed, and goes into no URL:
  HERALD_TOKEN=…                                 this variable
  -token-file FILE                               a file, read again for each connection
  -token-command 'aws … --output text'           a command for sh that prints it, run again for each connection

Keys: q quits, s shows the steps of running jobs or hides them, arrows or j and k scroll, Page Up and Page Down, Home and End. Without
a terminal, or with -plain or TERM=dumb, it prints a line for each phase, status and end of a job. NO_COLOR turns colours off.

Exit codes
  0    you pressed q
  1    no other attempt would help: the token was refused or has expired and no other can come, the server closed the
       session for good, or the output cannot be written to
  2    wrong usage
  130  Ctrl-C or a signal

Flags
`

// tokenVariable is the environment variable that may contain the token for a deployment.
const tokenVariable = "HERALD_TOKEN"

// watchOptions are the parsed command line of watch.
type watchOptions struct {
	url, tokenFile, tokenCommand, user string
	port                               int
	plain, ascii                       bool
}

// runWatch runs the command watch and returns its exit code.
func runWatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseWatch(args, stderr)
	var config watch.Config
	if err == nil {
		config, err = o.config(os.Getenv(tokenVariable), stdout, stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "local: %s\nlocal: watch -help shows how it is used\n", format.SafeText(err.Error()))
		return exitUsage
	}
	err = watch.Run(ctx, config)
	switch {
	case errors.Is(err, watch.ErrInterrupted):
		return exitInterrupted
	case err != nil:
		fmt.Fprintf(stderr, "local: %s\n", format.SafeText(err.Error()))
		return exitFailed
	}

	return 0
}

// parseWatch parses and checks the command line of watch. For -help it prints the usage and returns flag.ErrHelp.
func parseWatch(args []string, stderr io.Writer) (watchOptions, error) {
	var o watchOptions
	f := flag.NewFlagSet("watch", flag.ContinueOnError)
	f.StringVar(&o.url, "url", "", "the WebSocket `URL` of a deployment: its output WebSocketUrl")
	f.StringVar(&o.tokenFile, "token-file", "", "read the deployment's token from this `file`")
	f.StringVar(&o.tokenCommand, "token-command", "", "run this `command` with sh for the deployment's token")
	f.IntVar(&o.port, "port", defaultPort, "the TCP `port` of the twin on this machine")
	f.StringVar(&o.user, "user", "dev", "the `id` of the twin's user")
	f.BoolVar(&o.plain, "plain", false, "print lines, also on a terminal")
	f.BoolVar(&o.ascii, "ascii", false, "use ASCII only (the default if LC_ALL, LC_CTYPE or LANG do not name UTF-8)")
	if err := parseFlags(f, args, watchUsage, stderr); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(set *flag.Flag) { given[set.Name] = true })
	if f.NArg() > 0 {
		return o, fmt.Errorf("watch takes flags only, not %q", f.Arg(0))
	}

	return o, o.check(given)
}

// check returns an error if flags do not fit together or have wrong values. given has the names of the flags on the command line.
func (o watchOptions) check(given map[string]bool) error {
	switch {
	case given["url"] && (given["port"] || given["user"]):
		return errors.New("-port and -user are for the twin, without -url")
	case !given["url"] && (given["token-file"] || given["token-command"]):
		return errors.New("-token-file and -token-command are for a deployment, with -url")
	case given["token-file"] && given["token-command"]:
		return errors.New("-token-file and -token-command: give one of them")
	case o.port < 1 || o.port > 65535:
		return errors.New("-port must be from 1 to 65535")
	case given["url"]:
		return checkWatchURL(o.url)
	default:
		return checkUser(o.user)
	}
}

// checkWatchURL checks that a token can be sent to the URL. The errors do not contain the URL, which may contain a token.
func checkWatchURL(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil, u.Scheme != "wss" && u.Scheme != "ws", u.Host == "":
		return errors.New("-url must be like wss://abc123.execute-api.us-east-1.amazonaws.com/prod")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("-url must have no user, query or fragment: a token in a URL can be read in lists of processes and in logs")
	case u.Scheme == "ws" && !loopback.IsLocal(u.Host):
		return errors.New("-url must begin with wss:// unless the host is this machine: without TLS, others could read the token")
	}
	return nil
}

// config returns the configuration of package watch. token is the value of tokenVariable.
func (o watchOptions) config(token string, stdout, stderr io.Writer) (watch.Config, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port))
	c := watch.Config{URL: o.url, Output: stdout, Errors: stderr, Environment: os.Environ()}
	switch {
	case o.url == "":
		c.URL = "ws://" + address + "/" + local.Stage
		c.Tokens = watch.TokenTwin("http://"+address+local.TokenPath, o.user)
	case o.tokenFile != "":
		c.Tokens = watch.TokenFile(o.tokenFile)
	case o.tokenCommand != "":
		c.Tokens = watch.TokenCommand(o.tokenCommand)
	case token != "":
		c.Tokens = watch.TokenText(tokenVariable, token)
	default:
		return c, fmt.Errorf("-url needs a token, by %s, -token-file or -token-command", tokenVariable)
	}
	out, isFile := stdout.(*os.File)
	terminal := isFile && watch.IsTerminal(out)
	if terminal && watch.IsTerminal(os.Stdin) && !o.plain && os.Getenv("TERM") != "dumb" {
		c.Input = os.Stdin // With an Input, package watch draws bars. Without it, package watch prints lines.
	}
	c.ASCII = o.ascii || terminal && !utf8Locale(os.Getenv)

	return c, nil
}

// utf8Locale reports whether the environment names a locale with UTF-8. The first variable that is set decides.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}
