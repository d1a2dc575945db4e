// Package browser wires the functions that serve browsers: $connect, $disconnect, $default, and the reaper, which closes sessions.
package browser

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/upload"
)

// limits reads the limits of one user, and records their variables as invalid if the limits are not valid.
func limits(e *cloud.Environment) session.Limits {
	l := session.Limits{MaxConnections: e.PositiveInt(lambdas.EnvMaxConnections), MaxPosts: e.PositiveInt(lambdas.EnvMaxPosts)}
	if err := l.Validate(); err != nil && !e.HasInvalid() {
		e.Invalid(fmt.Sprintf("%s, %s: %v", lambdas.EnvMaxConnections, lambdas.EnvMaxPosts, err))
	}
	return l
}

// RouteFunction is a route of the WebSocket API, as a Lambda function.
type RouteFunction = cloud.Measured[session.Request, session.Response]

// Connect returns the handler of $connect.
func Connect(ctx context.Context, getenv func(string) string) (*RouteFunction, error) {
	e := cloud.NewEnvironment("connect", getenv)
	userLimits, origins := limits(e), e.List(lambdas.EnvAllowedOrigins)
	tokens, err := readTokenSettings(e)
	if err != nil {
		return nil, err
	}
	clients, err := cloud.NewClients(e)
	if err != nil {
		return nil, err
	}
	verifier, err := tokens.verifier(ctx, clients)
	if err != nil {
		return nil, err
	}

	h := &session.Connect{
		Verifier: verifier, Store: clients.Connections(e.Get(lambdas.EnvConnectionsTable)), Limits: userLimits, Origins: origins,
		Log: clients.Log, Metrics: clients.Metrics,
	}

	return cloud.Measure(clients, h.Handle), nil
}

// Disconnect returns the handler of $disconnect.
func Disconnect(_ context.Context, getenv func(string) string) (*RouteFunction, error) {
	e := cloud.NewEnvironment("disconnect", getenv)
	clients, err := cloud.NewClients(e)
	if err != nil {
		return nil, err
	}
	h := &session.Disconnect{Store: clients.Connections(e.Get(lambdas.EnvConnectionsTable)), Log: clients.Log}

	return cloud.Measure(clients, h.Handle), nil
}

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*RouteFunction, error) {
	e := cloud.NewEnvironment("default", getenv)
	userLimits, bucket := limits(e), e.Get(lambdas.EnvUploadsBucket)
	tokens, err := readTokenSettings(e)
	if err != nil {
		return nil, err
	}
	d, err := cloud.NewDelivery(e)
	if err != nil {
		return nil, err
	}
	verifier, err := tokens.verifier(ctx, d.Clients)
	if err != nil {
		return nil, err
	}
	d.Warm(ctx, cloud.ReadWarmNotes)
	h := &session.Default{
		Gateway: d.Sender, Connections: d.Connections, Feed: d.Feed, Broadcaster: d.Broadcaster(), Verifier: verifier, Limits: userLimits,
		Log: d.Log, Metrics: d.Metrics, Trace: cloud.Trace,
	}
	if bucket != "" {
		objects := &s3store.Uploads{Client: s3.NewFromConfig(d.AWS), Bucket: bucket}
		h.Uploads = &upload.Service{Store: &dynamo.Uploads{Client: d.DynamoDB, Table: d.Feed.Table}, Objects: objects, Key: csvimport.UploadKey}
		h.Downloads = objects
	}

	return cloud.Measure(d.Clients, h.Handle), nil
}

// ReaperFunction is the reaper as a Lambda function. It writes its metrics at the end of each run.
type ReaperFunction struct {
	reaper  *session.Reaper
	metrics *metrics.Writer
}

// Handle runs the reaper once, see [session.Reaper.Handle].
func (f *ReaperFunction) Handle(ctx context.Context, raw json.RawMessage) error {
	defer f.metrics.Flush()
	return f.reaper.Handle(ctx, raw)
}

// Reaper returns the handler of the reaper's schedule.
func Reaper(_ context.Context, getenv func(string) string) (*ReaperFunction, error) {
	e := cloud.NewEnvironment("reaper", getenv)
	clients, err := cloud.NewClients(e)
	if err != nil {
		return nil, err
	}
	sender, err := clients.Sender(e.Get(lambdas.EnvEndpoint))
	if err != nil {
		return nil, err
	}

	return &ReaperFunction{metrics: clients.Metrics, reaper: &session.Reaper{
		Sessions: clients.Connections(e.Get(lambdas.EnvConnectionsTable)), Gateway: sender, Log: clients.Log, Metrics: clients.Metrics,
	}}, nil
}
