package progress_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

func TestReporterPublishesVisibleProgress(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name string
		work func(r *progress.Reporter)
		want []push
	}{
		{"phase at once, then the last state", func(r *progress.Reporter) {
			r.Phase(parse(1000))
			synctest.Wait()
			for row := range int64(1000) {
				r.Update(row + 1)
			}
		}, []push{{0, 0, 0, "row 0 of 1000"}, {0, 100, 1000, "row 1000 of 1000"}}},
		{"four pushes a second", func(r *progress.Reporter) {
			r.Phase(parse(100))
			synctest.Wait()
			time.Sleep(5 * ms)
			for row := range int64(100) { // a percent each 10 ms
				time.Sleep(10 * ms)
				r.Update(row + 1)
			}
		}, []push{
			{0, 0, 0, "row 0 of 100"}, {250 * ms, 24, 24, "row 24 of 100"},
			{500 * ms, 49, 49, "row 49 of 100"}, {750 * ms, 74, 74, "row 74 of 100"}, {1000 * ms, 99, 99, "row 99 of 100"},
			{1005 * ms, 100, 100, "row 100 of 100"},
		}},
		{"under a percent waits two seconds", func(r *progress.Reporter) {
			r.Phase(parse(10_000))
			synctest.Wait()
			time.Sleep(50 * ms)
			for row := range int64(50) { // half a percent in 5 s
				time.Sleep(100 * ms)
				r.Update(row + 1)
			}
		}, []push{
			{0, 0, 0, "row 0 of 10000"}, {2000 * ms, 0.19, 19, "row 19 of 10000"},
			{4000 * ms, 0.39, 39, "row 39 of 10000"}, {5050 * ms, 0.5, 50, "row 50 of 10000"},
		}},
		{"after silence the first update goes at once", func(r *progress.Reporter) {
			r.Phase(parse(10_000))
			synctest.Wait()
			time.Sleep(time.Minute)
			r.Update(1)
			time.Sleep(ms)
			r.Update(2)
			time.Sleep(10 * time.Second)
		}, []push{
			{0, 0, 0, "row 0 of 10000"}, {time.Minute, 0.01, 1, "row 1 of 10000"},
			{time.Minute + 2*time.Second, 0.02, 2, "row 2 of 10000"},
		}},
		{"a percent goes at once after the interval", func(r *progress.Reporter) {
			r.Phase(parse(10_000))
			synctest.Wait()
			time.Sleep(700 * ms)
			r.Update(99)
			time.Sleep(ms)
			r.Update(100)
			time.Sleep(time.Second)
		}, []push{{0, 0, 0, "row 0 of 10000"}, {701 * ms, 1, 100, "row 100 of 10000"}}},
		{"phase change inside the interval", func(r *progress.Reporter) {
			r.Phase(parse(10))
			synctest.Wait()
			time.Sleep(10 * ms)
			r.Phase(progress.Phase{Name: "finish", From: 100, To: 100})
			synctest.Wait()
			time.Sleep(time.Second)
		}, []push{{0, 0, 0, "row 0 of 10"}, {10 * ms, 100, 0, "finish"}}},
		{"the end inside the interval, and nothing after it", func(r *progress.Reporter) {
			r.Phase(parse(10))
			synctest.Wait()
			r.Update(4)
			time.Sleep(10 * ms)
			r.End(message.StatusFailed, "no good")
			r.End(message.StatusSucceeded, "good after all")
			r.Phase(parse(20))
			synctest.Wait()
			r.Update(20)
			time.Sleep(10 * time.Second)
			r.Update(21)
		}, []push{{0, 0, 0, "row 0 of 10"}, {10 * ms, 40, 4, "no good"}}},
		{"progress never falls", func(r *progress.Reporter) {
			r.Phase(parse(10))
			synctest.Wait()
			r.Update(8)
			time.Sleep(time.Second)
			r.Update(2)
			time.Sleep(3 * time.Second)
			r.Phase(progress.Phase{Name: "again", From: 10, To: 20})
			synctest.Wait()
			time.Sleep(time.Second)
			r.End(message.StatusSucceeded, "done")
		}, []push{{0, 0, 0, "row 0 of 10"}, {250 * ms, 80, 8, "row 8 of 10"}, {2250 * ms, 80, 2, "row 2 of 10"},
			{4000 * ms, 80, 0, "again"}, {5000 * ms, 100, 0, "done"},
		}},
		{"an update without a phase publishes nothing", func(r *progress.Reporter) {
			time.Sleep(time.Minute)
			r.Update(7)
			time.Sleep(time.Minute)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newRecorder()
				r := start(t, rec)
				tt.work(r)
				r.Close(t.Context())
				expect(t, rec, tt.want)
				for _, request := range rec.requests {
					if request.UserID != "u1" || request.Part != nil {
						t.Errorf("published %+v, want the whole job to u1", request)
					}
				}
			})
		})
	}
}

func TestRateAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := progress.New(t.Context(), progress.Config{Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv", FailedRows: 3})
		r.Phase(progress.Phase{Name: "parse", From: 5, To: 95, Steps: 1000, Done: 200, Rows: true})
		time.Sleep(2 * time.Second)
		r.Reject(4)
		r.Update(600) // 400 rows in 2 s
		r.Close(t.Context())
		want := message.UploadProgress{
			UploadID: "up-1", FileName: "f.csv", Progress: 59, Message: "parse", CurrentRow: 600, TotalRows: 1000,
			Phase: "parse", RowsPerSecond: 200, ETAMillis: 2000, FailedRows: 7,
		}
		if diff := cmp.Diff(want, rec.last(t)); diff != "" {
			t.Errorf("last push (-want +got):\n%s", diff)
		}
		for _, d := range rec.data {
			if err := d.Validate(); err != nil {
				t.Errorf("published data is invalid: %v", err)
			}
		}
	})
}

func TestErrorsArePublishedAtOnceAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		r.Phase(parse(10))
		synctest.Wait()
		r.Error(message.Error{Code: "ONE", Message: "m"})
		synctest.Wait()
		if diff := cmp.Diff(message.Data(message.Error{Code: "ONE", Message: "m"}), rec.data[len(rec.data)-1]); diff != "" {
			t.Errorf("last push (-want +got):\n%s", diff)
		}
		rec.delay = time.Second
		r.Error(message.Error{Code: "SLOW", Message: "m"})
		synctest.Wait() // Now the publisher is busy with SLOW.
		const many, mayWait = 40, 16
		for range many {
			r.Error(message.Error{Code: "MANY", Message: "m"})
		}
		if got := r.Stats().Dropped; got != many-mayWait {
			t.Errorf("%d errors dropped, want %d", got, many-mayWait)
		}
		rec.delay = 0
		r.Close(t.Context())
	})
}

var errDown = errors.New("publisher down")

func TestSlowPublisherDoesNotSlowTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		rec.delay = time.Second
		r := start(t, rec)
		startedAt := time.Now()
		r.Phase(parse(1_000_000))
		for row := range int64(1_000_000) {
			r.Update(row + 1)
		}
		r.Phase(progress.Phase{Name: "second", From: 100, To: 100})
		r.Phase(progress.Phase{Name: "third", From: 100, To: 100})
		if took := time.Since(startedAt); took != 0 {
			t.Errorf("the work was delayed by %v", took)
		}
		r.Close(t.Context())
		if got := rec.last(t); got.Phase != "third" || len(rec.published()) > 2 {
			t.Errorf("last phase is %q after %d pushes, want the newest state after at most 2", got.Phase, len(rec.published()))
		}
	})
}

func TestLastStateArrivesAfterFailures(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures int
	}{{"one", 1}, {"two", 2}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newRecorder()
				r := start(t, rec)
				r.Phase(parse(10))
				synctest.Wait()
				rec.fail = func(call int) error { // Call 1 has published the phase.
					if call <= 1+tt.failures {
						return errDown
					}
					return nil
				}
				r.Update(10)
				r.Close(t.Context())
				if got := rec.last(t).Progress; got != 100 {
					t.Errorf("last progress is %v, want 100", got)
				}
				if got, want := r.Stats(), (progress.Stats{Published: 2, Failed: int64(tt.failures)}); got != want {
					t.Errorf("stats are %+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestFailedTerminalIsTriedAgainWithoutClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		rec.fail = func(call int) error {
			if call == 2 {
				return errDown
			}
			return nil
		}
		r := start(t, rec)
		r.Phase(parse(10))
		synctest.Wait()
		r.End(message.StatusCancelled, "stopped")
		time.Sleep(time.Minute)
		expect(t, rec, []push{{0, 0, 0, "row 0 of 10"}, {2 * time.Second, 0, 0, "stopped"}})
		r.Close(t.Context())
	})
}

func TestCloseIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name         string
		heedsContext bool
	}{{"publisher that heeds its context", true}, {"publisher that does not", false}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newRecorder()
				rec.delay, rec.heedsContext = time.Hour, tt.heedsContext
				var log bytes.Buffer
				r := progress.New(t.Context(), progress.Config{
					Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv",
					Logger: slog.New(slog.NewTextHandler(&log, nil)),
				})
				r.Phase(parse(10))
				synctest.Wait()
				r.Update(5)
				startedAt := time.Now()
				r.Close(t.Context())
				if took := time.Since(startedAt); took > progress.CloseTimeout {
					t.Errorf("Close took %v, want at most %v", took, progress.CloseTimeout)
				}
				r.Close(t.Context()) // may be called again
				synctest.Wait()
				if tt.heedsContext && (!strings.Contains(log.String(), "uploadId=up-1") || strings.Contains(log.String(), "row 0")) {
					t.Errorf("the log must contain the upload, and never the message:\n%s", log.String())
				}
				time.Sleep(2 * time.Hour) // until the call that ignores its context has ended
			})
		})
	}
}

func TestCancelledWorkStillReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		r := progress.New(ctx, progress.Config{Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv"})
		r.Phase(parse(10))
		cancel()
		r.End(message.StatusCancelled, "stopped")
		r.Close(t.Context())
		if got := rec.last(t).Status; got != message.StatusCancelled {
			t.Errorf("last status is %q, want cancelled", got)
		}
	})
}

func TestManyGoroutinesMayUpdateOneReporter(t *testing.T) {
	rec := newRecorder()
	r := start(t, rec)
	r.Phase(parse(10_000))
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for row := range int64(10_000) {
				r.Update(row + 1)
				r.Reject(1)
			}
		})
	}
	workers.Wait()
	r.Update(10_000)
	r.Close(t.Context())
	if got := rec.last(t); got.Progress != 100 || got.FailedRows != 40_000 {
		t.Errorf("last push is %+v, want progress 100 with 40000 failed rows", got)
	}
}

func TestReporterWithoutAPublisherPublishesNothing(t *testing.T) {
	r := start(t, nil)
	r.Phase(parse(10))
	r.Update(5)
	r.End(message.StatusSucceeded, "done")
	r.Close(t.Context())
	if got := r.Stats(); got != (progress.Stats{}) {
		t.Errorf("stats are %+v, want none", got)
	}
}

// discard is a Publisher that does nothing.
type discard struct{}

func (discard) Publish(context.Context, message.Request) error { return nil }

func BenchmarkUpdate(b *testing.B) {
	for _, bb := range []struct {
		name string
		to   progress.Publisher
	}{{"published", discard{}}, {"nil publisher", nil}} {
		b.Run(bb.name, func(b *testing.B) {
			r := progress.New(b.Context(), progress.Config{Publisher: bb.to, UserID: "u1", UploadID: "up-1", FileName: "f.csv"})
			defer r.Close(b.Context())
			r.Phase(parse(int64(b.N)))
			b.ReportAllocs()
			var row int64
			for b.Loop() {
				row++
				r.Update(row)
			}
		})
	}
}
