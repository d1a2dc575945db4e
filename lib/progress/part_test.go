package progress_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

const (
	epoch = "2026-11-22T10:00:00.000Z#0000"
	arn   = "arn:aws:states:us-east-1:123456789012:execution:m:x"
)

// startPart returns a new Reporter of a part, or of the whole job if part is empty.
func startPart(t *testing.T, publisher progress.Publisher, part string) *progress.Reporter {
	t.Helper()
	return progress.New(t.Context(), progress.Config{
		Publisher: publisher, UserID: "u1", UploadID: "up-1", FileName: "f.csv", Epoch: epoch, Execution: arn, Part: part,
	})
}

func TestEveryRequestNamesItsRun(t *testing.T) {
	for _, part := range []string{"", "7"} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			r := startPart(t, rec, part)
			r.Phase(parse(10))
			synctest.Wait()
			r.Error(message.Error{Code: "C", Message: "m"})
			r.End(message.StatusFailed, "no good")
			r.Close(t.Context())
			if len(rec.requests) != 3 {
				t.Fatalf("%d requests, want the phase, the error and the end", len(rec.requests))
			}
			for i, request := range rec.requests {
				if err := request.Validate(); err != nil || request.Epoch != epoch || request.Execution != arn {
					t.Errorf("request %+v: %v", request, err)
				}
				if hasPart := i == 0 && part != ""; hasPart != (request.Part != nil) {
					t.Errorf("part %q, request %d: part is %+v", part, i, request.Part)
				}
			}
		})
	}
}

func TestAPartReportsItsDoneAndFailedSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := startPart(t, rec, "7")
		r.Phase(progress.Phase{Name: "parse", From: 5, To: 95, Steps: 10_000, Rows: true})
		synctest.Wait()
		time.Sleep(time.Second)
		r.Reject(30) // before the Update that counts them as done
		r.Update(20) // 0.18 % of the job: not pushed yet
		time.Sleep(500 * time.Millisecond)
		r.Update(112) // 1.008 %: pushed at once
		synctest.Wait()
		r.Reject(2)
		r.Update(120)
		r.Close(t.Context())
		part := func(done, failed int64) message.Part {
			return message.Part{ID: "7", Done: done, Total: 10_000, Failed: failed, From: 5, To: 95}
		}
		var got []message.Part
		for _, request := range rec.requests {
			if err := request.Validate(); err != nil || request.Part == nil {
				t.Fatalf("request %+v: %v", request, err)
			}
			got = append(got, *request.Part)
		}
		if diff := cmp.Diff([]message.Part{part(0, 0), part(112, 30), part(120, 32)}, got); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
		if at := rec.published()[1].At; at != 1500*time.Millisecond {
			t.Errorf("the second part was published at %v, want 1.5 s, when it had moved by a percent", at)
		}
	})
}

func TestAPartIsAlwaysValid(t *testing.T) {
	for name, work := range map[string]func(r *progress.Reporter){
		"more failed than done":    func(r *progress.Reporter) { r.Phase(parse(10)); r.Reject(3); r.Update(1) },
		"more done than there are": func(r *progress.Reporter) { r.Phase(parse(10)); r.Update(99) },
		"no steps":                 func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "wait", From: 1, To: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder()
			r := startPart(t, rec, "7")
			work(r)
			r.Close(t.Context())
			for _, request := range rec.requests {
				if err := request.Validate(); err != nil {
					t.Errorf("request %+v: %v", request, err)
				}
			}
			if len(rec.requests) == 0 {
				t.Error("nothing was published")
			}
		})
	}
}

// TestEveryStateSaysWhenItWasSent: workers' states may arrive in another order, and the feed puts them in the order of sending.
func TestEveryStateSaysWhenItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		began := time.Now()
		r.Phase(parse(100))
		synctest.Wait()
		time.Sleep(time.Second)
		r.Update(50)
		synctest.Wait()
		time.Sleep(time.Second)
		r.End(message.StatusSucceeded, "Done")
		r.Close(t.Context())
		if len(rec.requests) != 3 {
			t.Fatalf("%d requests, want 3", len(rec.requests))
		}
		for i, request := range rec.requests {
			if want := began.Add(time.Duration(i) * time.Second); !request.SentAt.Equal(want) {
				t.Errorf("request %d was sent at %s, want %s", i, request.SentAt, want)
			}
		}
	})
}

func TestAReporterOfAJobThatIsNoFilePublishesJobProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := progress.New(t.Context(), progress.Config{
			Publisher: rec, UserID: "u1", JobID: "report-7", Title: "Report of May", UploadID: "not used", FileName: "not used", Attempt: 2, MaxAttempts: 3,
		})
		r.Phase(progress.Phase{Name: "approval", Status: message.StatusWaiting, From: 5})
		synctest.Wait()
		r.Phase(progress.Phase{Name: "render", Status: message.StatusFailed, From: 10}) // a phase is no end
		synctest.Wait()
		r.End(message.StatusSucceeded, "Done")
		r.Close(t.Context())
		job := message.JobProgress{JobID: "report-7", Title: "Report of May", Attempt: 2, Of: 3}
		waiting, rendering, done := job, job, job
		waiting.Phase, waiting.Message, waiting.Progress, waiting.Status = "approval", "approval", 5, message.StatusWaiting
		rendering.Phase, rendering.Message, rendering.Progress = "render", "render", 10
		done.Phase, done.Message, done.Progress, done.Status = "render", "Done", 100, message.StatusSucceeded
		if diff := cmp.Diff([]message.Data{waiting, rendering, done}, rec.data); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestAttemptsOfAReporterAreAlwaysValid(t *testing.T) {
	for _, tt := range []struct{ attempt, maxAttempts, wantAttempt, wantOf int64 }{
		{0, 0, 0, 0}, {1, 0, 1, 0}, {2, 3, 2, 3}, {0, 3, 0, 0}, {-1, 3, 0, 0}, {4, 3, 4, 4}, {1, -1, 1, 0}, {1 << 40, 1 << 41, 9999, 9999},
	} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			r := progress.New(t.Context(), progress.Config{Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv", Attempt: tt.attempt, MaxAttempts: tt.maxAttempts})
			r.Phase(parse(1))
			r.Close(t.Context())
			got := rec.last(t)
			if err := rec.requests[0].Validate(); err != nil || got.Attempt != tt.wantAttempt || got.Of != tt.wantOf {
				t.Errorf("attempt %d of %d is published as %d of %d, %v", tt.attempt, tt.maxAttempts, got.Attempt, got.Of, err)
			}
		})
	}
}

func TestTimesOfSilenceOfAReporterAreAlwaysValid(t *testing.T) {
	for _, tt := range []struct {
		expectEvery, endAfter time.Duration
		want                  [2]int64
	}{
		{0, 0, [2]int64{0, 0}}, {time.Minute, time.Hour, [2]int64{60, 3600}}, {1500 * time.Millisecond, time.Millisecond, [2]int64{5, 60}},
		{-1, -1, [2]int64{0, 0}}, {time.Hour, time.Minute, [2]int64{3600, 3601}}, {1 << 62, 1 << 62, [2]int64{86_400, 2_592_000}},
	} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			r := progress.New(t.Context(), progress.Config{Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv", ExpectEvery: tt.expectEvery, EndAfter: tt.endAfter})
			r.Phase(parse(1))
			synctest.Wait()
			got := rec.last(t)
			if err := rec.requests[0].Validate(); err != nil || [2]int64{got.ExpectEvery, got.EndAfter} != tt.want {
				t.Errorf("%v and %v are published as %d and %d, %v", tt.expectEvery, tt.endAfter, got.ExpectEvery, got.EndAfter, err)
			}
			r.End(message.StatusFailed, "Failed")
			r.Close(t.Context())
			if got := rec.last(t); got.ExpectEvery != 0 || got.EndAfter != 0 {
				t.Errorf("the end has the times %d and %d", got.ExpectEvery, got.EndAfter)
			}
		})
	}
}

func TestTheEndOfAReporterHasAValidResult(t *testing.T) {
	own := message.ResultPrefix("u1") + "report-7/report.pdf"
	for result, want := range map[string]string{
		own: own, "https://example.com/r": "https://example.com/r", "": "", "http://example.com/r": "", message.ResultPrefix("u2") + "x": "", own + strings.Repeat("x", 1024): "",
	} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			r := start(t, rec)
			r.SetResult(result)
			r.Phase(parse(1))
			synctest.Wait()
			r.End(message.StatusSucceeded, "Done")
			r.Close(t.Context())
			first, last := rec.data[0].(message.UploadProgress), rec.last(t)
			if err := rec.requests[1].Validate(); err != nil || first.Result != "" || last.Result != want {
				t.Errorf("%.60q is published as %q, then %q, %v", result, first.Result, last.Result, err)
			}
		})
	}
}

// TestAReporterListsSteps: a changed list is published without an Update, invalid ones are not, and of many the newest are.
func TestAReporterListsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		first := message.Step{Name: "fetch", Status: message.StepSucceeded}
		r.ListSteps(first)
		r.Phase(parse(1))
		time.Sleep(time.Hour)
		many := make([]message.Step, message.MaxListedSteps+1)
		for n := range many {
			many[n].Name = strings.Repeat("x", n+1)
		}
		r.ListSteps(many...)
		r.ListSteps(message.Step{Name: ""})
		time.Sleep(time.Hour)
		r.ListSteps(first, message.Step{Name: "parse"})
		r.Close(t.Context())
		want := []message.Steps{message.NewSteps(first), message.NewSteps(many[1:]...), message.NewSteps(first, message.Step{Name: "parse"})}
		var got []message.Steps
		for _, data := range rec.data {
			got = append(got, data.(message.UploadProgress).Steps)
			if err := data.Validate(); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("published steps (-want +got):\n%s", diff)
		}
	})
}
