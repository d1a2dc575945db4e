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

// limits returns what one user may cost.
func (e *environment) limits() session.Limits {
	l := session.Limits{MaxConnections: e.whole(envMaxConnections), MaxPosts: e.whole(envMaxPosts)}
	if err := l.Validate(); err != nil && len(e.wrong) == 0 {
		e.wrong = append(e.wrong, fmt.Sprintf("%s, %s: %v", envMaxConnections, envMaxPosts, err))
	}

	return l
}

// Connect returns the handler of $connect.
func Connect(ctx context.Context, getenv func(string) string) (*session.Connect, error) {
	e := &environment{getenv: getenv}
	table, limits := e.required(envTable), e.limits()
	tokens, err := e.tokens()
	if err != nil {
		return nil, err
	}
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}
	verifier, err := f.verifier(ctx, tokens)
	if err != nil {
		return nil, err
	}

	return &session.Connect{
		Verifier: verifier, Store: f.connections(table), Limits: limits, Origins: e.list(envOrigins), Log: f.log,
	}, nil
}

// Disconnect returns the handler of $disconnect.
func Disconnect(ctx context.Context, getenv func(string) string) (*session.Disconnect, error) {
	e := &environment{getenv: getenv}
	table := e.required(envTable)
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}

	return &session.Disconnect{Store: f.connections(table), Log: f.log}, nil
}

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*session.Default, error) {
	e := &environment{getenv: getenv}
	places, limits := e.places(), e.limits()
	tokens, err := e.tokens()
	if err != nil {
		return nil, err
	}
	d, err := loadDelivery(ctx, e, places)
	if err != nil {
		return nil, err
	}
	verifier, err := d.verifier(ctx, tokens)
	if err != nil {
		return nil, err
	}
	d.warm(ctx, nobodysNotes)

	return &session.Default{
		Gateway: d.sender, Connections: d.rows, Feed: d.feed, Broadcaster: d.broadcaster(), Verifier: verifier, Limits: limits,
		Log: d.log,
	}, nil
}

// Reaper returns the handler of the reaper's schedule.
func Reaper(ctx context.Context, getenv func(string) string) (*session.Reaper, error) {
	e := &environment{getenv: getenv}
	table, endpoint := e.required(envTable), e.required(envEndpoint)
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}
	sender, err := f.sender(endpoint)
	if err != nil {
		return nil, err
	}

	return &session.Reaper{Sessions: f.connections(table), Gateway: sender, Log: f.log}, nil
}
