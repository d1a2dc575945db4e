// Command sweeper is the Lambda function that ends the jobs of workflows that ended without a final state.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/workflow"
)

func main() {
	h, err := workflow.Sweeper(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("sweeper: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
