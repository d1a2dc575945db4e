package cloud

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/s3store"
	"github.com/herald-progress/herald/lib/session"
	"github.com/herald-progress/herald/lib/upload"
)

// limits reads the limits of one user, and records their variables as invalid if the limits are not valid.
func (e *environment) limits() session.Limits {
	l := session.Limits{MaxConnections: e.positiveInt(lambdas.EnvMaxConnections), MaxPosts: e.positiveInt(lambdas.EnvMaxPosts)}
	if err := l.Validate(); err != nil && len(e.invalid) == 0 {
		e.invalid = append(e.invalid, fmt.Sprintf("%s, %s: %v", lambdas.EnvMaxConnections, lambdas.EnvMaxPosts, err))
	}
	return l
}

// Connect returns the handler of $connect.
func Connect(ctx context.Context, getenv func(string) string) (*session.Connect, error) {
	e := newEnvironment("connect", getenv)
	limits, origins := e.limits(), e.list(lambdas.EnvAllowedOrigins)
	tokens, err := e.tokenSettings()
	if err != nil {
		return nil, err
	}
	clients, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	verifier, err := clients.verifier(ctx, tokens)
	if err != nil {
		return nil, err
	}

	return &session.Connect{
		Verifier: verifier, Store: clients.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Limits: limits, Origins: origins, Log: clients.log,
	}, nil
}

// Disconnect returns the handler of $disconnect.
func Disconnect(ctx context.Context, getenv func(string) string) (*session.Disconnect, error) {
	e := newEnvironment("disconnect", getenv)
	clients, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	return &session.Disconnect{Store: clients.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Log: clients.log}, nil
}

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*session.Default, error) {
	e := newEnvironment("default", getenv)
	limits, bucket := e.limits(), e.getenv(lambdas.EnvUploadsBucket)
	tokens, err := e.tokenSettings()
	if err != nil {
		return nil, err
	}
	d, err := loadDelivery(ctx, e)
	if err != nil {
		return nil, err
	}
	verifier, err := d.verifier(ctx, tokens)
	if err != nil {
		return nil, err
	}
	d.warm(ctx, readWarmNotes)
	return &session.Default{
		Gateway: d.sender, Connections: d.connections, Feed: d.feed, Broadcaster: d.broadcaster(), Verifier: verifier, Limits: limits,
		Uploads: d.uploads(bucket), Log: d.log,
	}, nil
}

// uploads returns what hands out the URLs of uploads to a bucket, or nil without a bucket.
func (d delivery) uploads(bucket string) *upload.Service {
	if bucket == "" {
		return nil
	}
	return &upload.Service{
		Store:   &dynamo.Uploads{Client: d.dynamo, Table: d.feed.Table},
		Objects: &s3store.Uploads{Client: s3.NewFromConfig(d.aws), Bucket: bucket},
		Key:     csvimport.UploadKey,
	}
}

// Reaper returns the handler of the reaper's schedule.
func Reaper(ctx context.Context, getenv func(string) string) (*session.Reaper, error) {
	e := newEnvironment("reaper", getenv)
	clients, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	sender, err := clients.sender(e.getenv(lambdas.EnvEndpoint))
	if err != nil {
		return nil, err
	}

	return &session.Reaper{Sessions: clients.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Gateway: sender, Log: clients.log}, nil
}
