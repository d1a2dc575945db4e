package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
)

// startIn starts a twin with a state, and returns a function that closes it.
func startIn(t *testing.T, dir string) (*local.Twin, func()) {
	t.Helper()
	twin, err := local.Start(t.Context(), local.Config{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	closeTwin := func() {
		if closed {
			return
		}
		closed = true
		if err := twin.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	}
	t.Cleanup(closeTwin)
	return twin, closeTwin
}

// TestAJobOfAKilledTwinEndsOnTheScreen kills a twin while a workflow shows a job. The next twin ends the job.
func TestAJobOfAKilledTwinEndsOnTheScreen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killed := startStored(t, dir)
	started, err := killed.workflows.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(states.StateMachineARN("shows"))})
	if err != nil {
		t.Fatal(err)
	}
	for reached := false; !reached; {
		history, err := killed.workflows.GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: started.ExecutionArn, ReverseOrder: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range history.Events {
			reached = reached || event.StateEnteredEventDetails != nil && *event.StateEnteredEventDetails.Name == "Work"
		}
	}
	killed.kill(t)
	if row := jobsIn(t, dir)["u-42"]; row.State.Status.Terminal() || row.Execution != *started.ExecutionArn {
		t.Fatalf("the job of the killed twin is %+v", row)
	}

	twin, _ := startIn(t, dir)
	ann := openTab(t, twin, "ann")
	if err := ann.Send(t.Context(), `{"action":"sync"}`); err != nil {
		t.Fatal(err)
	}
	until(t, ann, func(e message.Envelope) bool { // The end is in the answer to the sync, or it is pushed later.
		state, ok := message.AsUploadProgress(e.Data)
		return ok && state.UploadID == "u-42" && state.Status == message.StatusCancelled
	})
	x, err := sfn.NewFromConfig(twin.AWSConfig()).DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
	if err != nil || x.Status != "ABORTED" || aws.ToString(x.Error) != "TwinEnded" {
		t.Errorf("the execution is %+v, %v", x, err)
	}
}

// TestASecondTwinOfTheSameStateIsRefused starts two twins with one folder, one after the other has been closed, too.
func TestASecondTwinOfTheSameStateIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, closeFirst := startIn(t, dir)
	if _, err := local.Start(t.Context(), local.Config{StateDir: dir}); !errors.Is(err, durable.ErrInUse) || !strings.Contains(err.Error(), filepath.Join(dir, "state.db")) {
		t.Errorf("a second twin: %v", err)
	}
	closeFirst()
	startIn(t, dir)
}

// TestADamagedStateIsRefused damages the file, and then the content of an object.
func TestADamagedStateIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	twin, closeTwin := startIn(t, dir)
	putFile(t, twin, "ann", "u-1", "notes.txt", strings.NewReader("some text"))
	closeTwin()
	content, err := filepath.Glob(filepath.Join(dir, "objects", "*"))
	if err != nil || len(content) == 0 {
		t.Fatalf("no objects: %v", err)
	}
	refused := func(file string) {
		t.Helper()
		twin, err := local.Start(t.Context(), local.Config{StateDir: dir})
		if err == nil {
			_ = twin.Close(context.WithoutCancel(t.Context()))
		}
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s is damaged: %v", file, err)
		}
	}
	text, err := os.ReadFile(content[0])
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, content[0], string(text[1:]))
	refused(content[0])
	if err := os.Remove(content[0]); err != nil {
		t.Fatal(err)
	}
	refused(content[0])
	writeFile(t, content[0], string(text))
	state := filepath.Join(dir, "state.db")
	if err := os.Truncate(state, 100); err != nil {
		t.Fatal(err)
	}
	refused(state)
}

// TestObjectsAreThereAfterARestart overwrites, copies and deletes objects, and goes on with an upload in parts after the restart.
func TestObjectsAreThereAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	twin, closeTwin := startIn(t, dir)
	objects, bucket := twinS3(twin), aws.String(local.Bucket)
	put := func(key, text string) {
		t.Helper()
		if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: bucket, Key: &key, Body: strings.NewReader(text), Metadata: map[string]string{"mine": "yes"}, ContentType: aws.String("text/plain"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 9 {
		put("a", fmt.Sprint("text ", i))
	}
	put("deleted", "x")
	if _, err := objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("deleted")}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("b/c d"), CopySource: aws.String(local.Bucket + "/a")}); err != nil {
		t.Fatal(err)
	}
	upload, err := objects.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("whole")})
	if err != nil {
		t.Fatal(err)
	}
	var parts []s3types.CompletedPart
	part := func(number int32, text string) {
		t.Helper()
		out, err := objects.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: bucket, Key: upload.Key, UploadId: upload.UploadId, PartNumber: &number, Body: strings.NewReader(text),
		})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, s3types.CompletedPart{PartNumber: &number, ETag: out.ETag})
	}
	part(1, "one ")
	closeTwin()

	twin, closeTwin = startIn(t, dir)
	objects = twinS3(twin)
	part(2, "two")
	if _, err := objects.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: upload.Key, UploadId: upload.UploadId, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
	}); err != nil {
		t.Fatal(err)
	}
	closeTwin()

	twin, _ = startIn(t, dir)
	objects = twinS3(twin)
	for key, want := range map[string]string{"a": "text 8", "b/c d": "text 8", "whole": "one two"} {
		out, err := objects.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		text, err := io.ReadAll(out.Body)
		if err != nil || string(text) != want || key == "a" && (out.Metadata["mine"] != "yes" || aws.ToString(out.ContentType) != "text/plain") {
			t.Errorf("%s: %q %+v, %v", key, text, out, err)
		}
		_ = out.Body.Close()
	}
	list, err := objects.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil || len(list.Contents) != 3 {
		t.Errorf("%d objects, %v", len(list.Contents), err)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(files) != 3 { // A copy shares the file. Two are those of the parts.
		t.Errorf("%d files, %v", len(files), err)
	}
}
