package cloud

import (
	"context"
	"fmt"

	"github.com/herald-progress/herald/lib/session"
)

const (
	envOrigins        = "ALLOWED_ORIGINS"
	envMaxConnections = "MAX_CONNECTIONS"
	envMaxPosts       = "MAX_POSTS_PER_MINUTE"
)

// limits reads the limits of one user.
func (e *environment) limits() session.Limits {
	l := session.Limits{MaxConnections: e.positiveInt(envMaxConnections), MaxPosts: e.positiveInt(envMaxPosts)}
	if err := l.Validate(); err != nil && len(e.invalid) == 0 {
		e.invalid = append(e.invalid, fmt.Sprintf("%s, %s: %v", envMaxConnections, envMaxPosts, err))
	}
	return l
}

// Connect returns the handler of $connect.
func Connect(ctx context.Context, getenv func(string) string) (*session.Connect, error) {
	e := &environment{getenv: getenv}
	table, limits := e.required(envConnectionsTable), e.limits()
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
		Verifier: verifier, Store: f.connectionStore(table), Limits: limits, Origins: e.list(envOrigins), Log: f.log,
	}, nil
}

// Disconnect returns the handler of $disconnect.
func Disconnect(ctx context.Context, getenv func(string) string) (*session.Disconnect, error) {
	e := &environment{getenv: getenv}
	table := e.required(envConnectionsTable)
	f, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	return &session.Disconnect{Store: f.connectionStore(table), Log: f.log}, nil
}

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*session.Default, error) {
	e := &environment{getenv: getenv}
	delivery, limits := e.deliverySettings(), e.limits()
	tokens, err := e.tokenSettings()
	if err != nil {
		return nil, err
	}
	d, err := loadDelivery(ctx, e, delivery)
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
	e := &environment{getenv: getenv}
	table, endpoint := e.required(envConnectionsTable), e.required(envEndpoint)
	f, err := loadAWS(ctx, e)
	if err != nil {
		return nil, err
	}
	sender, err := f.sender(endpoint)
	if err != nil {
		return nil, err
	}

	return &session.Reaper{Sessions: f.connectionStore(table), Gateway: sender, Log: f.log}, nil
}
