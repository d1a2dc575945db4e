// Command finish ends an album: it tells the user's browser that the thumbnails are there.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/lambda"
)

// job is what the function plan passes on.
type job struct {
	UserID    string `json:"userId"`
	JobID     string `json:"jobId"`
	Epoch     string `json:"epoch"`
	Execution string `json:"execution"`
}

type input struct {
	Job        job               `json:"job"`
	Thumbnails []json.RawMessage `json:"thumbnails"`
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	client := service.NewFromConfig(cfg)
	lambda.Start(func(ctx context.Context, in input) (map[string]int, error) {
		text := fmt.Sprintf("Made %d thumbnails", len(in.Thumbnails))
		log.Print(text)
		return map[string]int{"thumbnails": len(in.Thumbnails)}, notify(ctx, client, in.Job, text)
	})
}

// notify invokes the notifier, which stores the state and posts it to the user's tabs.
func notify(ctx context.Context, client *service.Client, j job, text string) error {
	payload, err := json.Marshal(map[string]any{
		"userId": j.UserID, "epoch": j.Epoch, "execution": j.Execution,
		"message": map[string]any{"type": "upload_progress", "data": map[string]any{
			"uploadId": j.JobID, "fileName": j.JobID, "phase": "finish", "progress": 100, "message": text, "status": "succeeded",
		}},
	})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	out, err := client.Invoke(ctx, &service.InvokeInput{
		FunctionName: aws.String(os.Getenv("NOTIFIER_FUNCTION_NAME")), Payload: payload,
	})
	if err != nil {
		return fmt.Errorf("invoke the notifier: %w", err)
	}
	if out.FunctionError != nil {
		return fmt.Errorf("the notifier failed: %s", aws.ToString(out.FunctionError))
	}
	return nil
}
