package cloud

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/stepfn"
)

// NotifierFunction is the notifier as a Lambda function: it follows the workflows of the function's account and Region.
type NotifierFunction struct {
	notifier *notify.Notifier
	settled  sync.Once
}

// Notifier returns the handler of the notifier.
func Notifier(ctx context.Context, getenv func(string) string) (*NotifierFunction, error) {
	e := &environment{getenv: getenv}
	d, err := loadDelivery(ctx, e, e.places())
	if err != nil {
		return nil, err
	}
	d.warm(ctx, nobodysState)

	return &NotifierFunction{notifier: d.notifier()}, nil
}

// Handle carries out one request, see [notify.Notifier.Handle].
func (f *NotifierFunction) Handle(ctx context.Context, raw json.RawMessage) (notify.Output, error) {
	f.settled.Do(func() { settle(ctx, f.notifier) })

	return f.notifier.Handle(ctx, raw) //nolint:wrapcheck // workflows match its type
}

// SweeperFunction is the sweeper as a Lambda function: it asks for workflows of the function's account and Region.
type SweeperFunction struct {
	sweeper *notify.Sweeper
	settled sync.Once
}

// Sweeper returns the handler of the sweeper's rule and schedule. Nobody waits for it, so that it does not start warm.
func Sweeper(ctx context.Context, getenv func(string) string) (*SweeperFunction, error) {
	e := &environment{getenv: getenv}
	d, err := loadDelivery(ctx, e, e.places())
	if err != nil {
		return nil, err
	}

	return &SweeperFunction{sweeper: &notify.Sweeper{
		Notifier: d.notifier(), Feed: d.feed, Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(d.aws)}, Log: d.log,
	}}, nil
}

// Handle takes an event of a workflow's end, or sweeps, see [notify.Sweeper.Handle].
func (f *SweeperFunction) Handle(ctx context.Context, raw json.RawMessage) error {
	f.settled.Do(func() { settle(ctx, f.sweeper.Notifier) })

	return f.sweeper.Handle(ctx, raw) //nolint:wrapcheck // it says what it is
}

// settle gives n the account and the Region of the function that is invoked. An environment has no variable of the account.
func settle(ctx context.Context, n *notify.Notifier) {
	invocation, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return
	}
	if function, err := arn.Parse(invocation.InvokedFunctionArn); err == nil {
		n.Account, n.Region = function.AccountID, function.Region
	}
}
