// Command reaper is the Lambda function that closes connections whose sessions have ended.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/herald-progress/herald/lib/cloud/browser"
)

func main() {
	h, err := browser.Reaper(context.Background(), os.Getenv)
	if err != nil {
		slog.Error("reaper: start", "err", err)
		os.Exit(1)
	}
	lambda.Start(h.Handle)
}
