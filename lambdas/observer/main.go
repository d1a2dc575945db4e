// Command observer is the Lambda function that reports the progress of workflows by their logs.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/workflow"
)

func main() {
	h, err := workflow.Observer(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("observer: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
