// Command notifier is the Lambda function of the notifier task.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud"
)

func main() {
	h, err := cloud.Notifier(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("notifier: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
