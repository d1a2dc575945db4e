package cloud

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/notify"
)

// NotifierFunction is the notifier as a Lambda function. It follows workflows of the function's account and Region.
type NotifierFunction struct {
	notifier    *notify.Notifier
	metrics     *metrics.Writer
	accountOnce sync.Once
}

// Notifier returns the handler of the notifier.
func Notifier(ctx context.Context, getenv func(string) string) (*NotifierFunction, error) {
	d, err := NewDelivery(NewEnvironment("notifier", getenv))
	if err != nil {
		return nil, err
	}
	d.Warm(ctx, ReadWarmJob)
	return &NotifierFunction{notifier: d.Notifier(), metrics: d.Metrics}, nil
}

// Handle handles one request, see [notify.Notifier.Handle].
func (f *NotifierFunction) Handle(ctx context.Context, raw json.RawMessage) (notify.Output, error) {
	f.accountOnce.Do(func() { SetAccount(ctx, f.notifier) })
	defer f.metrics.Flush()
	return f.notifier.Handle(ctx, raw)
}

// SetAccount sets the account and the Region of n to those in the ARN of the invoked function. No environment variable has the
// account.
func SetAccount(ctx context.Context, n *notify.Notifier) {
	invocation, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return
	}
	if functionARN, err := arn.Parse(invocation.InvokedFunctionArn); err == nil {
		n.Account, n.Region = functionARN.AccountID, functionARN.Region
	}
}
