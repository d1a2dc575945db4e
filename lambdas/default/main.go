// Command default is the Lambda function of the $default route.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/browser"
)

func main() {
	h, err := browser.Default(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("default: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
