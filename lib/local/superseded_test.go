package local_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/s3store"
)

// TestASupersededImportIsNotDone replaces a file during its import. The plan of the newer import claims the upload and ends
// three seconds after the older execution, so that the sweeper hears of that end before the newer import has reported.
func TestASupersededImportIsNotDone(t *testing.T) {
	const first, rows, bytesPerSecond = 30_000, 2, 400_000
	ended := make(chan states.ExecutionDescription, 2)
	olderEnded := make(chan struct{})
	var steps csvimport.Config
	plan := func(ctx context.Context, in csvimport.PlanInput) (csvimport.PlanOutput, error) {
		out, err := csvimport.NewPlan(steps).Handle(ctx, in)
		if out.TotalRows == rows {
			<-olderEnded
			time.Sleep(3 * time.Second)
		}

		return out, err
	}
	twin, err := local.Start(t.Context(), local.Config{
		BytesPerSecond: bytesPerSecond, Functions: map[string]any{"csvplan": plan},
		StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
			if !x.StopDate.IsZero() {
				ended <- x
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	steps.Store = s3store.New(s3store.Config{Client: twinS3(twin), Bucket: local.Bucket})
	ann := openTab(t, twin, "ann")
	put := func(content []byte) {
		t.Helper()
		if _, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(local.Bucket), Key: aws.String(csvimport.UploadKey("ann", "u-42", "a.csv")), Body: bytes.NewReader(content),
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(partsOf(first))
	until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeUploadProgress })
	put([]byte("part,color,quantity\n1,Red,1\n2,Blue,2\n"))
	if x := <-ended; x.Status != asl.StatusSucceeded || x.Output != `{"superseded":true}` {
		t.Fatalf("the older execution ends %s: %s, want it superseded", x.Status, x.Output)
	}
	close(olderEnded)
	for _, e := range until(t, ann, func(e message.Envelope) bool { return e.Type == message.TypeNotification }) {
		if state, ok := message.AsUploadProgress(e.Data); ok && state.Status.Terminal() && state.TotalRows != rows {
			t.Errorf("the tab is sent %+v, which is not of the newer import", state)
		}
	}
}
