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
func CSVPlan(ctx context.Context, getenv func(string) string) (*csvimport.Plan, error) {
	c, err := csvConfig(ctx, "csvplan", getenv)
	if err != nil {
		return nil, err
	}
	return csvimport.NewPlan(c), nil
}

// CSVChunk returns the handler of csv_import's chunk step.
func CSVChunk(ctx context.Context, getenv func(string) string) (*csvimport.Chunk, error) {
	c, err := csvConfig(ctx, "csvchunk", getenv)
	if err != nil {
		return nil, err
	}
	return csvimport.NewChunk(c), nil
}

// CSVFinish returns the handler of csv_import's finish step.
func CSVFinish(ctx context.Context, getenv func(string) string) (*csvimport.Finish, error) {
	c, err := csvConfig(ctx, "csvfinish", getenv)
	if err != nil {
		return nil, err
	}
	return csvimport.NewFinish(c), nil
}

// csvConfig returns the configuration of a step of csv_import. The step publishes its progress from its own process.
func csvConfig(ctx context.Context, function string, getenv func(string) string) (csvimport.Config, error) {
	e := cloud.NewEnvironment(function, getenv)
	d, err := cloud.NewDelivery(e)
	if err != nil {
		return csvimport.Config{}, err
	}
	d.Warm(ctx, cloud.ReadWarmJob)
	return csvimport.Config{
		Store:     s3store.New(s3store.Config{Client: s3.NewFromConfig(d.AWS), Bucket: e.Get(lambdas.EnvUploadsBucket)}),
		Publisher: d.Notifier(),
		Logger:    d.Log,
	}, nil
}
