package local_test

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/s3store"
)

// patience is how long tests wait for what comes at once on a machine that has nothing else to do.
const patience = time.Minute

// importSteps configures steps of the import that a test runs in place of a twin's own. Set twin before the first import.
type importSteps struct{ twin *local.Twin }

func (s *importSteps) config() csvimport.Config {
	return csvimport.Config{Store: s3store.New(s3store.Config{Client: twinS3(s.twin), Bucket: local.Bucket})}
}

// await waits until done is closed, or until ctx ends: a twin that is closed ends its functions.
func await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// finishAfter returns the function csvfinish. Imports with as many rows wait until released is closed, so they cannot end before.
func (s *importSteps) finishAfter(released <-chan struct{}, rows int64) any {
	return func(ctx context.Context, in csvimport.FinishInput) (csvimport.FinishOutput, error) {
		if in.TotalRows == rows {
			await(ctx, released)
		}

		return csvimport.NewFinish(s.config()).Handle(ctx, in)
	}
}

// startWithEnds starts a twin with a configuration. It returns the twin, and a channel that receives each execution that has ended.
// The channel has room for two executions. A third one waits until the test receives one of them.
func startWithEnds(t *testing.T, config local.Config) (*local.Twin, <-chan states.ExecutionDescription) {
	t.Helper()
	ended := make(chan states.ExecutionDescription, 2)
	config.StatusChanged = func(_ context.Context, x states.ExecutionDescription) {
		if !x.StopDate.IsZero() {
			ended <- x
		}
	}
	twin, err := local.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	return twin, ended
}

// putFile puts a file of an upload into the bucket, as the browser of its user does.
func putFile(t *testing.T, twin *local.Twin, user, upload, name string, content io.Reader) {
	t.Helper()
	_, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.Bucket), Key: aws.String(csvimport.UploadKey(user, upload, name)), Body: content,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// putPartsList puts testdata/parts-list.csv into the bucket, as an upload of the user.
func putPartsList(t *testing.T, twin *local.Twin, user, upload string) {
	t.Helper()
	file, err := os.Open(partsList + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	putFile(t, twin, user, upload, "parts-list.csv", file)
}
