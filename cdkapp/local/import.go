package main

import (
	"cmp"
	"context"
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

// lastFramesTimeout is how long to wait for the last frames after the workflow has ended.
const lastFramesTimeout = 5 * time.Second

// importError is the error of an import whose workflow failed.
type importError struct{ reason string }

func (e importError) Error() string { return e.reason }

// importFile imports the file through the whole pipeline and shows the frames that a browser receives.
func importFile(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	file, err := os.Open(o.file)
	if err != nil {
		return err // the PathError names operation and file
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", o.file)
	}
	results, err := openResults(o.results)
	if err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	defer func() { err = errors.Join(err, results.close()) }()
	upload := ulid.Make().String()
	ended := make(chan states.ExecutionDescription, 1)
	twin, err := start(ctx, o, local.Config{StatusChanged: func(_ context.Context, x states.ExecutionDescription) {
		if !x.StopDate.IsZero() && strings.Contains(x.Input, upload) { // Another client may have started another execution.
			ended <- x
		}
	}}, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, twin.Close(context.WithoutCancel(ctx))) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b, err := openBrowser(ctx, twin, o.user)
	if err != nil {
		return err
	}
	name := strings.ToValidUTF8(filepath.Base(o.file), "_") // keys must be UTF-8; file names need not be
	if err := put(ctx, twin, csvimport.UploadKey(o.user, upload, name), file); err != nil {
		return err
	}
	show := newDisplay(stdout, o.json)
	outcome, err := showFrames(ctx, b, upload, ended, show)
	if err != nil {
		return err
	}

	if outcome.execution.Status != asl.StatusSucceeded {
		show.end()
	}
	if err := printResults(ctx, twin.Objects(), o.user, upload, results, show); err != nil {
		return err
	}
	if outcome.execution.Status != asl.StatusSucceeded {
		return importError{cmp.Or(outcome.reason, "the workflow ended as "+string(outcome.execution.Status))}
	}
	return nil
}

// put uploads the file as a browser does with a presigned URL.
func put(ctx context.Context, twin *local.Twin, key string, file *os.File) error {
	_, err := twin.S3Client().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(local.Bucket), Key: &key, Body: file, ContentType: aws.String("text/csv")})
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// outcome describes the end of an import.
type outcome struct {
	execution states.ExecutionDescription
	// reason is the message of the last error frame. It is empty if there was no error frame.
	reason string
}

// showFrames shows frames until the workflow has ended and the browser has received the frames up to its end. If the workflow
// failed, showFrames also waits for the end of the job, which the sweeper may publish later. It waits lastFramesTimeout at most.
func showFrames(
	ctx context.Context, b *browser, upload string, ended <-chan states.ExecutionDescription, show display,
) (outcome, error) {
	var out outcome
	// Both channels are nil until the workflow ends. A nil channel never receives.
	var timeout <-chan time.Time
	var synced <-chan error
	isSynced := false
	for {
		succeeded := out.execution.Status == asl.StatusSucceeded
		if isSynced && (succeeded || b.jobEnded(upload)) {
			return out, nil
		}

		select {
		case f := <-b.frames:
			if err := show.frame(f); err != nil {
				return out, err
			}
			if failure, ok := f.Data.(message.Error); ok {
				out.reason = failure.Message
			}
		case out.execution = <-ended:
			timeout, synced = time.After(lastFramesTimeout), b.startSync(ctx)
		case <-synced:
			isSynced, synced = true, nil // A sync that failed counts, too.
		case <-timeout:
			return out, nil
		case err := <-b.ended:
			if interruptErr := interrupted(ctx); interruptErr != nil {
				err = interruptErr
			}
			return out, err
		case <-ctx.Done():
			return out, interrupted(ctx)
		}
	}
}

// interrupted returns an error if ctx has ended, otherwise nil.
func interrupted(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	return nil
}

// maxRejectedShown is how many rejected rows are shown.
const maxRejectedShown = 10

// printResults saves the results in the folder of the flag -results, and prints the summary and the first rejected rows. An import that
// failed before it had results prints nothing. An import of which no row was accepted fails, too, but has results.
func printResults(ctx context.Context, store csvimport.Store, user, upload string, results *resultsFolder, show display) error {
	summary, err := csvimport.ReadSummary(ctx, store, user, upload)
	if errors.Is(err, csvimport.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	rejected, err := csvimport.ReadRejected(ctx, store, summary, maxRejectedShown)
	if err != nil {
		return err
	}
	folder := ""
	if err = results.save(ctx, store, summary); err != nil {
		err = fmt.Errorf("-results: %w", err)
	} else if results != nil {
		folder = results.name
	}
	return errors.Join(show.summary(summary, rejected, folder), err)
}
