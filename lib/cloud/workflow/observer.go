package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/metrics"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/observe"
	"github.com/herald-progress/herald/lib/stepfn"
)

// ObserverFunction is the observer as a Lambda function.
type ObserverFunction struct {
	observer    *observe.Observer
	notifier    *notify.Notifier
	metrics     *metrics.Writer
	accountOnce sync.Once
}

// Observer returns the handler of log lines and status changes. It does not call Warm, because nobody waits for it. An error names the
// variable that is missing or invalid.
func Observer(_ context.Context, getenv func(string) string) (*ObserverFunction, error) {
	e := cloud.NewEnvironment("observer", getenv)
	d, err := cloud.NewDelivery(e)
	if err != nil {
		return nil, err
	}
	machines, err := observe.ParseMachines(e.Get(lambdas.EnvWatched))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", lambdas.EnvWatched, err)
	}
	notifier := d.Notifier()
	return &ObserverFunction{notifier: notifier, metrics: d.Metrics, observer: &observe.Observer{
		Machines: machines, Store: &dynamo.Executions{Client: d.DynamoDB, Table: e.Get(lambdas.EnvFeedTable)},
		Workflows: &stepfn.Definitions{Client: sfn.NewFromConfig(d.AWS)}, Publisher: notifier, Log: d.Log,
	}}, nil
}

// Handle handles one event, see [observe.Observer.Handle].
func (f *ObserverFunction) Handle(ctx context.Context, raw json.RawMessage) error {
	f.accountOnce.Do(func() { cloud.SetAccount(ctx, f.notifier) })
	defer f.metrics.Flush()
	return f.observer.Handle(ctx, raw)
}
