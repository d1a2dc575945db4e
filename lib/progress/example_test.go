package progress_test

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/herald-progress/herald/lib/apigw"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
	"github.com/herald-progress/herald/lib/progress"
)

// newNotifier returns a notifier for a worker's process, from the variables that PublishEnvironment of the CDK construct sets.
func newNotifier(ctx context.Context) (*notify.Notifier, error) {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	sender, err := apigw.New(aws, os.Getenv("WEBSOCKET_API_ENDPOINT"))
	if err != nil {
		return nil, fmt.Errorf("WEBSOCKET_API_ENDPOINT: %w", err)
	}
	db := dynamodb.NewFromConfig(aws)
	connections := &dynamo.Connections{Client: db, Table: os.Getenv("CONNECTIONS_TABLE")}
	return &notify.Notifier{
		Broadcaster: &broadcast.Broadcaster{Store: connections, Sender: sender},
		Feed:        &dynamo.Feed{Client: db, Table: os.Getenv("FEED_TABLE")},
	}, nil
}

// job is what a workflow passes to a worker.
type job struct{ UserID, UploadID, FileName, Epoch, Execution string }

// makeThumbnails does the work of a job and reports its progress.
func makeThumbnails(ctx context.Context, publisher progress.Publisher, j job) {
	reporter := progress.New(ctx, progress.Config{
		Publisher: publisher, UserID: j.UserID, UploadID: j.UploadID, FileName: j.FileName,
		Epoch: j.Epoch, Execution: j.Execution,
	})
	defer reporter.Close(ctx) // Publishes the last state, if it is not published yet.
	const images = 3
	reporter.Phase(progress.Phase{Name: "thumbnails", From: 0, To: 100, Steps: images})
	for n := range int64(images) {
		// Make a thumbnail here.
		reporter.Update(n + 1)
	}
	reporter.End(message.StatusSucceeded, "Made 3 thumbnails")
}

// printer prints the end of a job, in place of a [notify.Notifier].
type printer struct{}

func (printer) Publish(_ context.Context, r message.Request) error {
	if state, ok := message.AsUploadProgress(r.Message); ok && state.Status.Terminal() {
		fmt.Fprintf(os.Stdout, "%s of %s: %v %%, %s\n", state.FileName, r.UserID, state.Progress, state.Message)
	}
	return nil
}

// A worker reports its progress to the publisher that it gets.
func ExampleReporter() {
	makeThumbnails(context.Background(), printer{}, job{
		UserID: "ann", UploadID: "u-42", FileName: "holiday.zip", Epoch: "2026-11-22T10:00:00.000Z#0000",
	})
	// Output: holiday.zip of ann: 100 %, Made 3 thumbnails
}

// A worker on AWS publishes from its own process. Here the variables that name its deployment are not set.
func ExampleReporter_aws() {
	ctx := context.Background()
	notifier, err := newNotifier(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	makeThumbnails(ctx, notifier, job{UserID: "ann", UploadID: "u-42", FileName: "holiday.zip"})
	// Output: WEBSOCKET_API_ENDPOINT: apigw: the endpoint must be an http or https URL without user, query and fragment
}
