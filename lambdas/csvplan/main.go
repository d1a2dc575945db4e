// Command csvplan is the Lambda function of csv_import's plan step.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/workflow"
)

func main() {
	h, err := workflow.CSVPlan(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("csvplan: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
