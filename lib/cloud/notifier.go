package cloud

import (
	"context"

	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/session"
)

// Default returns the handler of $default.
func Default(ctx context.Context, getenv func(string) string) (*session.Default, error) {
	e := &environment{getenv: getenv}
	endpoint := e.required(envEndpoint)
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}

	sender, err := f.sender(endpoint)
	if err != nil {
		return nil, err
	}

	return &session.Default{Sender: sender, Log: f.log}, nil
}

// Notifier returns the handler of the notifier.
func Notifier(ctx context.Context, getenv func(string) string) (*notify.Notifier, error) {
	e := &environment{getenv: getenv}
	table, endpoint := e.required(envTable), e.required(envEndpoint)
	f, err := load(ctx, e)
	if err != nil {
		return nil, err
	}

	return f.notifier(ctx, table, endpoint)
}
