package local

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/stepfn"
)

// Timeouts of the functions, as the stack sets them.
const (
	messageTimeout = 30 * time.Second
	streamTimeout  = 15 * time.Minute
	reaperTimeout  = reaperInterval
	sweeperTimeout = sweeperInterval
)

// pong returns the response to a ping, as the MOCK integration of the ping route does in the stack.
func pong(at time.Time) string {
	return `{"type":"pong","data":{},"timestamp":"` + message.Time{Time: at}.String() + `"}`
}

// functions returns the deployed functions by name: herald- followed by the name of the folder in lambdas/.
func (t *Twin) functions(verifier *auth.Verifier) (map[string]invoke.Function, error) {
	config, connections, feedStore := t.AWSConfig(), t.config.Connections, t.config.Feed
	sender, err := apigw.New(config, t.ManagementEndpoint())
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	broadcaster := &broadcast.Broadcaster{Store: connections, Sender: sender, Log: t.log}
	notifier := &notify.Notifier{
		Broadcaster: broadcaster, Feed: feedStore, Log: t.log, Account: awswire.Account, Region: awswire.Region,
	}
	objects := s3store.New(s3store.Config{
		Client: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), Bucket: Bucket,
	})
	csv := csvimport.Config{
		Store: limitReads(objects, t.config.BytesPerSecond), Publisher: notifier, Logger: t.log,
		RangeBytes: min(int64(t.config.BytesPerSecond)*secondsPerRange, csvimport.DefaultRangeBytes),
	}
	functions := map[string]invoke.Function{}
	add := func(name string, timeout time.Duration, handler any) {
		functions[functionPrefix+name] = invoke.Function{Handler: handler, Timeout: timeout}
	}
	add("connect", messageTimeout, (&session.Connect{Verifier: verifier, Store: connections, Log: t.log}).Handle)
	add("disconnect", messageTimeout, (&session.Disconnect{Store: connections, Log: t.log}).Handle)
	add("default", messageTimeout, (&session.Default{
		Gateway: sender, Connections: connections, Feed: feedStore, Broadcaster: broadcaster, Verifier: verifier, Log: t.log,
	}).Handle)
	add("notifier", messageTimeout, notifier.Handle)
	add("csvplan", streamTimeout, csvimport.NewPlan(csv).Handle)
	add("csvchunk", streamTimeout, csvimport.NewChunk(csv).Handle)
	add("csvfinish", streamTimeout, csvimport.NewFinish(csv).Handle)
	add("reaper", reaperTimeout, (&session.Reaper{Sessions: connections, Gateway: sender, Log: t.log}).Handle)
	add("sweeper", sweeperTimeout, (&notify.Sweeper{
		Notifier: notifier, Feed: feedStore, Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(config)}, Log: t.log,
	}).Handle)
	return t.replaceFunctions(functions)
}

// replaceFunctions replaces the handlers of those functions that the configuration names.
func (t *Twin) replaceFunctions(functions map[string]invoke.Function) (map[string]invoke.Function, error) {
	for name, handler := range t.config.Functions {
		f, ok := functions[functionPrefix+name]
		if !ok {
			return nil, fmt.Errorf("local: Functions: there is no function %q", name)
		}
		f.Handler = handler
		functions[functionPrefix+name] = f
	}
	return functions, nil
}

// routeFunction invokes the function of a route as API Gateway does: through Lambda, with the function's timeout.
type routeFunction struct {
	lambda *invoke.Lambda
	name   string
}

// Invoke returns the function's output. Its error contains only the type of the function's error.
func (r routeFunction) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	result, err := r.lambda.Invoke(ctx, r.name, payload)
	if err != nil {
		return nil, err
	}
	if result.Error != nil {
		return nil, fmt.Errorf("function failed: %s", result.Error.Type)
	}
	return result.Payload, nil
}
