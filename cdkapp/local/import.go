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

// pongTimeout is how long the answer to a ping may take.
const pongTimeout = 5 * time.Second

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
	token, err := twin.Token(o.user, time.Hour)
	if err != nil {
		return err //nolint:wrapcheck // says what failed
	}
	browser, err := local.Dial(ctx, twin.WebSocketURL(), token)
	if err != nil {
		return err //nolint:wrapcheck // says what failed
	}
	defer browser.Close() //nolint:errcheck // the twin goes, too
	frames := receive(ctx, browser)
	name := strings.ToValidUTF8(filepath.Base(o.file), "_") // keys are UTF-8, names of files need not be
	if err := put(ctx, twin, csvimport.UploadKey(o.user, upload, name), file); err != nil {
		return err
	}
	show := newDisplay(stdout, o.json)
	outcome, err := watch(ctx, browser, frames, ended, show)
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

// frame is one frame, parsed and as it came.
type frame struct {
	message.Envelope

	raw []byte
}

// receive returns the browser's frames; the channel closes with the connection.
func receive(ctx context.Context, browser *local.Client) <-chan frame {
	frames := make(chan frame)
	go func() {
		defer close(frames)
		for {
			e, raw, err := browser.Next(ctx)
			if err != nil {
				return
			}
			select {
			case frames <- frame{e, raw}:
			case <-ctx.Done():
				return
			}
		}
	}()

	return frames
}

// outcome is how the import ended.
type outcome struct {
	execution states.ExecutionDescription
	// reason is the error frame's message.
	reason string
}

// watch shows frames until the workflow has ended and its last frames have come. They were posted before its end, so
// that they come before the pong of a ping sent after it.
func watch(
	ctx context.Context, browser *local.Client, frames <-chan frame, ended <-chan states.ExecutionDescription, show display,
) (outcome, error) {
	var out outcome
	var late <-chan time.Time
	for {
		select {
		case f, open := <-frames:
			if !open {
				return out, errors.New("the connection was closed before the import ended")
			}
			if f.Type == message.TypePong {
				return out, nil
			}
			if err := show.frame(f); err != nil {
				return out, err
			}
			if failure, ok := f.Data.(message.Error); ok {
				out.reason = failure.Message
			}
		case out.execution = <-ended:
			late = time.After(pongTimeout)
			if err := browser.Send(ctx, `{"action":"ping"}`); err != nil {
				return out, err //nolint:wrapcheck // says what failed
			}
		case <-late:
			return out, errors.New("the connection does not answer")
		case <-ctx.Done():
			return out, fmt.Errorf("interrupted: %w", ctx.Err())
		}
	}
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
