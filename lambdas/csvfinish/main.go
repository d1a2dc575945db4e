// Command csvfinish is the Lambda function of csv_import's finish step.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/workflow"
)

func main() {
	h, err := workflow.CSVFinish(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("csvfinish: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
