// Package workflow wires the functions that run or watch workflows: the steps of csv_import, and the sweeper.
package workflow

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/cloud"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/s3store"
)

// CSVPlan returns the handler of csv_import's plan step.
func CSVPlan(ctx context.Context, getenv func(string) string) (*cloud.Measured[csvimport.PlanInput, csvimport.PlanOutput], error) {
	c, clients, err := csvConfig(ctx, "csvplan", getenv)
	if err != nil {
		return nil, err
	}
	return cloud.Measure(clients, csvimport.NewPlan(c).Handle), nil
}

// CSVChunk returns the handler of csv_import's chunk step.
func CSVChunk(ctx context.Context, getenv func(string) string) (*cloud.Measured[csvimport.ChunkInput, csvimport.ChunkOutput], error) {
	c, clients, err := csvConfig(ctx, "csvchunk", getenv)
	if err != nil {
		return nil, err
	}
	return cloud.Measure(clients, csvimport.NewChunk(c).Handle), nil
}

// CSVFinish returns the handler of csv_import's finish step.
func CSVFinish(ctx context.Context, getenv func(string) string) (*cloud.Measured[csvimport.FinishInput, csvimport.FinishOutput], error) {
	c, clients, err := csvConfig(ctx, "csvfinish", getenv)
	if err != nil {
		return nil, err
	}
	return cloud.Measure(clients, csvimport.NewFinish(c).Handle), nil
}

// csvConfig returns the configuration of a step of csv_import, and the clients of its function. The step publishes its progress from its
// own process.
func csvConfig(ctx context.Context, function string, getenv func(string) string) (csvimport.Config, cloud.Clients, error) {
	e := cloud.NewEnvironment(function, getenv)
	d, err := cloud.NewDelivery(e)
	if err != nil {
		return csvimport.Config{}, cloud.Clients{}, err
	}
	d.Warm(ctx, cloud.ReadWarmJob)
	return csvimport.Config{
		Store:     s3store.New(s3store.Config{Client: s3.NewFromConfig(d.AWS), Bucket: e.Get(lambdas.EnvUploadsBucket)}),
		Publisher: d.Notifier(),
		Logger:    d.Log,
	}, d.Clients, nil
}
