package cloud

import (
	"context"
	"fmt"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/session"
)

// limits reads the limits of one user.
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
	f, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	verifier, err := f.verifier(ctx, tokens)
	if err != nil {
		return nil, err
	}

	return &session.Connect{
		Verifier: verifier, Store: f.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Limits: limits, Origins: origins, Log: f.log,
	}, nil
}

// Disconnect returns the handler of $disconnect.
func Disconnect(ctx context.Context, getenv func(string) string) (*session.Disconnect, error) {
	e := newEnvironment("disconnect", getenv)
	f, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	return &session.Disconnect{Store: f.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Log: f.log}, nil
}

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*session.Default, error) {
	e := newEnvironment("default", getenv)
	limits := e.limits()
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
		Log: d.log,
	}, nil
}

// Reaper returns the handler of the reaper's schedule.
func Reaper(ctx context.Context, getenv func(string) string) (*session.Reaper, error) {
	e := newEnvironment("reaper", getenv)
	f, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	sender, err := f.sender(e.getenv(lambdas.EnvEndpoint))
	if err != nil {
		return nil, err
	}

	return &session.Reaper{Sessions: f.connectionStore(e.getenv(lambdas.EnvConnectionsTable)), Gateway: sender, Log: f.log}, nil
}
