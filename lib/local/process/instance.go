package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
)

const (
	// initTimeout bounds a function's init. Lambda's limit is 10 s, but a command such as go run compiles first.
	initTimeout = 3 * time.Minute
	// stopTimeout is the time that a process has to end after SIGTERM.
	stopTimeout = 500 * time.Millisecond
	// headerTimeout bounds the reading of a request's headers.
	headerTimeout = 10 * time.Second
)

// errNotTaken is the error of an invocation for which an idle process did not ask any more.
var errNotTaken = errors.New("process: the process ended before it took the invocation")

// An instance is one process of a function. It runs one invocation at a time.
type instance struct {
	name       string
	generation int // Function.mu guards it.
	command    *exec.Cmd
	server     *http.Server
	api        *runtimeAPI
	exited     chan struct{} // Closed when the process has ended.
	exit       string        // Why it has ended, as Lambda words it. Set before exited is closed.
}

// startInstance starts a process and waits until its init is done.
func startInstance(ctx context.Context, cfg Config, lines *lineWriter, requestID string) (*instance, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the function %s: %w", cfg.Name, err)
	}
	p := &instance{name: cfg.Name, api: newRuntimeAPI(), exited: make(chan struct{})}
	p.server = &http.Server{
		Handler: p.api.handler(listener.Addr().String()), ReadHeaderTimeout: headerTimeout, DisableGeneralOptionsHandler: true,
	}
	go func() { _ = p.server.Serve(listener) }() // It ends when stop closes the server.

	p.command = exec.Command("/bin/sh", "-c", cfg.Command) //nolint:gosec,noctx // The user's own command. stop ends it with its children.
	p.command.Env = environment(cfg, listener.Addr().String())
	output := lines.perProcess()
	p.command.Stdout, p.command.Stderr = output, output
	p.command.WaitDelay = stopTimeout // Children of the process may still have its output open.
	setGroup(p.command)
	if err := p.command.Start(); err != nil {
		_ = p.server.Close()
		return nil, fmt.Errorf("start the function %s: %w", cfg.Name, err)
	}
	go func() {
		p.exit = exitText(p.command.Wait())
		output.flush()
		close(p.exited)
	}()

	if err := p.waitForInit(ctx, requestID); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// waitForInit waits until the process asks for its first invocation.
func (p *instance) waitForInit(ctx context.Context, requestID string) error {
	ctx, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	select {
	case <-p.api.ready:
		return nil
	case failure := <-p.api.initFailed:
		return failure
	case <-p.exited:
		select {
		case failure := <-p.api.initFailed: // It was reported before the process ended.
			return failure
		default:
			return p.exitError(requestID)
		}
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return invoke.NewFunctionError("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Init timed out after %.2f seconds",
				requestID, initTimeout.Seconds()))
		}
		return fmt.Errorf("init of the function %s: %w", p.name, context.Cause(ctx))
	}
}

// invoke runs an invocation. If it fails in a way after which the process is of no use, the process is stopped.
func (p *instance) invoke(ctx context.Context, call invoke.Call) ([]byte, error) {
	work := p.api.prepare(call)
	defer p.api.finish()
	select {
	case p.api.work <- work:
	case <-p.exited:
		return nil, errNotTaken
	case <-ctx.Done():
		return nil, fmt.Errorf("invoke %s: %w", p.name, context.Cause(ctx))
	}

	timeout := time.NewTimer(call.Timeout)
	defer timeout.Stop()
	select {
	case result := <-work.result:
		return result.payload, result.err
	case <-p.exited:
		select {
		case result := <-work.result: // It was sent before the process ended.
			return result.payload, result.err
		default:
			return nil, p.exitError(call.RequestID)
		}
	case <-timeout.C:
		p.stop()
		return nil, invoke.NewTimeout(call.RequestID, call.Timeout)
	case <-ctx.Done():
		p.stop()
		return nil, fmt.Errorf("invoke %s: %w", p.name, context.Cause(ctx))
	}
}

// exitError is the error of an invocation whose process has ended.
func (p *instance) exitError(requestID string) error {
	return invoke.NewFunctionError("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", requestID, p.exit))
}

// exitText returns why a process has ended, as Lambda words it.
func exitText(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "Runtime exited with error: " + exit.Error()
	}
	return "Runtime exited without providing a reason"
}

// ended reports whether the process has ended.
func (p *instance) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop ends the process and those that it has started, and waits until the process has ended. It may be called more than once.
func (p *instance) stop() {
	terminateGroup(p.command)
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-p.exited:
	case <-timeout.C:
	}
	killGroup(p.command) // Also the processes that the process has left behind.
	<-p.exited
	_ = p.server.Close()
}

// environment returns the variables of Lambda's environment, https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html,
// and those of this process that are not AWS's own: a function must not find the user's credentials.
func environment(cfg Config, runtimeAPI string) []string {
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "_HANDLER=") {
			env = append(env, variable)
		}
	}
	folder, err := os.Getwd()
	if err != nil {
		folder = "."
	}
	return append(append(env,
		"AWS_LAMBDA_RUNTIME_API="+runtimeAPI, "AWS_LAMBDA_FUNCTION_NAME="+cfg.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1769", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME="+time.Now().UTC().Format("2006/01/02")+"/[$LATEST]"+randomHex(16),
		"AWS_REGION="+awswire.Region, "AWS_DEFAULT_REGION="+awswire.Region, "_HANDLER="+cfg.Name,
		"LAMBDA_TASK_ROOT="+folder, "LAMBDA_RUNTIME_DIR="+folder, "TZ=:UTC", "PYTHONUNBUFFERED=1",
	), cfg.Env...)
}

// randomHex returns n random bytes in hexadecimal digits.
func randomHex(n int) string {
	random := make([]byte, n)
	_, _ = rand.Read(random) // Never fails.
	return hex.EncodeToString(random)
}
