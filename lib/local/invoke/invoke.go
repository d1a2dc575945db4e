// Package invoke runs functions in this process and serves AWS Lambda's Invoke API.
package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/background"
)

// latestVersion is the only version of a function.
const latestVersion = "$LATEST"

// defaultTimeout is Lambda's default timeout.
const defaultTimeout = 3 * time.Second

// Lambda's quotas in bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	maxPayload      = 6 << 20
	maxEventPayload = 1 << 20
	// maxResult is the limit that Lambda names in its error for a larger result: 6,291,556 bytes.
	maxResult = maxPayload + 100
)

// Config configures a Lambda.
type Config struct {
	// Functions maps names, such as herald-notifier, to functions.
	Functions map[string]Function
	// Log receives a line for each failed invocation, without payloads and messages. Nil disables logging.
	Log *slog.Logger
}

// Function is a deployed function.
type Function struct {
	// Handler is any function that lambda.Start of aws-lambda-go accepts, a lambda.Handler, or a Runner. It is called concurrently.
	Handler any
	// Timeout is the time after which an invocation fails; zero means 3 s, Lambda's default.
	Timeout time.Duration
}

// Lambda runs functions in this process and reports their failures as AWS Lambda does. It is an http.Handler that serves the
// Invoke API. Its methods are safe for concurrent use.
type Lambda struct {
	functions  map[string]Function
	log        *slog.Logger
	background *background.Group
}

// Result is the result of an invocation.
type Result struct {
	// RequestID is the invocation's id, as in the function's lambdacontext.
	RequestID string
	// Payload is what the function returned, or Error as JSON text.
	Payload []byte
	// Error is the function error; nil if the function succeeded.
	Error *messages.InvokeResponse_Error
}

// New returns a Lambda with the given functions. Close it after use.
func New(cfg Config) *Lambda {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Lambda{functions: maps.Clone(cfg.Functions), log: cfg.Log, background: background.NewGroup()}
}

// FunctionARN returns the ARN of the function with the given name.
func FunctionARN(name string) string {
	return "arn:aws:lambda:" + awswire.Region + ":" + awswire.Account + ":function:" + name
}

// Invoke runs a function, given by name or by ARN, and returns its result. An empty payload means {}. The error is a
// smithy.APIError if the function does not exist or the payload is invalid. If ctx ends first, Invoke returns its cause; the
// function continues until its own deadline, as on AWS.
func (l *Lambda) Invoke(ctx context.Context, function string, payload []byte) (Result, error) {
	call, err := l.prepare(function, payload, maxPayload)
	if err != nil {
		return Result{}, err
	}

	results := make(chan Result, 1)
	if !l.background.Go(func(ctx context.Context) { l.run(ctx, call, results) }) {
		return Result{}, awswire.ErrClosing
	}

	select {
	case result := <-results:
		return result, nil
	case <-ctx.Done():
		return Result{}, fmt.Errorf("invoke %s: %w", call.name, context.Cause(ctx))
	}
}

// InvokeEvent starts a function and returns the request id without waiting, as the invocation type Event does. A failure is
// logged. Unlike Lambda, it does not retry. The error is a smithy.APIError.
func (l *Lambda) InvokeEvent(function string, payload []byte) (string, error) {
	call, err := l.prepare(function, payload, maxEventPayload)
	if err != nil {
		return "", err
	}
	// Nobody reads the result. The channel has room for it, so run does not block.
	if !l.background.Go(func(ctx context.Context) { l.run(ctx, call, make(chan Result, 1)) }) {
		return "", awswire.ErrClosing
	}
	return call.requestID, nil
}

// Close cancels the contexts of all running functions and waits until they have returned, or until ctx ends.
func (l *Lambda) Close(ctx context.Context) error {
	if err := l.background.Close(ctx); err != nil {
		return fmt.Errorf("close lambda: %w", err)
	}
	return nil
}

// An invocation is a call of a function that was accepted.
type invocation struct {
	Function

	name      string
	requestID string
	payload   []byte
}

// prepare finds the function and checks the payload, which may have at most limit bytes.
func (l *Lambda) prepare(function string, payload []byte, limit int) (invocation, error) {
	name, qualifier := splitFunction(function)
	fn, ok := l.functions[name]
	if !ok || qualifier != "" && qualifier != latestVersion {
		arn := FunctionARN(name)
		if qualifier != "" {
			arn += ":" + qualifier
		}
		return invocation{}, awswire.NewError("ResourceNotFoundException", "Function not found: "+arn)
	}

	if len(payload) > limit {
		return invocation{}, awswire.NewError("RequestEntityTooLargeException",
			fmt.Sprintf("%d byte payload is too large for the invocation type (limit %d bytes)", len(payload), limit))
	}

	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		return invocation{}, awswire.NewError("InvalidRequestContentException", "Could not parse request body into json")
	}
	if fn.Timeout == 0 {
		fn.Timeout = defaultTimeout
	}
	return invocation{Function: fn, name: name, requestID: awswire.NewUUID(), payload: payload}, nil
}

// Qualify returns function, a name or an ARN, with the qualifier $LATEST unless it has a qualifier.
func Qualify(function string) string {
	if _, qualifier := splitFunction(function); qualifier == "" {
		return function + ":" + latestVersion
	}
	return function
}

// splitFunction splits a name, a partial ARN or an ARN into the function's name and its qualifier, which is "" if there is none.
func splitFunction(function string) (name, qualifier string) {
	if _, after, found := strings.Cut(function, ":function:"); found {
		function = after
	}
	name, qualifier, _ = strings.Cut(function, ":")
	return name, qualifier
}

// run calls the function and sends exactly one result, at the latest at the function's deadline.
func (l *Lambda) run(ctx context.Context, call invocation, results chan<- Result) {
	if runner, ok := call.Handler.(Runner); ok {
		l.runOutside(ctx, call, runner, results)
		return
	}

	callCtx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	stopTimeout := context.AfterFunc(callCtx, func() {
		if errors.Is(callCtx.Err(), context.DeadlineExceeded) {
			l.finish(ctx, call, nil, timeoutError(call), results)
		}
	})

	payload, failure := callHandler(lambdacontext.NewContext(callCtx, &lambdacontext.LambdaContext{
		AwsRequestID:       call.requestID,
		InvokedFunctionArn: FunctionARN(call.name),
	}), call)

	// After the deadline the timeout is the result, because AWS would have ended the function's process. stopTimeout also returns
	// false if ctx was cancelled. Then the function above has sent no result.
	timedOut := !stopTimeout() && errors.Is(callCtx.Err(), context.DeadlineExceeded)
	if !timedOut {
		l.finish(ctx, call, payload, failure, results)
	}
}

// finish logs a failure and sends the result.
func (l *Lambda) finish(
	ctx context.Context, call invocation, payload []byte, failure *messages.InvokeResponse_Error, results chan<- Result,
) {
	if failure == nil && len(payload) > maxResult {
		failure = tooLarge(int64(len(payload)))
	}

	if failure != nil {
		l.logFailure(ctx, call, failure.Type)
		payload = failureJSON(failure)
	}
	results <- Result{RequestID: call.requestID, Payload: payload, Error: failure}
}

// logFailure logs that a function failed, without its message.
func (l *Lambda) logFailure(ctx context.Context, call invocation, errorType string) {
	l.log.WarnContext(ctx, "function failed", "function", call.name, "request", call.requestID, "errorType", errorType)
}
