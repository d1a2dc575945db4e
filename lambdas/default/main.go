// Command default is the Lambda function of the $default route.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud"
)

func main() {
	h, err := cloud.Default(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("default: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
