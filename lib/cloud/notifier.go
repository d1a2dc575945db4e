package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/stepfn"
)

// Notifier returns the handler of the notifier.
func Notifier(ctx context.Context, getenv func(string) string) (*notify.Notifier, error) {
	e := &environment{getenv: getenv}
	d, err := loadDelivery(ctx, e, e.places())
	if err != nil {
		return nil, err
	}
	d.warm(ctx, nobodysState)

	return d.notifier(), nil
}

// Sweeper returns the handler of the sweeper's rule and schedule. Nobody waits for it, so that it does not start warm.
func Sweeper(ctx context.Context, getenv func(string) string) (*notify.Sweeper, error) {
	e := &environment{getenv: getenv}
	d, err := loadDelivery(ctx, e, e.places())
	if err != nil {
		return nil, err
	}

	return &notify.Sweeper{
		Notifier: d.notifier(), Feed: d.feed, Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(d.aws)}, Log: d.log,
	}, nil
}
