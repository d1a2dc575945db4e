package workflow

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/stepfn"
)

// SweeperFunction is the sweeper as a Lambda function. It reads workflows of the function's account and Region.
type SweeperFunction struct {
	sweeper     *notify.Sweeper
	metrics     *metrics.Writer
	accountOnce sync.Once
}

// Sweeper returns the handler of the sweeper's rule and schedule. It does not call Warm, because nobody waits for it.
func Sweeper(_ context.Context, getenv func(string) string) (*SweeperFunction, error) {
	d, err := cloud.NewDelivery(cloud.NewEnvironment("sweeper", getenv))
	if err != nil {
		return nil, err
	}
	return &SweeperFunction{metrics: d.Metrics, sweeper: &notify.Sweeper{
		Notifier: d.Notifier(), Feed: d.Feed, Log: d.Log,
		Workflows: &stepfn.Workflows{Client: sfn.NewFromConfig(d.AWS), Lambda: lambda.NewFromConfig(d.AWS)},
	}}, nil
}

// Handle handles the event of a workflow's end, or sweeps, see [notify.Sweeper.Handle].
func (f *SweeperFunction) Handle(ctx context.Context, raw json.RawMessage) error {
	f.accountOnce.Do(func() { cloud.SetAccount(ctx, f.sweeper.Notifier) })
	defer f.metrics.Flush()
	return f.sweeper.Handle(ctx, raw)
}
