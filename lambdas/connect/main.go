// Command connect is the Lambda function of the $connect route.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/browser"
)

func main() {
	h, err := browser.Connect(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("connect: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
