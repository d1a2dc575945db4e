package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/local/states"
	"github.com/herald-progress/herald/lib/message"
)

// lastFrames is how long the frames that a browser has missed may take once the workflow has ended.
const lastFrames = 5 * time.Second

// errImport is the import's failure, whose reason has been shown.
type errImport struct{ reason string }

func (e errImport) Error() string { return e.reason }

// importFile uploads the file through the whole pipeline and shows what a browser would receive.
func importFile(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	file, err := os.Open(o.file)
	if err != nil {
		return err //nolint:wrapcheck // says what failed
	}
	defer file.Close() //nolint:errcheck // only read
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", o.file)
	}
	upload := ulid.Make().String()
	ended := make(chan states.ExecutionDescription, 1)
	twin, err := start(ctx, o, local.Config{StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
		if !x.StopDate.IsZero() && strings.Contains(x.Input, upload) { // others may use the port meanwhile
			ended <- x
		}
	}}, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, twin.Close(context.WithoutCancel(ctx))) }()
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	b, err := openBrowser(ctx, twin, o.user)
	if err != nil {
		return err
	}
	name := strings.ToValidUTF8(filepath.Base(o.file), "_") // keys are UTF-8, names of files need not be
	if err := put(ctx, twin, csvimport.UploadKey(o.user, upload, name), file); err != nil {
		return err
	}
	show := newDisplay(stdout, o.json)
	outcome, err := watch(ctx, b, upload, ended, show)
	if err != nil {
		return err
	}

	return conclude(ctx, twin, outcome, show)
}

// put uploads the file as a browser does with a presigned URL.
func put(ctx context.Context, twin *local.Twin, key string, file *os.File) error {
	_, err := s3Client(twin).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &key, Body: file, ContentType: aws.String("text/csv")})
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

func s3Client(twin *local.Twin) *s3.Client {
	return s3.NewFromConfig(twin.AWSConfig(), func(o *s3.Options) { o.UsePathStyle = true })
}

// outcome is how the import ended.
type outcome struct {
	execution states.ExecutionDescription
	// reason is the error frame's message.
	reason string
}

// watch shows frames until the workflow has ended and its last frames have come. Those of a workflow that failed may come
// after its end: then somebody else sends them.
func watch(
	ctx context.Context, b *browser, upload string, ended <-chan states.ExecutionDescription, show display,
) (outcome, error) {
	var out outcome
	var late <-chan time.Time
	var synced <-chan error
	for complete := false; !complete || out.execution.Status != asl.StatusSucceeded && !b.over(upload); {
		select {
		case f := <-b.frames:
			if err := show.frame(f); err != nil {
				return out, err
			}
			if failure, ok := f.Data.(message.Error); ok {
				out.reason = failure.Message
			}
		case out.execution = <-ended:
			late, synced = time.After(lastFrames), b.sync(ctx)
		case <-synced:
			complete, synced = true, nil
		case <-late:
			return out, nil
		case err := <-b.ended:
			if cut := interrupted(ctx); cut != nil {
				err = cut
			}
			return out, err
		case <-ctx.Done():
			return out, interrupted(ctx)
		}
	}

	return out, nil
}

// interrupted returns an error when ctx has ended.
func interrupted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	return nil
}

// conclude prints the summary of an import that succeeded; of another it returns the reason.
func conclude(ctx context.Context, twin *local.Twin, out outcome, show display) error {
	if out.execution.Status != asl.StatusSucceeded {
		show.end()
		return errImport{cmp.Or(out.reason, "the workflow ended as "+string(out.execution.Status))}
	}
	var imported struct {
		Summary string `json:"summary"`
	}
	if err := json.Unmarshal([]byte(out.execution.Output), &imported); err != nil {
		return fmt.Errorf("read output: %w", err)
	}
	object, err := s3Client(twin).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &imported.Summary})
	if err != nil {
		return fmt.Errorf("get summary: %w", err)
	}
	defer object.Body.Close() //nolint:errcheck // only read
	var summary csvimport.Summary
	if err := json.NewDecoder(object.Body).Decode(&summary); err != nil {
		return fmt.Errorf("read summary: %w", err)
	}

	return show.summary(summary)
}
