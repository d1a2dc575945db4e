package progress_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/progress"
)

// These tests are about states and errors whose first push fails. In the end each must have been published.

// TestASlowlyFailingPushIsRepeated lets pushes fail after a time. The work reports nothing more after that, and does not close the
// Reporter. The state must be published all the same.
func TestASlowlyFailingPushIsRepeated(t *testing.T) {
	for _, takes := range []time.Duration{0, 250 * time.Millisecond, 1999 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond, time.Hour} {
		for name, work := range map[string]func(r *progress.Reporter){
			"progress": func(r *progress.Reporter) { r.Update(5) },
			"a phase":  func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "finish", From: 50, To: 50}) },
			"the end":  func(r *progress.Reporter) { r.End(message.StatusFailed, "no good") },
		} {
			t.Run(name+" after "+takes.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rec := newRecorder()
					r := start(t, rec)
					r.Phase(parse(10))
					time.Sleep(time.Minute)
					synctest.Wait()
					rec.setDelay(takes)
					rec.fail = func(call int) error {
						if call <= 3 {
							return errDown
						}
						return nil
					}
					before := len(rec.published())
					work(r)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					rec.setDelay(0)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if got := rec.published(); len(got) != before+1 || r.Stats().Failed < 2 {
						t.Errorf("pushes are %v, %+v; want that the state arrived", got, r.Stats())
					}
					r.Close(t.Context())
				})
			})
		}
	}
}

// TestAFailedPushIsRepeatedAfterASlowError publishes an error while the push of a state has failed. Publishing the error takes longer
// than the interval after which the push of the state is due again.
func TestAFailedPushIsRepeatedAfterASlowError(t *testing.T) {
	for _, takes := range []time.Duration{1999 * time.Millisecond, 2 * time.Second, 2500 * time.Millisecond, time.Hour} {
		for name, errorFails := range map[string]bool{"fails": true, "succeeds": false} {
			t.Run("the error "+name+" after "+takes.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rec := newRecorder()
					r := progress.New(t.Context(), progress.Config{
						Publisher: &slowErrors{recorder: rec, takes: takes, fails: errorFails}, UserID: "u1", UploadID: "up-1", FileName: "f.csv",
					})
					r.Phase(parse(10))
					r.Error(message.Error{Code: "C", Message: "m"})
					time.Sleep(10 * time.Second)
					if got := rec.published(); len(got) != 1 {
						t.Errorf("pushes are %v, %+v; want that the state arrived", got, r.Stats())
					}
					r.Close(t.Context())
				})
			})
		}
	}
}

// slowErrors is a Publisher whose first call with a state fails at once.
type slowErrors struct {
	*recorder

	takes time.Duration // how long a call with an error message takes
	fails bool          // calls with error messages fail
	tried bool          // the first state has failed
}

func (s *slowErrors) Publish(ctx context.Context, request message.Request) error {
	if _, isError := request.Message.(message.Error); isError {
		s.setDelay(s.takes)
		err := s.recorder.Publish(ctx, request)
		s.setDelay(0)
		if s.fails {
			return errDown
		}
		return err
	}
	if !s.tried {
		s.tried = true
		return errDown
	}
	return s.recorder.Publish(ctx, request)
}

// TestAStateThatMayHaveArrivedIsReplaced lets the push of a second state fail. The push may have arrived nevertheless. Then the work
// goes back to the first state. The first state must be published again, because the user may see the second one.
func TestAStateThatMayHaveArrivedIsReplaced(t *testing.T) {
	for name, wait := range map[string]time.Duration{"by the timer": 10 * time.Second, "by Close": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newRecorder()
				r := start(t, rec)
				r.Phase(parse(10))
				time.Sleep(time.Minute)
				synctest.Wait()
				rec.fail = func(call int) error {
					if call == 2 {
						return errDown
					}
					return nil
				}
				r.Update(5)
				synctest.Wait()
				r.Update(0)
				time.Sleep(wait)
				r.Close(t.Context())
				if got := rec.published(); len(got) != 2 || got[1].Row != 0 {
					t.Errorf("pushes are %v, want the first state twice", got)
				}
			})
		})
	}
}

// TestCloseWithACancelledContextStillPublishesTheEnd cancels the work. The user must see that it was cancelled.
func TestCloseWithACancelledContextStillPublishesTheEnd(t *testing.T) {
	for name, delay := range map[string]time.Duration{"at once": 0, "slowly": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := newRecorder()
				rec.delay = delay
				ctx, cancel := context.WithCancel(t.Context())
				r := progress.New(ctx, progress.Config{Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: "f.csv"})
				r.Phase(parse(10))
				synctest.Wait()
				cancel()
				r.End(message.StatusCancelled, "stopped")
				startedAt := time.Now()
				r.Close(ctx)
				if got, took := rec.last(t), time.Since(startedAt); got.Status != message.StatusCancelled || took > progress.CloseTimeout {
					t.Errorf("after %v the last state is %+v, want cancelled", took, got)
				}
			})
		})
	}
}

// TestNoDeadlineChangesHowLongCloseTries closes Reporters with different deadlines while the publisher is down. Each Close must take
// CloseTimeout.
func TestNoDeadlineChangesHowLongCloseTries(t *testing.T) {
	for _, deadline := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			rec.fail = func(int) error { return errDown }
			r := start(t, rec)
			r.End(message.StatusFailed, "no good")
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			startedAt := time.Now()
			r.Close(ctx)
			if took := time.Since(startedAt); took != progress.CloseTimeout {
				t.Errorf("with a deadline in %v Close took %v, want %v", deadline, took, progress.CloseTimeout)
			}
		})
	}
}

// TestCloseRetriesUntilItsTimeout lets all pushes fail for some time after the end of a job: up to 3.4 s, because the last retry of
// Close may come half a second before its timeout of 4 s. The end must be published all the same.
func TestCloseRetriesUntilItsTimeout(t *testing.T) {
	for _, down := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 3400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			rec := newRecorder()
			r := start(t, rec)
			r.Phase(parse(10))
			synctest.Wait()
			startedAt := time.Now()
			rec.fail = func(int) error {
				if time.Since(startedAt) < down {
					return errDown
				}
				return nil
			}
			r.Error(message.Error{Code: "C", Message: "m"})
			r.End(message.StatusSucceeded, "done")
			r.Close(t.Context())
			if got := rec.last(t); got.Message != "done" || time.Since(startedAt) > progress.CloseTimeout || len(rec.requests) != 3 {
				t.Errorf("down for %v: after %v and %d requests the last state is %+v", down, time.Since(startedAt), len(rec.requests), got)
			}
		})
	}
}

// TestErrorsDoNotDelayTheEnd ends a job while 16 errors wait. To publish all of them would take longer than CloseTimeout.
func TestErrorsDoNotDelayTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		r.Phase(parse(10))
		synctest.Wait()
		rec.delay = 900 * time.Millisecond
		for range 16 {
			r.Error(message.Error{Code: "C", Message: "m"})
		}
		r.End(message.StatusFailed, "no good")
		r.Close(t.Context())
		if got := rec.last(t); got.Message != "no good" {
			t.Errorf("the last state is %+v, want the end", got)
		}
	})
}

// TestAnErrorIsTriedAgainByItsKey checks that all tries of an error have the same key, because a try that failed may have arrived. The
// calls 1, 2 and 4 fail, so the first error takes three tries and the second one two.
func TestAnErrorIsTriedAgainByItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		var keys []string
		rec.fail = func(call int) error {
			if call <= 2 || call == 4 {
				return errDown
			}
			return nil
		}
		r := progress.New(t.Context(), progress.Config{Publisher: recordKeys{rec, &keys}, UserID: "u1", UploadID: "up-1", FileName: "f.csv"})
		r.Error(message.Error{Code: "ONE", Message: "m"})
		r.Error(message.Error{Code: "TWO", Message: "m"})
		time.Sleep(time.Minute)
		r.Close(t.Context())
		if len(rec.requests) != 2 || len(keys) != 5 {
			t.Fatalf("published %v with the keys %q, want two errors in five tries", rec.data, keys)
		}
		one, two := keys[:3], keys[3:]
		if one[0] == "" || one[0] != one[1] || one[1] != one[2] || two[0] != two[1] || one[0] == two[0] {
			t.Errorf("the keys of the two errors are %q and %q", one, two)
		}
	})
}

// recordKeys is a recorder that also records the key of each try.
type recordKeys struct {
	*recorder

	keys *[]string
}

func (r recordKeys) Publish(ctx context.Context, request message.Request) error {
	*r.keys = append(*r.keys, request.Key)
	return r.recorder.Publish(ctx, request)
}

func TestAnErrorThatKeepsFailingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		rec.fail = func(int) error { return errDown }
		r.Error(message.Error{Code: "C", Message: "m"})
		time.Sleep(time.Minute)
		if got := r.Stats(); got != (progress.Stats{Failed: 3, Dropped: 1}) {
			t.Errorf("%+v, want three tries", got)
		}
		r.Close(t.Context())
	})
}

// TestNothingIsPublishedAfterClose calls every method after Close. None may publish, wait or panic.
func TestNothingIsPublishedAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := newRecorder()
		r := start(t, rec)
		r.Phase(parse(10))
		r.Close(t.Context())
		before := len(rec.requests)
		r.Update(10)
		r.Reject(1)
		r.Phase(parse(20))
		r.Error(message.Error{Code: "C", Message: "m"})
		r.End(message.StatusSucceeded, "done")
		startedAt := time.Now()
		r.Close(t.Context())
		time.Sleep(time.Minute)
		if time.Since(startedAt) != time.Minute || len(rec.requests) != before {
			t.Errorf("Close took %v, published %v", time.Since(startedAt)-time.Minute, rec.data[before:])
		}
	})
}

// TestReportedStatesAreAlwaysValid reports texts and numbers that are not valid. All requests must be valid, and the job must end.
func TestReportedStatesAreAlwaysValid(t *testing.T) {
	long := strings.Repeat("\x01 a long \"line\"\n", 1000)
	for name, work := range map[string]func(r *progress.Reporter){
		"an end without a phase":   func(r *progress.Reporter) { r.End(message.StatusFailed, "no good") },
		"an end without a text":    func(r *progress.Reporter) { r.End(message.StatusSucceeded, "") },
		"a long end":               func(r *progress.Reporter) { r.End(message.StatusFailed, long) },
		"an end of invalid UTF-8":  func(r *progress.Reporter) { r.End(message.StatusFailed, "\xff") },
		"a phase without a name":   func(r *progress.Reporter) { r.Phase(progress.Phase{}) },
		"a long phase":             func(r *progress.Reporter) { r.Phase(progress.Phase{Name: long}) },
		"a phase of invalid UTF-8": func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "\xff", Steps: 1}) },
		"an empty text":            func(r *progress.Reporter) { r.Phase(progress.Phase{Text: func(int64, int64) string { return "" }}) },
		"a long text":              func(r *progress.Reporter) { r.Phase(progress.Phase{Text: func(int64, int64) string { return long }}) },
		"progress over 100": func(r *progress.Reporter) {
			r.Phase(progress.Phase{Name: "p", From: 99, To: 150, Steps: 2})
			r.Update(2)
		},
		"progress under 0": func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "p", From: -50, To: 50, Steps: 2}) },
		"progress that falls": func(r *progress.Reporter) {
			r.Phase(progress.Phase{Name: "p", From: 50, To: 10, Steps: 2})
			r.Update(1)
		},
		"progress that is NaN": func(r *progress.Reporter) {
			r.Phase(progress.Phase{Name: "p", From: math.NaN(), To: math.NaN(), Steps: 2})
		},
		"infinite progress": func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "p", To: math.Inf(1), Steps: 2}); r.Update(1) },
		"no progress":       func(r *progress.Reporter) { r.Phase(progress.Phase{Name: "p", Steps: 2}); r.Update(1) },
		"negative steps": func(r *progress.Reporter) {
			r.Phase(progress.Phase{Name: "p", To: 9, Steps: -2, Rows: true})
			r.Update(-1)
		},
		"negative done steps":      func(r *progress.Reporter) { r.Phase(parse(10)); r.Update(-5); r.Reject(-7) },
		"more rows than the limit": func(r *progress.Reporter) { r.Phase(parse(math.MaxInt64)); r.Reject(math.MaxInt64); r.Update(3) },
		"a row a day":              func(r *progress.Reporter) { r.Phase(parse(1 << 53)); time.Sleep(24 * time.Hour); r.Update(1) },
		"negative rows": func(r *progress.Reporter) {
			r.Phase(progress.Phase{Name: "p", CurrentRow: -1, TotalRows: math.MinInt64})
		},
		"a long error": func(r *progress.Reporter) { r.Phase(parse(1)); r.Error(message.Error{Code: "C", Message: long}) },
	} {
		for _, part := range []string{"", "7"} {
			t.Run(name+part, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rec := newRecorder()
					r := progress.New(t.Context(), progress.Config{
						Publisher: rec, UserID: "u1", UploadID: "up-1", FileName: long, Epoch: epoch, Execution: arn, Part: part,
					})
					work(r)
					time.Sleep(3 * time.Second)
					r.End(message.StatusCancelled, "")
					r.Close(t.Context())
					for _, request := range rec.requests {
						if err := request.Validate(); err != nil {
							t.Errorf("request %.300v: %v", request, err)
						}
						if err := message.New(request.Message, "", time.Now()).CheckSize(""); err != nil {
							t.Errorf("data %.300v: %v", request.Message, err)
						}
					}
					if !rec.last(t).Status.Terminal() || r.Stats().Failed > 0 {
						t.Errorf("the job has not ended: %+v", r.Stats())
					}
				})
			})
		}
	}
}
