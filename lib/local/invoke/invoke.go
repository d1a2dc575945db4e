// Package invoke runs functions in this process behind AWS Lambda's Invoke API.
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
)

// latest is the only version that functions have here.
const latest = "$LATEST"

// defaultTimeout is Lambda's own default.
const defaultTimeout = 3 * time.Second

// Lambda's quotas in bytes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. An answer may be a
// little longer than a request.
const (
	maxPayload      = 6 << 20
	maxEventPayload = 1 << 20
	maxAnswer       = maxPayload + 100
)

// Config says which functions a Lambda has.
type Config struct {
	// Functions holds the functions by name, such as herald-notifier.
	Functions map[string]Function
	// Log takes a line for each failed invocation, without payloads and messages. Nil is silent.
	Log *slog.Logger
}

// Function is one deployed function.
type Function struct {
	// Handler is any function that lambda.Start of aws-lambda-go takes, or a lambda.Handler. It is called for each
	// invocation, from many goroutines at once.
	Handler any
	// Timeout is when an invocation is given up; zero means 3 s, which is Lambda's default.
	Timeout time.Duration
}

// Lambda runs functions in this process and reports their failures as AWS Lambda does. It is an http.Handler that
// answers the Invoke API. All methods may be called from many goroutines at once.
type Lambda struct {
	functions map[string]Function
	log       *slog.Logger
	work      *awswire.Work
}

// Invocation is how an invocation ended.
type Invocation struct {
	// RequestID is the invocation's id, which the function finds in its lambdacontext.
	RequestID string
	// Payload is the function's answer, or Error as JSON text.
	Payload []byte
	// Error is the function error; nil when the function succeeded.
	Error *messages.InvokeResponse_Error
}

// New returns a Lambda with the given functions. Close it after use.
func New(cfg Config) *Lambda {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Lambda{functions: maps.Clone(cfg.Functions), log: cfg.Log, work: awswire.NewWork()}
}

// FunctionARN returns the ARN of the function with the given name.
func FunctionARN(name string) string {
	return "arn:aws:lambda:" + awswire.Region + ":" + awswire.Account + ":function:" + name
}

// Invoke runs a function, given by name or by ARN, and returns how it ended. An empty payload is {}. The error is a
// smithy.APIError when the function does not exist or the payload is refused. When ctx ends first, Invoke returns its
// error and the function runs on until its own deadline, as on AWS.
func (l *Lambda) Invoke(ctx context.Context, function string, payload []byte) (Invocation, error) {
	call, err := l.prepare(function, payload, maxPayload)
	if err != nil {
		return Invocation{}, err
	}

	ended := make(chan Invocation, 1)
	if !l.work.Start(func(base context.Context) { l.run(base, call, ended) }) {
		return Invocation{}, awswire.ErrClosing
	}

	select {
	case result := <-ended:
		return result, nil
	case <-ctx.Done():
		return Invocation{}, fmt.Errorf("invoke %s: %w", call.name, context.Cause(ctx))
	}
}

// InvokeEvent starts a function and returns at once, as the invocation type Event does. A failure is logged and not
// retried: Lambda would try twice more. The error is a smithy.APIError.
func (l *Lambda) InvokeEvent(function string, payload []byte) (string, error) {
	call, err := l.prepare(function, payload, maxEventPayload)
	if err != nil {
		return "", err
	}
	if !l.work.Start(func(base context.Context) { l.run(base, call, make(chan Invocation, 1)) }) {
		return "", awswire.ErrClosing
	}
	return call.requestID, nil
}

// Close cancels the context of every running function and waits until they have returned, or until ctx ends.
func (l *Lambda) Close(ctx context.Context) error {
	if err := l.work.Close(ctx); err != nil {
		return fmt.Errorf("close lambda: %w", err)
	}
	return nil
}

// invocation is an invocation that was accepted.
type invocation struct {
	Function

	name      string
	requestID string
	payload   []byte
}

// prepare finds the function and checks the payload.
func (l *Lambda) prepare(function string, payload []byte, limit int) (invocation, error) {
	name, qualifier := split(function)
	fn, ok := l.functions[name]
	if !ok || qualifier != "" && qualifier != latest {
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

// Qualified returns function, a name or an ARN, with the qualifier $LATEST if it has none.
func Qualified(function string) string {
	if _, qualifier := split(function); qualifier == "" {
		return function + ":" + latest
	}
	return function
}

// split takes a name, a partial ARN or an ARN apart, each with or without a qualifier.
func split(function string) (string, string) {
	if _, after, found := strings.Cut(function, ":function:"); found {
		function = after
	}
	name, qualifier, _ := strings.Cut(function, ":")
	return name, qualifier
}

// run calls the function and sends how it ended, at the latest at its deadline.
func (l *Lambda) run(base context.Context, call invocation, ended chan<- Invocation) {
	ctx, cancel := context.WithTimeout(base, call.Timeout)
	defer cancel()

	expired := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			l.end(base, call, nil, timeoutError(call), ended)
		}
	})

	answer, failure := callHandler(lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID:       call.requestID,
		InvokedFunctionArn: FunctionARN(call.name),
	}), call)

	// A function that returns after its deadline has been killed before, on AWS.
	if expired() || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		l.end(base, call, answer, failure, ended)
	}
}

// end logs a failure and sends the result.
func (l *Lambda) end(
	ctx context.Context, call invocation, answer []byte, failure *messages.InvokeResponse_Error, ended chan<- Invocation,
) {
	if failure == nil && len(answer) > maxAnswer {
		failure = &messages.InvokeResponse_Error{
			Type: "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).",
				len(answer), maxAnswer),
		}
	}

	if failure != nil {
		l.log.WarnContext(ctx, "function failed", "function", call.name, "request", call.requestID,
			"errorType", failure.Type)
		answer = failureJSON(failure)
	}

	ended <- Invocation{RequestID: call.requestID, Payload: answer, Error: failure}
}
