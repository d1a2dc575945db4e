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

// NotifierFunction is the notifier as a Lambda function. It follows workflows of the function's account and Region.
type NotifierFunction struct {
	notifier    *notify.Notifier
	accountOnce sync.Once
}

// Notifier returns the handler of the notifier.
func Notifier(ctx context.Context, getenv func(string) string) (*NotifierFunction, error) {
	d, err := loadDelivery(ctx, newEnvironment("notifier", getenv))
	if err != nil {
		return nil, err
	}
	d.warm(ctx, readWarmJob)
	return &NotifierFunction{notifier: d.notifier()}, nil
}

// Handle handles one request, see [notify.Notifier.Handle].
func (f *NotifierFunction) Handle(ctx context.Context, raw json.RawMessage) (notify.Output, error) {
	f.accountOnce.Do(func() { setAccount(ctx, f.notifier) })
	return f.notifier.Handle(ctx, raw)
}

// SweeperFunction is the sweeper as a Lambda function. It reads workflows of the function's account and Region.
type SweeperFunction struct {
	sweeper     *notify.Sweeper
	accountOnce sync.Once
}

// Sweeper returns the handler of the sweeper's rule and schedule. It does not call warm, because nobody waits for it.
func Sweeper(ctx context.Context, getenv func(string) string) (*SweeperFunction, error) {
	d, err := loadDelivery(ctx, newEnvironment("sweeper", getenv))
	if err != nil {
		return nil, err
	}
	return &SweeperFunction{sweeper: &notify.Sweeper{
		Notifier: d.notifier(), Feed: d.feed, Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(d.aws)}, Log: d.log,
	}}, nil
}

// Handle handles the event of a workflow's end, or sweeps, see [notify.Sweeper.Handle].
func (f *SweeperFunction) Handle(ctx context.Context, raw json.RawMessage) error {
	f.accountOnce.Do(func() { setAccount(ctx, f.sweeper.Notifier) })
	return f.sweeper.Handle(ctx, raw)
}

// setAccount sets the account and the Region of n to those in the ARN of the invoked function. No environment variable has the
// account.
func setAccount(ctx context.Context, n *notify.Notifier) {
	invocation, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return
	}
	if functionARN, err := arn.Parse(invocation.InvokedFunctionArn); err == nil {
		n.Account, n.Region = functionARN.AccountID, functionARN.Region
	}
}
