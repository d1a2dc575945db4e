package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

const (
	otherARN = "arn:aws:states:us-east-1:123456789012:execution:m:other"
	arn      = "arn:aws:states:us-east-1:123456789012:execution:m:x"
	redriven = "1999-12-31T10:00:00.000Z#0001"
	// months are longer than a job lives of which no workflow's end is expected.
	months   = 90 * 24 * time.Hour
	schedule = `{"version":"0","detail-type":"Scheduled Event","detail":{}}`
)

// workflows answers for each ARN; what it does not know does not exist.
type workflows struct {
	answers map[string]notify.Workflow
	fail    map[string]error
	takes   time.Duration

	mu           sync.Mutex
	asked        []string
	asking, most int
}

func (w *workflows) Status(ctx context.Context, arn string) (notify.Workflow, error) {
	w.mu.Lock()
	w.asked = append(w.asked, arn)
	w.asking++
	w.most = max(w.most, w.asking)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.asking--
		w.mu.Unlock()
	}()
	if w.takes > 0 {
		select {
		case <-time.After(w.takes):
		case <-ctx.Done():
			return notify.Workflow{}, ctx.Err()
		}
	}
	if err := w.fail[arn]; err != nil {
		return notify.Workflow{}, err
	}
	answer, ok := w.answers[arn]
	if !ok {
		return notify.Workflow{}, notify.ErrNoWorkflow
	}

	return answer, nil
}

// statusChange returns an event as EventBridge delivers it.
func statusChange(arn, status string, redrives int) string {
	return fmt.Sprintf(`{"version":"0","id":"315c1398","detail-type":"Step Functions Execution Status Change","source":"aws.states",
		"account":"123456789012","time":"1999-12-31T10:00:00Z","region":"us-east-1","resources":[%[1]q],
		"detail":{"executionArn":%[1]q,"stateMachineArn":"arn:m","name":"x","status":%[2]q,"startDate":1551225271984,
		"stopDate":null,"input":"{}","output":null,"redriveCount":%[3]d,"redriveDate":null,"redriveStatus":"REDRIVABLE"}}`, arn, status, redrives)
}

// succeeded returns the event of a success with an output.
func succeeded(output string) string {
	return strings.Replace(statusChange(arn, "SUCCEEDED", 0), `"output":null`, fmt.Sprintf(`"output":%q`, output), 1)
}

func running(percent float64) message.Request {
	r := at(percent)
	r.Execution = arn

	return r
}

func inEpoch(r message.Request, epoch string) message.Request {
	r.Epoch = epoch

	return r
}

func by(r message.Request, arn string) message.Request {
	r.Execution = arn

	return r
}

func TestSweeper(t *testing.T) {
	failed := message.UploadProgress{UploadID: "j", FileName: "f.csv", Progress: 42, Message: "The workflow failed", Phase: "p", Status: message.StatusFailed}
	as := func(status message.Status, text string, percent float64) *message.UploadProgress {
		p := failed
		p.Status, p.Message, p.Progress = status, text, percent

		return &p
	}
	itself := with(running(42), func(p *message.UploadProgress) { p.Status, p.Message = message.StatusFailed, "said so" })
	for _, tt := range []struct {
		name   string
		before []message.Request // what the workflow said of itself
		silent time.Duration
		event  string
		now    notify.Workflow         // none: it does not exist
		want   *message.UploadProgress // nil: nothing is posted
		stays  bool                    // the pointer
	}{
		{"failed", []message.Request{running(42)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, &failed, false},
		{"timed out", []message.Request{running(42)}, 0, statusChange(arn, "TIMED_OUT", 0), notify.Workflow{}, as(message.StatusFailed, "The workflow took too long", 42), false},
		{"aborted", []message.Request{running(42)}, 0, statusChange(arn, "ABORTED", 0), notify.Workflow{}, as(message.StatusCancelled, "The workflow was stopped", 42), false},
		{"succeeded without a word", []message.Request{running(42)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, as(message.StatusSucceeded, "Done", 100), false},
		{"a success that said so itself", []message.Request{running(1), inEpoch(ended(message.StatusSucceeded), epoch)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, false},
		{"a success of before the redrive", []message.Request{inEpoch(running(42), redriven)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, true},
		{"a success, and another execution has taken over", []message.Request{running(1), by(running(42), otherARN)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, true},
		{"superseded", []message.Request{running(42)}, 0, succeeded(`{"superseded":true}`), notify.Workflow{}, nil, true},
		{"not superseded", []message.Request{running(42)}, 0, succeeded(`{"superseded":false}`), notify.Workflow{}, as(message.StatusSucceeded, "Done", 100), false},
		{"an output that is no object", []message.Request{running(42)}, 0, succeeded(`["superseded"]`), notify.Workflow{}, as(message.StatusSucceeded, "Done", 100), false},
		{"it runs", []message.Request{running(42)}, 0, statusChange(arn, "RUNNING", 0), notify.Workflow{}, nil, true},
		{"it waits for a redrive", []message.Request{running(42)}, 0, statusChange(arn, "PENDING_REDRIVE", 0), notify.Workflow{}, nil, true},
		{"another execution", []message.Request{running(42)}, 0, statusChange(otherARN, "FAILED", 0), notify.Workflow{}, nil, true},
		{"it ended the job itself", []message.Request{running(1), itself}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, false},
		{"an event of before the redrive", []message.Request{inEpoch(running(42), redriven)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},
		{"an event of the redrive", []message.Request{inEpoch(running(42), redriven)}, 0, statusChange(arn, "FAILED", 1), notify.Workflow{}, &failed, false},
		{"an event of a later redrive", []message.Request{running(42)}, 0, statusChange(arn, "FAILED", 1), notify.Workflow{}, &failed, false},

		{"another execution has taken over", []message.Request{running(1), by(running(42), otherARN)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},
		{"a run without an epoch is over", []message.Request{inEpoch(running(1), ""), by(running(42), otherARN)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},

		{"silent, failed", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{"silent, succeeded", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{Status: "SUCCEEDED"}, as(message.StatusSucceeded, "Done", 100), false},
		{"silent, timed out", []message.Request{running(42)}, time.Hour, `{}`, notify.Workflow{Status: "TIMED_OUT"}, as(message.StatusFailed, "The workflow took too long", 42), false},
		{"silent, aborted", []message.Request{running(42)}, time.Hour, `null`, notify.Workflow{Status: "ABORTED"}, as(message.StatusCancelled, "The workflow was stopped", 42), false},
		{"silent, no such workflow", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{}, as(message.StatusFailed, "The workflow is not known any more", 42), false},
		{"silent, running", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{Status: "RUNNING"}, nil, true},
		{"silent, waits for a redrive", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{Status: "PENDING_REDRIVE"}, nil, true},
		{"silent, a status of the future", []message.Request{running(42)}, time.Hour, schedule, notify.Workflow{Status: "PAUSED"}, nil, true},
		{"silent, an answer of before the redrive", []message.Request{inEpoch(running(42), redriven)}, time.Hour, schedule, notify.Workflow{Status: "FAILED"}, nil, true},
		{"silent, failed again", []message.Request{inEpoch(running(42), redriven)}, time.Hour, schedule, notify.Workflow{Status: "FAILED", RedriveCount: 1}, &failed, false},
		{"not silent for long enough", []message.Request{running(42)}, notify.Silence, schedule, notify.Workflow{Status: "FAILED"}, nil, true},
		{"just silent for long enough", []message.Request{running(42)}, notify.Silence + ms, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{
			"silent, another execution has taken over", []message.Request{running(1), by(running(42), otherARN)}, time.Hour, schedule,
			notify.Workflow{Status: "FAILED"}, nil, false,
		},
		{
			"silent, the job is in a newer run", []message.Request{running(1), inEpoch(at(42), redriven)}, time.Hour, schedule,
			notify.Workflow{Status: "RUNNING"}, nil, false,
		},
		{"silent, superseded", []message.Request{running(42)}, feed.JobTTL, schedule, notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil, true},
		{
			"superseded, and another execution has taken over", []message.Request{running(1), by(running(42), otherARN)}, time.Hour, schedule,
			notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil, false,
		},
		{
			"superseded by an execution that never reports", []message.Request{running(42)}, feed.JobTTL + ms, schedule,
			notify.Workflow{Status: "SUCCEEDED", Superseded: true}, as(message.StatusFailed, "The workflow that replaced this one never reported", 42), false,
		},
		{"silent for months, failed", []message.Request{running(42)}, months, statusChange(arn, "FAILED", 0), notify.Workflow{}, &failed, false},
		{"silent for months, found failed", []message.Request{running(42)}, months, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{"silent for months, running", []message.Request{running(42)}, months, schedule, notify.Workflow{Status: "RUNNING"}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				for _, r := range tt.before {
					publish(t, worker(t, memory, newTabs()), r)
				}
				time.Sleep(tt.silent)
				w := &workflows{answers: map[string]notify.Workflow{otherARN: {Status: "RUNNING"}}}
				if tt.now.Status != "" {
					w.answers[arn] = tt.now
				}
				s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: memory, Workflows: w}
				for range 2 { // an event may come twice, and a sweep finds what the one before has left
					if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
						t.Error(err)
					}
				}
				var want []message.UploadProgress
				if tt.want != nil {
					want = append(want, *tt.want)
				}
				var got []message.UploadProgress
				for _, e := range to.got() {
					state, _ := message.AsUploadProgress(e.Data)
					got = append(got, state)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("posted (-want +got):\n%s", diff)
				}
				if left := pointers(t, memory); len(left) > 0 != tt.stays {
					t.Errorf("pointers: %+v, want that one stays: %v", left, tt.stays)
				}
			})
		})
	}
}

// TestASucceededExecutionEndsItsJobInSeconds: 1 % is not what the user is left with until the next sweep.
func TestASucceededExecutionEndsItsJobInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, worker(t, memory, newTabs()), running(1))
		s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: memory}
		start := time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "SUCCEEDED", 0))); err != nil {
			t.Fatal(err)
		}
		state, _ := message.AsUploadProgress(to.got()[0].Data)
		if took := time.Since(start); took > 3*time.Second || state.Status != message.StatusSucceeded || state.Progress != 100 {
			t.Errorf("after %v the tabs have %+v", took, state)
		}
	})
}

// TestASuccessLeavesTheJobItsOwnEnd: a workflow that does not wait for the notifier may end before its last state is stored.
func TestASuccessLeavesTheJobItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, worker(t, memory, newTabs()), running(1))
		go func() {
			time.Sleep(time.Second)
			publish(t, worker(t, memory, to), with(running(100), func(p *message.UploadProgress) {
				p.Status, p.Message = message.StatusSucceeded, "Imported 2 of 2 rows"
			}))
		}()
		s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: memory}
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "SUCCEEDED", 0))); err != nil {
			t.Fatal(err)
		}
		if got := row(t, memory); got.State.Message != "Imported 2 of 2 rows" || len(to.got()) != 1 || len(pointers(t, memory)) != 0 {
			t.Errorf("the row is %+v, posted %v", got, to.got())
		}
	})
}

// TestTheEndOfAnExecutionWithoutJobsDoesNotWait: one invocation for each execution in the account must be a short one.
func TestTheEndOfAnExecutionWithoutJobsDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &notify.Sweeper{Feed: &feed.Memory{}}
		start := time.Now()
		err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "SUCCEEDED", 0)))
		if took := time.Since(start); err != nil || took > 0 {
			t.Errorf("%v, took %v", err, took)
		}
	})
}

func TestAnEventThatNamesNoExecutionIsAnError(t *testing.T) {
	s := &notify.Sweeper{}
	for _, detail := range []string{``, `,"detail":{}`, `,"detail":{"executionArn":7,"status":"FAILED"}`, `,"detail":{"executionArn":"arn:x"}`} {
		if err := s.Handle(t.Context(), json.RawMessage(`{"detail-type":"Step Functions Execution Status Change"`+detail+`}`)); err == nil {
			t.Errorf("%q is no error", detail)
		}
	}
}

// TestARepeatedEndIsPostedAgain: the first try may have died between storing and posting.
func TestARepeatedEndIsPostedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, worker(t, memory, newTabs()), running(42))
		kept := pointing{memory, pointers(t, memory), nil}
		s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: kept}
		for range 2 {
			if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 0))); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		if posts := to.sent(); len(posts) != 2 || posts[0].Frame != posts[1].Frame {
			t.Errorf("posts are %v, want the same frame twice", posts)
		}
	})
}

// TestARunWhoseFirstStateWasLostEnds: its pointer is there, and the job's row is of the run before.
func TestARunWhoseFirstStateWasLostEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, worker(t, memory, newTabs()), at(42))
		p := feed.Pointer{Execution: arn, Owner: feed.User("u1"), Job: "j", Epoch: redriven, At: time.Now()}
		s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: pointing{memory, []feed.Pointer{p}, nil}}
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 1))); err != nil {
			t.Fatal(err)
		}
		want := message.UploadProgress{UploadID: "j", FileName: "f.csv", Message: "The workflow failed", Status: message.StatusFailed}
		got := row(t, memory)
		if diff := cmp.Diff(want, got.State); diff != "" || got.Epoch != redriven || got.Seq != 1 {
			t.Errorf("epoch %s, seq %d, state (-want +got):\n%s", got.Epoch, got.Seq, diff)
		}
	})
}

// rowless is a feed whose jobs have no rows yet.
type rowless struct{ *feed.Memory }

func (rowless) Job(context.Context, string, string) (feed.Row, error) {
	return feed.Row{}, feed.ErrNotFound
}

// TestAPointerWithoutARow: the row is under way while the pointer is young, and after that was never written.
func TestAPointerWithoutARow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		silent time.Duration
		event  string
		now    notify.Workflow // none: it does not exist
		stays  bool
	}{
		{"young, no such workflow", notify.Silence, schedule, notify.Workflow{}, true},
		{"young, failed", notify.Silence, schedule, notify.Workflow{Status: "FAILED"}, true},
		{"no such workflow", notify.Silence + ms, schedule, notify.Workflow{}, false},
		{"failed", notify.Silence + ms, schedule, notify.Workflow{Status: "FAILED"}, false},
		{"running", notify.Silence + ms, schedule, notify.Workflow{Status: "RUNNING"}, true},
		{"an event", notify.Silence + ms, statusChange(arn, "FAILED", 0), notify.Workflow{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				publish(t, worker(t, memory, newTabs()), running(1))
				time.Sleep(tt.silent)
				w := &workflows{answers: map[string]notify.Workflow{}}
				if tt.now.Status != "" {
					w.answers[arn] = tt.now
				}
				s := &notify.Sweeper{Notifier: worker(t, memory, to), Feed: rowless{memory}, Workflows: w}
				if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
					t.Error(err)
				}
				if left := pointers(t, memory); len(left) > 0 != tt.stays || len(to.sent()) > 0 {
					t.Errorf("pointers: %+v, want that one stays: %v; posts: %v", left, tt.stays, to.sent())
				}
			})
		})
	}
}

// FuzzSweeper: an event never panics, and ends no job but that of the execution it names.
func FuzzSweeper(f *testing.F) {
	for _, event := range []string{schedule, `null`, `{}`, `[]`, statusChange(arn, "FAILED", 0), statusChange(arn, "ABORTED", 3)} {
		f.Add([]byte(event))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		memory := &feed.Memory{}
		n := worker(t, memory, newTabs())
		n.Broadcaster.Store = &connection.Memory{}
		publish(t, n, running(1))
		s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		_ = s.Handle(t.Context(), event)
		var e struct {
			Detail struct {
				ExecutionARN string `json:"executionArn"`
			} `json:"detail"`
		}
		_ = json.Unmarshal(event, &e)
		if row(t, memory).State.Status.Terminal() && e.Detail.ExecutionARN != arn {
			t.Errorf("%q ended the job", event)
		}
	})
}
