package local

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local/awswire"
	"github.com/herald-progress/herald/lib/local/invoke"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/observe"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/stepfn"
	"github.com/herald-progress/herald/lib/upload"
)

// pong returns the response to a ping that came at the given time, as the MOCK integration of the ping route does in the stack.
func pong(at time.Time) string {
	return `{"type":"pong","data":{},"timestamp":"` + message.Time{Time: at}.String() + `"}`
}

// functions returns the functions that the table in package lambdas lists, by their names in the twin. A function in
// Config.Functions replaces Herald's own.
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
	s3Client := t.S3Client()
	objects := s3store.New(s3store.Config{Client: s3Client, Bucket: Bucket})
	signer := &s3store.Uploads{Client: s3Client, Bucket: Bucket}
	uploads := &upload.Service{Store: t.config.Uploads, Objects: signer, Key: csvimport.UploadKey}
	csv := csvimport.Config{ // Without a limit of the rate, RangeBytes is 0, which means csvimport.DefaultRangeBytes.
		Store: limitReads(objects, t.config.BytesPerSecond), Publisher: notifier, Logger: t.log,
		RangeBytes: min(int64(t.config.BytesPerSecond)*secondsPerRange, csvimport.DefaultRangeBytes),
	}
	handlers := map[string]any{
		"connect":    (&session.Connect{Verifier: verifier, Store: connections, Log: t.log}).Handle,
		"disconnect": (&session.Disconnect{Store: connections, Log: t.log}).Handle,
		"default": (&session.Default{
			Gateway: sender, Connections: connections, Feed: feedStore, Broadcaster: broadcaster, Verifier: verifier,
			Uploads: uploads, Downloads: signer, Log: t.log,
		}).Handle,
		"notifier":  notifier.Handle,
		"csvplan":   csvimport.NewPlan(csv).Handle,
		"csvchunk":  csvimport.NewChunk(csv).Handle,
		"csvfinish": csvimport.NewFinish(csv).Handle,
		"reaper":    (&session.Reaper{Sessions: connections, Gateway: sender, Log: t.log}).Handle,
		"observer": (&observe.Observer{
			Machines: t.config.Watched, Store: t.config.Executions, Workflows: &stepfn.Definitions{Client: sfn.NewFromConfig(config)},
			Publisher: notifier, Log: t.log,
		}).Handle,
		"sweeper": (&notify.Sweeper{
			Notifier: notifier, Feed: feedStore, Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(config)}, Log: t.log,
		}).Handle,
	}
	for _, m := range t.config.Watched {
		if err := m.Validate(); err != nil {
			return nil, fmt.Errorf("local: Watched: %w", err)
		}
	}
	for name, handler := range t.config.Functions {
		if _, ok := handlers[name]; !ok {
			return nil, fmt.Errorf("local: Functions: there is no function %q", name)
		}
		handlers[name] = handler
	}
	functions := map[string]invoke.Function{}
	for _, f := range lambdas.Functions() {
		handler, ok := handlers[f.Name]
		if !ok {
			return nil, fmt.Errorf("local: no handler for the function %q", f.Name)
		}
		functions[functionPrefix+f.Name] = invoke.Function{Handler: handler, Timeout: f.Timeout}
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
