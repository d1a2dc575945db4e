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
	// arn is the execution of the job "j", otherARN another execution.
	arn      = "arn:aws:states:us-east-1:123456789012:execution:m:x"
	otherARN = "arn:aws:states:us-east-1:123456789012:execution:m:other"
	// redriven is the epoch of the execution after its first redrive.
	redriven = "1999-12-31T10:00:00.000Z#0001"
	// longSilence is longer than the TTL of a job that names no execution.
	longSilence = 90 * 24 * time.Hour
	// schedule is the event that starts a sweep.
	schedule = `{"version":"0","detail-type":"Scheduled Event","detail":{}}`
)

// workflows is a Step Functions whose executions are those in answers; no other execution exists.
type workflows struct {
	answers    map[string]notify.Workflow // by ARN
	fail       map[string]error           // by ARN
	answerTime time.Duration

	mu                    sync.Mutex
	asked                 []string // the ARN of each question
	inFlight, maxInFlight int      // questions
}

func (w *workflows) Status(ctx context.Context, arn string) (notify.Workflow, error) {
	w.mu.Lock()
	w.asked = append(w.asked, arn)
	w.inFlight++
	w.maxInFlight = max(w.maxInFlight, w.inFlight)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.inFlight--
		w.mu.Unlock()
	}()
	if w.answerTime > 0 {
		select {
		case <-time.After(w.answerTime):
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

// statusChange returns the event of a status change, as EventBridge delivers it.
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

// runningAt returns a request with a state of job "j" at a progress in percent, which names the execution arn.
func runningAt(percent float64) message.Request {
	r := stateAt(percent)
	r.Execution = arn

	return r
}

// inEpoch returns r with another epoch.
func inEpoch(r message.Request, epoch string) message.Request {
	r.Epoch = epoch

	return r
}

// ofExecution returns r with another execution.
func ofExecution(r message.Request, arn string) message.Request {
	r.Execution = arn

	return r
}

// TestSweeperEndsExactlyTheJobsWhoseExecutionsEnded publishes states, waits, and gives the sweeper an event twice. It checks which end
// is posted, and whether the pointer remains.
func TestSweeperEndsExactlyTheJobsWhoseExecutionsEnded(t *testing.T) {
	failed := message.UploadProgress{UploadID: "j", FileName: "f.csv", Progress: 42, Message: "The workflow failed", Phase: "p", Status: message.StatusFailed}
	// endedAs returns the state of the job after the sweeper has ended it.
	endedAs := func(status message.Status, text string, percent float64) *message.UploadProgress {
		p := failed
		p.Status, p.Message, p.Progress = status, text, percent

		return &p
	}
	ownEnd := withState(runningAt(42), func(p *message.UploadProgress) { p.Status, p.Message = message.StatusFailed, "said so" })
	for _, tt := range []struct {
		name   string
		before []message.Request // published by the workflow
		silent time.Duration     // between these and the event
		event  string
		now    notify.Workflow         // the answer about the execution arn; empty: it does not exist
		want   *message.UploadProgress // the posted state; nil: nothing is posted
		stays  bool                    // a pointer to the execution arn remains
	}{
		{"failed", []message.Request{runningAt(42)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, &failed, false},
		{"timed out", []message.Request{runningAt(42)}, 0, statusChange(arn, "TIMED_OUT", 0), notify.Workflow{}, endedAs(message.StatusFailed, "The workflow took too long", 42), false},
		{"aborted", []message.Request{runningAt(42)}, 0, statusChange(arn, "ABORTED", 0), notify.Workflow{}, endedAs(message.StatusCancelled, "The workflow was stopped", 42), false},
		{"succeeded without publishing an end", []message.Request{runningAt(42)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, endedAs(message.StatusSucceeded, "Done", 100), false},
		{"succeeded after publishing an end", []message.Request{runningAt(1), inEpoch(endedWith(message.StatusSucceeded), epoch)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, false},
		{"a success before the redrive", []message.Request{inEpoch(runningAt(42), redriven)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, true},
		{"a success, and another execution has taken over", []message.Request{runningAt(1), ofExecution(runningAt(42), otherARN)}, 0, statusChange(arn, "SUCCEEDED", 0), notify.Workflow{}, nil, true},
		{"superseded", []message.Request{runningAt(42)}, 0, succeeded(`{"superseded":true}`), notify.Workflow{}, nil, true},
		{"not superseded", []message.Request{runningAt(42)}, 0, succeeded(`{"superseded":false}`), notify.Workflow{}, endedAs(message.StatusSucceeded, "Done", 100), false},
		{"an output that is no object", []message.Request{runningAt(42)}, 0, succeeded(`["superseded"]`), notify.Workflow{}, endedAs(message.StatusSucceeded, "Done", 100), false},
		{"the execution runs", []message.Request{runningAt(42)}, 0, statusChange(arn, "RUNNING", 0), notify.Workflow{}, nil, true},
		{"the execution waits for a redrive", []message.Request{runningAt(42)}, 0, statusChange(arn, "PENDING_REDRIVE", 0), notify.Workflow{}, nil, true},
		{"another execution", []message.Request{runningAt(42)}, 0, statusChange(otherARN, "FAILED", 0), notify.Workflow{}, nil, true},
		{"failed after publishing an end", []message.Request{runningAt(1), ownEnd}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, false},
		{"an event from before the redrive", []message.Request{inEpoch(runningAt(42), redriven)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},
		{"an event of the redrive", []message.Request{inEpoch(runningAt(42), redriven)}, 0, statusChange(arn, "FAILED", 1), notify.Workflow{}, &failed, false},
		{"an event of a later redrive", []message.Request{runningAt(42)}, 0, statusChange(arn, "FAILED", 1), notify.Workflow{}, &failed, false},

		{"another execution has taken over", []message.Request{runningAt(1), ofExecution(runningAt(42), otherARN)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},
		{"another execution has taken over a run without an epoch", []message.Request{inEpoch(runningAt(1), ""), ofExecution(runningAt(42), otherARN)}, 0, statusChange(arn, "FAILED", 0), notify.Workflow{}, nil, true},

		{"silent, failed", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{"silent, succeeded", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{Status: "SUCCEEDED"}, endedAs(message.StatusSucceeded, "Done", 100), false},
		{"silent, timed out", []message.Request{runningAt(42)}, time.Hour, `{}`, notify.Workflow{Status: "TIMED_OUT"}, endedAs(message.StatusFailed, "The workflow took too long", 42), false},
		{"silent, aborted", []message.Request{runningAt(42)}, time.Hour, `null`, notify.Workflow{Status: "ABORTED"}, endedAs(message.StatusCancelled, "The workflow was stopped", 42), false},
		{"silent, no such workflow", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{}, endedAs(message.StatusFailed, "The workflow is not known any more", 42), false},
		{"silent, running", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{Status: "RUNNING"}, nil, true},
		{"silent, waits for a redrive", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{Status: "PENDING_REDRIVE"}, nil, true},
		{"silent, an unknown status", []message.Request{runningAt(42)}, time.Hour, schedule, notify.Workflow{Status: "PAUSED"}, nil, true},
		{"silent, an answer from before the redrive", []message.Request{inEpoch(runningAt(42), redriven)}, time.Hour, schedule, notify.Workflow{Status: "FAILED"}, nil, true},
		{"silent, failed again", []message.Request{inEpoch(runningAt(42), redriven)}, time.Hour, schedule, notify.Workflow{Status: "FAILED", RedriveCount: 1}, &failed, false},
		{"not silent for long enough", []message.Request{runningAt(42)}, notify.Silence, schedule, notify.Workflow{Status: "FAILED"}, nil, true},
		{"just silent for long enough", []message.Request{runningAt(42)}, notify.Silence + ms, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{
			"silent, another execution has taken over", []message.Request{runningAt(1), ofExecution(runningAt(42), otherARN)}, time.Hour, schedule,
			notify.Workflow{Status: "FAILED"}, nil, false,
		},
		{
			"silent, the job is in a newer run", []message.Request{runningAt(1), inEpoch(stateAt(42), redriven)}, time.Hour, schedule,
			notify.Workflow{Status: "RUNNING"}, nil, false,
		},
		{"silent, superseded", []message.Request{runningAt(42)}, feed.JobTTL, schedule, notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil, true},
		{
			"superseded, and another execution has taken over", []message.Request{runningAt(1), ofExecution(runningAt(42), otherARN)}, time.Hour, schedule,
			notify.Workflow{Status: "SUCCEEDED", Superseded: true}, nil, false,
		},
		{
			"superseded by an execution that never reports", []message.Request{runningAt(42)}, feed.JobTTL + ms, schedule,
			notify.Workflow{Status: "SUCCEEDED", Superseded: true}, endedAs(message.StatusFailed, "The workflow that replaced this one never reported", 42), false,
		},
		{"silent for months, failed", []message.Request{runningAt(42)}, longSilence, statusChange(arn, "FAILED", 0), notify.Workflow{}, &failed, false},
		{"silent for months, found failed", []message.Request{runningAt(42)}, longSilence, schedule, notify.Workflow{Status: "FAILED"}, &failed, false},
		{"silent for months, running", []message.Request{runningAt(42)}, longSilence, schedule, notify.Workflow{Status: "RUNNING"}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, to := &feed.Memory{}, newTabs()
				for _, r := range tt.before {
					publish(t, newNotifier(t, memory, newTabs()), r)
				}
				time.Sleep(tt.silent)
				w := &workflows{answers: map[string]notify.Workflow{otherARN: {Status: "RUNNING"}}}
				if tt.now.Status != "" {
					w.answers[arn] = tt.now
				}
				s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: memory, Workflows: w}
				for range 2 { // an event may come twice, and a second sweep finds what the first has left
					if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
						t.Errorf("sweep: %v", err)
					}
				}
				var want []message.UploadProgress
				if tt.want != nil {
					want = append(want, *tt.want)
				}
				var got []message.UploadProgress
				for _, e := range to.received() {
					state, _ := message.AsUploadProgress(e.Data)
					got = append(got, state)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("posted (-want +got):\n%s", diff)
				}
				if left := pointersOfARN(t, memory); len(left) > 0 != tt.stays {
					t.Errorf("pointers: %+v, want one: %v", left, tt.stays)
				}
			})
		})
	}
}

// TestASucceededExecutionEndsItsJobInSeconds: the user need not wait for the next sweep.
func TestASucceededExecutionEndsItsJobInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, newNotifier(t, memory, newTabs()), runningAt(1))
		s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: memory}
		start := time.Now()
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "SUCCEEDED", 0))); err != nil {
			t.Fatal(err)
		}
		state, _ := message.AsUploadProgress(to.received()[0].Data)
		if took := time.Since(start); took > 3*time.Second || state.Status != message.StatusSucceeded || state.Progress != 100 {
			t.Errorf("after %v the tabs have %+v", took, state)
		}
	})
}

// TestASuccessLeavesTheJobItsOwnEnd: a workflow that does not wait for the notifier may end before its last state is stored. That
// state is the job's end, and not the sweeper's, because its text says more.
func TestASuccessLeavesTheJobItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, newNotifier(t, memory, newTabs()), runningAt(1))
		go func() {
			time.Sleep(time.Second)
			publish(t, newNotifier(t, memory, to), withState(runningAt(100), func(p *message.UploadProgress) {
				p.Status, p.Message = message.StatusSucceeded, "Imported 2 of 2 rows"
			}))
		}()
		s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: memory}
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "SUCCEEDED", 0))); err != nil {
			t.Fatal(err)
		}
		if got := jobRow(t, memory); got.State.Message != "Imported 2 of 2 rows" || len(to.received()) != 1 || len(pointersOfARN(t, memory)) != 0 {
			t.Errorf("the row is %+v, posted %v", got, to.received())
		}
	})
}

// TestTheEndOfAnExecutionWithoutJobsDoesNotWait: every execution in the account invokes the sweeper when it ends, so an invocation for
// an execution without jobs must be short.
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

// TestARepeatedEndIsPostedAgain: the first try may have stored the end and then failed to post it.
func TestARepeatedEndIsPostedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, newNotifier(t, memory, newTabs()), runningAt(42))
		undeleted := fixedPointers{memory, pointersOfARN(t, memory), nil}
		s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: undeleted}
		for range 2 {
			if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 0))); err != nil {
				t.Errorf("sweep: %v", err)
			}
			time.Sleep(time.Second)
		}
		if posts := to.posted(); len(posts) != 2 || posts[0].Frame != posts[1].Frame {
			t.Errorf("posts are %v, want the same frame twice", posts)
		}
	})
}

// TestARunWhoseFirstStateWasLostEnds: the pointer of the run is stored, but the job's row is still of the run before.
func TestARunWhoseFirstStateWasLostEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, to := &feed.Memory{}, newTabs()
		publish(t, newNotifier(t, memory, newTabs()), stateAt(42))
		p := feed.Pointer{Execution: arn, Owner: feed.User("u1"), Job: "j", Epoch: redriven, At: time.Now()}
		s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: fixedPointers{memory, []feed.Pointer{p}, nil}}
		if err := s.Handle(t.Context(), json.RawMessage(statusChange(arn, "FAILED", 1))); err != nil {
			t.Fatal(err)
		}
		want := message.UploadProgress{UploadID: "j", FileName: "f.csv", Message: "The workflow failed", Status: message.StatusFailed}
		got := jobRow(t, memory)
		if diff := cmp.Diff(want, got.State); diff != "" || got.Epoch != redriven || got.Seq != 1 {
			t.Errorf("epoch %s, seq %d, state (-want +got):\n%s", got.Epoch, got.Seq, diff)
		}
	})
}

// feedWithoutRows is a feed whose jobs have no rows yet.
type feedWithoutRows struct{ *feed.Memory }

func (feedWithoutRows) Job(context.Context, string, string) (feed.Row, error) {
	return feed.Row{}, feed.ErrNotFound
}

// TestAPointerWithoutARowIsDeletedOnceItIsOld: the row of the job may still be written while the pointer is young.
func TestAPointerWithoutARowIsDeletedOnceItIsOld(t *testing.T) {
	for _, tt := range []struct {
		name   string
		silent time.Duration
		event  string
		now    notify.Workflow // the answer about the execution arn; empty: it does not exist
		stays  bool            // the pointer remains
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
				publish(t, newNotifier(t, memory, newTabs()), runningAt(1))
				time.Sleep(tt.silent)
				w := &workflows{answers: map[string]notify.Workflow{}}
				if tt.now.Status != "" {
					w.answers[arn] = tt.now
				}
				s := &notify.Sweeper{Notifier: newNotifier(t, memory, to), Feed: feedWithoutRows{memory}, Workflows: w}
				if err := s.Handle(t.Context(), json.RawMessage(tt.event)); err != nil {
					t.Errorf("sweep: %v", err)
				}
				if left := pointersOfARN(t, memory); len(left) > 0 != tt.stays || len(to.posted()) > 0 {
					t.Errorf("pointers: %+v, want one: %v; posts: %v, want none", left, tt.stays, to.posted())
				}
			})
		})
	}
}

// FuzzSweeper checks that no event makes the sweeper panic, and that an event only ends the job of the execution that it names.
func FuzzSweeper(f *testing.F) {
	for _, event := range []string{schedule, `null`, `{}`, `[]`, statusChange(arn, "FAILED", 0), statusChange(arn, "ABORTED", 3)} {
		f.Add([]byte(event))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		memory := &feed.Memory{}
		n := newNotifier(t, memory, newTabs())
		n.Broadcaster.Store = &connection.Memory{}
		publish(t, n, runningAt(1))
		s := &notify.Sweeper{Notifier: n, Feed: memory, Workflows: &workflows{}}
		_ = s.Handle(t.Context(), event)
		var e struct {
			Detail struct {
				ExecutionARN string `json:"executionArn"`
			} `json:"detail"`
		}
		_ = json.Unmarshal(event, &e)
		if jobRow(t, memory).State.Status.Terminal() && e.Detail.ExecutionARN != arn {
			t.Errorf("%q ended the job", event)
		}
	})
}
