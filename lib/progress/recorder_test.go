package progress_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

// push is one published state, and the time of its call since the test began.
type push struct {
	At       time.Duration
	Progress float64
	Row      int64
	Text     string
}

// recorder is a Publisher that records the requests whose calls succeed.
type recorder struct {
	start        time.Time
	delay        time.Duration        // how long each call takes
	fail         func(call int) error // the error of a call, by its number from 1; nil lets all calls succeed
	heedsContext bool                 // a call ends when its context ends

	mu       sync.Mutex
	calls    int // also those that failed
	pushes   []push
	data     []message.Data
	requests []message.Request
}

// newRecorder returns a recorder whose calls take no time and succeed.
func newRecorder() *recorder { return &recorder{start: time.Now(), heedsContext: true} }

func (r *recorder) Publish(ctx context.Context, request message.Request) error {
	at := time.Since(r.start)
	r.mu.Lock()
	delay := r.delay
	r.mu.Unlock()
	if delay > 0 {
		done := ctx.Done()
		if !r.heedsContext {
			done = nil
		}
		select {
		case <-time.After(delay):
		case <-done:
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls); err != nil {
			return err
		}
	}
	r.requests = append(r.requests, request)
	r.data = append(r.data, request.Message)
	if p, ok := request.Message.(message.UploadProgress); ok {
		r.pushes = append(r.pushes, push{At: at, Progress: p.Progress, Row: p.CurrentRow, Text: p.Message})
	}
	return nil
}

// setDelay sets the delay while calls run.
func (r *recorder) setDelay(delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = delay
}

// published returns the states so far.
func (r *recorder) published() []push {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]push(nil), r.pushes...)
}

// last returns the last published state.
func (r *recorder) last(t *testing.T) message.UploadProgress {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.data) - 1; i >= 0; i-- {
		if p, ok := r.data[i].(message.UploadProgress); ok {
			return p
		}
	}
	t.Fatal("nothing was published")
	return message.UploadProgress{}
}

// parse returns the phase "parse" of a number of rows, from 0 to 100 percent.
func parse(rows int64) progress.Phase {
	return progress.Phase{
		Name: "parse", From: 0, To: 100, Steps: rows, Rows: true,
		Text: func(done, steps int64) string { return fmt.Sprintf("row %d of %d", done, steps) },
	}
}

// start returns a new Reporter of a whole job.
func start(t *testing.T, p progress.Publisher) *progress.Reporter {
	t.Helper()
	return progress.New(t.Context(), progress.Config{Publisher: p, UserID: "u1", UploadID: "up-1", FileName: "f.csv"})
}

// expect requires that exactly these states were published.
func expect(t *testing.T, rec *recorder, want []push) {
	t.Helper()
	if diff := cmp.Diff(want, rec.published()); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
}
