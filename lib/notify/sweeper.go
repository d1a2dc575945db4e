package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/metrics"
)

const (
	// Silence is how long a job may publish no state before the sweeper asks Step Functions about its execution. Then the job is
	// called silent.
	Silence = 5 * time.Minute
	// StatusTimeout bounds one call of [Workflows].
	StatusTimeout = 5 * time.Second
	// maxConcurrentChecks is how many pointers are checked at once. It is low, because all callers of DescribeExecution in an
	// account and Region share one quota (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	maxConcurrentChecks = 8
	// successGrace is how long the sweeper waits after the event of a success, so that the workflow's own end of the job, whose
	// text says more, is stored first. A workflow that waits for the notifier has stored its end before it succeeds. But the
	// event may overtake the end of a workflow that invokes the notifier asynchronously.
	successGrace = 2 * time.Second
)

var (
	// ErrNoWorkflow means that the execution does not exist, or no longer exists.
	ErrNoWorkflow = errors.New("notify: no such workflow execution")
	// ErrNotDescribed means that Step Functions will never describe the execution: asking again is useless.
	ErrNotDescribed = errors.New("notify: workflow execution cannot be described")
)

// Workflow is the state of an execution.
type Workflow struct {
	// Status is a status of DescribeExecution
	// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html).
	Status string
	// RedriveCount is how often the execution was redriven.
	RedriveCount int
	// Superseded is true if the execution succeeded and its output says that another execution continues its jobs, see
	// [Superseded].
	Superseded bool
}

// Workflows describes executions. It is used concurrently.
type Workflows interface {
	// Status returns the state of the execution with an ARN. Its error is [ErrNoWorkflow], [ErrNotDescribed], or another error,
	// after which a later call may succeed.
	Status(ctx context.Context, arn string) (Workflow, error)
}

// Pointers is what the sweeper reads of a feed.
type Pointers interface {
	feed.Jobs
	feed.Pointers
}

// Sweeper ends jobs whose executions ended without publishing an end. It finds them by pointers: a pointer is a row of the feed
// that names a job and the execution that the job ends with. EventBridge invokes the sweeper when an execution ends. These events
// are best effort, so a schedule invokes it, too, and then it checks every silent job.
type Sweeper struct {
	// Notifier stores and posts the ends. Its Metrics also count the jobs that a sweep ends because no event did.
	Notifier *Notifier
	// Feed is the feed of Notifier.
	Feed      Pointers
	Workflows Workflows
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle handles one event. An event of the type "Step Functions Execution Status Change"
// (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html) or "Durable Execution Status Change" names an
// execution: if that execution has ended, Handle ends its jobs. An event of the type "ECS Task State Change", "Batch Job State Change" or "MediaConvert Job State Change"
// does the same for a task. Any other event starts a sweep: Handle checks every pointer, and ends each job that is silent and
// whose execution has ended. If the check of one pointer fails, Handle checks the others all the same, and the next sweep checks
// that pointer again. Handle returns an error if a store failed, or if a status change names no execution.
func (s *Sweeper) Handle(ctx context.Context, raw json.RawMessage) error {
	task, isTask, err := decodeTaskChange(raw)
	if err != nil {
		return err
	}
	if isTask && task.end.status == "" { // the task goes on
		return nil
	}
	if isTask {
		return s.endOnChange(ctx, task.statusChange(), task.end)
	}
	change, isChange, err := decodeStatusChange(raw)
	if err != nil {
		return err
	}
	if !isChange {
		return s.forEach(ctx, s.Feed.AllPointers(ctx), s.endIfSilent)
	}
	end, terminal := terminalStatuses[change.Status]
	if !terminal || Superseded(change.Output) { // a later sweep deletes the pointer of a superseded execution
		return nil
	}

	return s.endOnChange(ctx, change, end)
}

// endOnChange ends the jobs of the execution that change is about. end is the end of the execution.
func (s *Sweeper) endOnChange(ctx context.Context, change statusChange, end jobEnd) error {
	pointers := s.Feed.PointersOf(ctx, change.ExecutionARN)
	if end.status == message.StatusSucceeded {
		pointers = waitBeforeFirst(ctx, pointers, successGrace)
	}

	return s.forEach(ctx, pointers, func(ctx context.Context, p feed.Pointer) error {
		return s.endOnStatusChange(ctx, p, change, end)
	})
}

// waitBeforeFirst yields the pointers unchanged. It waits before it yields the first one, so it does not wait if there is none.
func waitBeforeFirst(ctx context.Context, pointers iter.Seq2[feed.Pointer, error], wait time.Duration) iter.Seq2[feed.Pointer, error] {
	return func(yield func(feed.Pointer, error) bool) {
		waited := false
		for p, err := range pointers {
			if !waited {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
				}
			}
			waited = true
			if !yield(p, err) {
				return
			}
		}
	}
}

// endOnStatusChange ends the job of p. It does nothing if the change is about an earlier run than p's, or if the job now belongs to
// a newer run or another execution.
func (s *Sweeper) endOnStatusChange(ctx context.Context, p feed.Pointer, change statusChange, end jobEnd) error {
	if change.RedriveCount < redriveCount(p.Epoch) { // the change is about a run before the redrive that p belongs to
		return nil
	}
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	if errors.Is(err, feed.ErrNotFound) { // the job's first update may be in progress: a later sweep ends the job
		return nil
	}
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if isOutdated(p, row) { // endIfSilent deletes p in a later sweep
		return nil
	}

	_, err = s.endJob(ctx, p, row, end)

	return err
}

// isOutdated reports whether the job of p is now in a newer run, or ends with another execution.
func isOutdated(p feed.Pointer, row feed.Row) bool {
	otherExecution := row.Execution != "" && row.Execution != p.Execution
	return row.Epoch > p.Epoch || row.Epoch == p.Epoch && otherExecution
}

// forEach calls do for every pointer, for up to maxConcurrentChecks at once. After an error it continues with the other pointers.
// It logs every error and returns the first one.
func (s *Sweeper) forEach(ctx context.Context, pointers iter.Seq2[feed.Pointer, error], do func(context.Context, feed.Pointer) error) error {
	var checks errgroup.Group
	checks.SetLimit(maxConcurrentChecks)
	for p, err := range pointers {
		checks.Go(func() error {
			if err != nil {
				err = fmt.Errorf("read pointers: %w", err)
			} else {
				err = do(ctx, p)
			}
			if err != nil {
				s.log().ErrorContext(ctx, "pointer not checked", "execution", p.Execution, "uploadId", p.Job, "err", err)
			}

			return err
		})
	}

	return checks.Wait()
}

// endIfSilent checks the job of p:
//
//	there was no news of it for longer than it says (endAfter)                     it ends as failed
//	it is silent, and its execution has ended                                      it ends
//	it is silent, and there is nothing to end: p is outdated, the job has ended,
//	or it has no row, and its execution has ended or it has none                   p is deleted
//	there was no news of it for longer than it says (expectEvery)                  it is marked as stalled
func (s *Sweeper) endIfSilent(ctx context.Context, p feed.Pointer) error {
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	missing := errors.Is(err, feed.ErrNotFound)
	if err != nil && !missing {
		return fmt.Errorf("read job: %w", err)
	}
	now := s.now()
	current := !missing && row.Epoch == p.Epoch && !isOutdated(p, row) // the row is of the run of p
	if current && row.IsAbandoned(now) {
		return s.endAbandoned(ctx, p, row)
	}
	if done, err := s.endWithExecution(ctx, p, row, missing); done || err != nil {
		return err
	}
	if current && row.IsOverdue(now) {
		return s.markStalled(ctx, p, row)
	}

	return nil
}

// endWithExecution ends the job of p if it is silent and its execution has ended. It deletes p if the job is silent and there is
// nothing to end. It reports whether it has done one of the two.
func (s *Sweeper) endWithExecution(ctx context.Context, p feed.Pointer, row feed.Row, missing bool) (bool, error) {
	silence := min(s.now().Sub(p.At), s.now().Sub(row.UpdatedAt)) // UpdatedAt of a missing row is long ago, so p.At counts
	if silence <= Silence {
		return false, nil
	}
	if jobEnded := row.Epoch == p.Epoch && row.Terminal(); jobEnded || isOutdated(p, row) {
		return true, s.deletePointer(ctx, p)
	}
	if p.Execution == "" {
		if missing {
			return true, s.deletePointer(ctx, p)
		}

		return false, nil
	}
	end, ended := s.executionEnd(ctx, p, silence)
	switch {
	case !ended:
		return false, nil
	case missing:
		return true, s.deletePointer(ctx, p)
	}
	outcome, err := s.endJob(ctx, p, row, end)
	if outcome == feed.Accepted && end.hasEvent() {
		metrics.OrNone(s.Notifier.Metrics).Count(metrics.SweeperFinds, 1)
	}

	return true, err
}

// executionEnd returns the end for the job of p, and whether the job must end:
//
//	the execution has ended                                     the end of its status
//	the execution does not exist                                unknownEnd
//	it is a task, not followed, or cannot be described          unknownEnd, if the job was silent for over [feed.JobTTL]
//	the execution was superseded                                supersededEnd, if the job was silent for over [feed.JobTTL]
//	the execution runs or was redriven, or the request failed   the job must not end
func (s *Sweeper) executionEnd(ctx context.Context, p feed.Pointer, silence time.Duration) (jobEnd, bool) {
	if x, _ := message.ParseExecution(p.Execution); x.Task || !s.Notifier.follows(p.Execution) {
		return unknownEnd, silence > feed.JobTTL
	}
	w, err := s.status(ctx, p.Execution)
	switch {
	case errors.Is(err, ErrNoWorkflow):
		return unknownEnd, true
	case err != nil:
		s.log().WarnContext(ctx, "execution not described", "execution", p.Execution, "err", err)

		return unknownEnd, errors.Is(err, ErrNotDescribed) && silence > feed.JobTTL
	case w.Superseded:
		return supersededEnd, silence > feed.JobTTL
	}
	end, terminal := terminalStatuses[w.Status]

	// A lower redrive count means that the answer is older than the redrive that p belongs to.
	return end, terminal && w.RedriveCount >= redriveCount(p.Epoch)
}

// status asks for the state of an execution.
func (s *Sweeper) status(ctx context.Context, arn string) (Workflow, error) {
	ctx, cancel := context.WithTimeout(ctx, StatusTimeout)
	defer cancel()

	return s.Workflows.Status(ctx, arn)
}

// endJob publishes an end for the job of p, and deletes p. The feed ignores the end if the job has already ended. endJob may be
// repeated, because the end has an idempotency key. It returns what the feed did with the end.
func (s *Sweeper) endJob(ctx context.Context, p feed.Pointer, row feed.Row, end jobEnd) (feed.Outcome, error) {
	state := row.VisibleState()
	if row.Epoch < p.Epoch { // the row is of an earlier run: no state of p's run was stored
		state = message.UploadProgress{UploadID: state.UploadID, FileName: state.FileName}
	}
	state = withEnd(state, end)
	state.Attempt, state.Of = 0, 0 // no attempt comes after the end of the execution
	r, err := s.Notifier.newRequest(message.Request{
		UserID: userOf(p), Message: message.AsType(row.Type, state.Truncated()), Epoch: p.Epoch, Key: "end of " + p.Execution + " in " + p.Epoch,
	})
	if err != nil {
		return "", fmt.Errorf("end job: %w", err)
	}
	r.endedExecution = p.Execution
	out, err := s.Notifier.notify(ctx, r)
	if err != nil {
		return "", fmt.Errorf("end job: %w", err)
	}
	s.log().InfoContext(ctx, "job ended with its execution", "execution", p.Execution, "uploadId", p.Job, "status", end.status,
		"outcome", out.Outcome, "seq", out.Seq, "delivered", out.Delivered)

	return out.Outcome, s.deletePointer(ctx, p)
}

// userOf returns the user of the job of p.
func userOf(p feed.Pointer) string { return strings.TrimPrefix(p.Owner, feed.User("")) } // User puts a prefix before the id

// withEnd returns the last state of a job with its end.
func withEnd(state message.UploadProgress, end jobEnd) message.UploadProgress {
	state.Status, state.Message, state.RowsPerSecond, state.ETAMillis = end.status, end.text, 0, 0
	state.ExpectEvery, state.EndAfter = 0, 0
	state.Steps = endedSteps(state.Steps, end.status)

	return state
}

// endedSteps returns the steps of a job that has ended with a status: none of them runs any more.
func endedSteps(steps message.Steps, status message.Status) message.Steps {
	list := steps.List()
	for i := range list {
		if running := list[i].Status == message.StepRunning || list[i].Status == ""; !running {
			continue
		}
		list[i].Status = message.StepFailed
		if status == message.StatusSucceeded {
			list[i].Status = message.StepSucceeded
		}
	}

	return message.NewSteps(list...)
}

func (s *Sweeper) deletePointer(ctx context.Context, p feed.Pointer) error {
	if err := s.Feed.DeletePointer(ctx, p); err != nil {
		return fmt.Errorf("delete pointer: %w", err)
	}

	return nil
}

func (s *Sweeper) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}

	return s.Now()
}

func (s *Sweeper) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}

	return s.Log
}
