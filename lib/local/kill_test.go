package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// The environment variables of the browser process.
const (
	browserURL   = "HERALD_BROWSER_URL"
	browserToken = "HERALD_BROWSER_TOKEN"
)

// browse is the program of the browser process. It prints the frames that a tab receives, until its input ends or it is killed.
func browse(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	c, err := client.Dial(ctx, os.Getenv(browserURL), os.Getenv(browserToken))
	if err != nil {
		return err
	}
	for {
		_, raw, err := c.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%s\n", raw)
	}
}

// TestKilledBrowserIsCurrentAfterOneSync kills a browser during an import, with a signal that it cannot catch, and opens
// another.
func TestKilledBrowserIsCurrentAfterOneSync(t *testing.T) {
	feedStore := &feed.Memory{}
	const rows, bytesPerSecond = 20_000, 300_000 // slow enough to have states between the first and the last
	killed, steps := make(chan struct{}), &importSteps{}
	twin, err := local.Start(t.Context(), local.Config{
		Feed: feedStore, BytesPerSecond: bytesPerSecond, Functions: map[string]any{"csvfinish": steps.finishAfter(killed, rows)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := twin.Close(context.Background()); err != nil {
			t.Errorf("close the twin: %v", err)
		}
	})
	steps.twin = twin
	process, frames := startBrowser(t, twin)
	key := csvimport.UploadKey("ann", "u-42", "parts.csv")
	if _, err := twinS3(twin).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.Bucket), Key: &key, Body: bytes.NewReader(partsOf(rows)),
	}); err != nil {
		t.Fatal(err)
	}
	var last message.Envelope
	for state := (message.UploadProgress{}); state.Progress < 20; { // the plan has ended, and chunks run
		if !frames.Scan() {
			t.Fatal("the browser ended: ", frames.Err())
		}
		if last, err = message.Parse(frames.Bytes()); err != nil {
			t.Fatal(err)
		}
		state, _ = message.AsUploadProgress(last.Data)
	}
	process.kill(t)
	before := readRow(t, feedStore)
	c, newest := syncOnce(t, twin)
	close(killed)
	if newest.Epoch != before.Epoch || newest.Seq < before.Seq || newest.Seq < last.Seq {
		t.Errorf("the sync brought %+v, want the stored state, seq %d or later", newest, before.Seq)
	}
	until(t, c, func(e message.Envelope) bool {
		state, _ := message.AsUploadProgress(e.Data)
		return state.Status.Terminal()
	})
	if err := c.Drop(); err != nil {
		t.Fatal(err)
	}
	_, end := syncOnce(t, twin)
	if state, _ := message.AsUploadProgress(end.Data); state.Status != message.StatusSucceeded || state.Progress != 100 {
		t.Errorf("after the end the sync brought %+v, want the end", end)
	}
}

// startBrowser starts a browser of "ann" in another process. It returns the process and the frames that the process prints.
func startBrowser(t *testing.T, twin *local.Twin) (*self, *bufio.Scanner) {
	t.Helper()
	token, err := twin.Token("ann", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	process := startSelf(t, asBrowser, browserURL+"="+twin.WebSocketURL(), browserToken+"="+token)
	frames := bufio.NewScanner(process.out)
	frames.Buffer(nil, message.MaxFrame)
	return process, frames
}

// readRow returns the stored state of ann's job u-42.
func readRow(t *testing.T, feedStore feed.Store) feed.Row {
	t.Helper()
	row, err := feedStore.Job(t.Context(), feed.User("ann"), "u-42")
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// syncOnce connects, syncs once, and returns the connection and the newest state in the answer.
func syncOnce(t *testing.T, twin *local.Twin) (*client.Conn, message.Envelope) {
	t.Helper()
	c := openTab(t, twin, "ann")
	if err := c.Send(t.Context(), `{"action":"sync"}`); err != nil {
		t.Fatal(err)
	}
	var newest message.Envelope
	answers := until(t, c, func(e message.Envelope) bool { return e.Type == message.TypeSynced })
	for _, e := range answers {
		if e.Job == "u-42" && e.Seq >= newest.Seq {
			newest = e
		}
	}
	if newest.Seq == 0 {
		text, _ := json.Marshal(answers)
		t.Fatalf("the sync brought no state: %s", text)
	}

	return c, newest
}
