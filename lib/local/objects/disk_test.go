package objects_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/herald-progress/herald/lib/local/awswire/wiretest"
	"github.com/herald-progress/herald/lib/local/objects"
)

func TestOneOfManyConditionalWritesSucceeds(t *testing.T) {
	t.Parallel()
	var events eventLog
	client, _ := newS3(t, events.add)

	var (
		won atomic.Int32
		wg  sync.WaitGroup
	)
	for worker := range 8 {
		wg.Go(func() {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("uploads"), Key: aws.String("in/claim"), IfNoneMatch: aws.String("*"),
				Body: strings.NewReader(fmt.Sprint(worker)),
			})
			if err == nil {
				won.Add(1)
				return
			}

			wiretest.WantCode(t, "claim", err, "PreconditionFailed")
		})
	}

	wg.Wait()
	if won.Load() != 1 || len(events.drain()) != 1 {
		t.Errorf("%d writers won", won.Load())
	}

	// The condition holds for multipart uploads too.
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/claim"),
	})
	if err != nil {
		t.Fatal(err)
	}

	part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/claim"), UploadId: upload.UploadId, PartNumber: aws.Int32(1),
		Body: strings.NewReader("late"),
	})
	if err != nil {
		t.Fatal(err)
	}

	complete := &s3.CompleteMultipartUploadInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/claim"), UploadId: upload.UploadId, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{
			Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}},
		},
	}

	_, err = client.CompleteMultipartUpload(t.Context(), complete)
	wiretest.WantCode(t, "complete", err, "PreconditionFailed")

	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("in/claim"),
	})
	if err != nil {
		t.Fatal(err)
	}

	_, err = client.CompleteMultipartUpload(t.Context(), complete)
	if err != nil || len(events.drain()) != 1 {
		t.Errorf("complete after the key was freed: %v", err)
	}
}

// TestRemovedObjectsLeaveNoFile checks that overwritten, deleted, joined and aborted objects leave no file.
func TestRemovedObjectsLeaveNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	endpoint, err := objects.New(objects.Config{Bucket: "uploads", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}

	client := s3.NewFromConfig(wiretest.Config(t, endpoint), func(o *s3.Options) { o.UsePathStyle = true })
	put(t, client, "a", "1")
	put(t, client, "a", "2")
	put(t, client, "b", "3")
	multipart(t, client, "c", "4", "5", "6")

	_, err = client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("d"), CopySource: aws.String("uploads/a"),
	})
	if err != nil {
		t.Fatal(err)
	}

	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("uploads"), Key: aws.String("b")})
	if err != nil {
		t.Fatal(err)
	}

	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("uploads"), Key: aws.String("a"), IfNoneMatch: aws.String("*"), Body: strings.NewReader("no"),
	})
	wiretest.WantCode(t, "claim", err, "PreconditionFailed")
	folders, err := os.ReadDir(dir)
	if err != nil || len(folders) != 1 {
		t.Fatalf("%d folders, error %v", len(folders), err)
	}

	countFiles := func(when string, want int) {
		t.Helper()
		files, err := os.ReadDir(dir + "/" + folders[0].Name())
		if err != nil || len(files) != want {
			t.Errorf("%s: %d files, error %v, want %d", when, len(files), err, want)
		}
	}
	countFiles("a and d share one, c has three", 4)
	for _, key := range []string{"a", "c", "d"} {
		_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("uploads"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
	}
	countFiles("all are deleted", 0)

	err = endpoint.Close()
	if err != nil {
		t.Fatal(err)
	}

	folders, err = os.ReadDir(dir)
	if err != nil || len(folders) != 0 {
		t.Errorf("%d folders after Close, error %v", len(folders), err)
	}
}
