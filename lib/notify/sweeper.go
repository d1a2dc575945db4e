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
)

const (
	// Silence is how long a job may be silent before the sweeper asks Step Functions about its execution.
	Silence = 5 * time.Minute
	// StatusTimeout bounds one call of [Workflows].
	StatusTimeout = 5 * time.Second
	// maxConcurrentChecks is how many pointers are checked at once: DescribeExecution is throttled by account and Region
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	maxConcurrentChecks = 8
	// successGrace is how long a success waits for the job's own end, whose text says more. A workflow that waits for the
	// notifier has stored its own end before it succeeds. One that invokes the notifier asynchronously may be overtaken.
	successGrace = 2 * time.Second
)

var (
	// ErrNoWorkflow means that the execution does not exist, or not any more.
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
	// Superseded is true if the execution succeeded and its output says that another execution goes on with its jobs, see
	// [Superseded].
	Superseded bool
}

// Workflows describes executions. It is used concurrently.
type Workflows interface {
	// Status returns the state of the execution with an ARN. Its error is [ErrNoWorkflow], [ErrNotDescribed], or one that may
	// pass.
	Status(ctx context.Context, arn string) (Workflow, error)
}

// Pointers is what the sweeper reads of a feed.
type Pointers interface {
	feed.Jobs
	feed.Pointers
}

// Sweeper ends jobs whose executions ended without publishing an end. It does so on the event of the execution's end. These
// events are best effort, so it also checks all silent jobs each time it is invoked without one.
type Sweeper struct {
	// Notifier stores and posts the ends.
	Notifier *Notifier
	// Feed is the notifier's.
	Feed      Pointers
	Workflows Workflows
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle ends the jobs of the execution that an event of the type "Step Functions Execution Status Change" names
// (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html). Any other event makes it check every
// pointer, and end the jobs that are silent and whose executions have ended. A pointer that fails does not stop the others;
// the next sweep checks it again. Handle returns an error if a store failed, or if the event names no execution.
func (s *Sweeper) Handle(ctx context.Context, raw json.RawMessage) error {
	change, isChange, err := decodeStatusChange(raw)
	if err != nil {
		return err
	}
	if !isChange {
		return s.forEach(ctx, s.Feed.AllPointers(ctx), s.checkSilent)
	}
	end, terminal := terminalStatuses[change.Status]
	if !terminal || Superseded(change.Output) { // a later sweep deletes the pointer of a superseded execution
		return nil
	}
	pointers := s.Feed.PointersOf(ctx, change.ExecutionARN)
	if end.status == message.StatusSucceeded {
		pointers = delayed(ctx, pointers, successGrace)
	}

	return s.forEach(ctx, pointers, func(ctx context.Context, p feed.Pointer) error {
		return s.endOnStatusChange(ctx, p, change, end)
	})
}

// delayed yields what pointers yields, after it has waited once, if there is a pointer.
func delayed(ctx context.Context, pointers iter.Seq2[feed.Pointer, error], wait time.Duration) iter.Seq2[feed.Pointer, error] {
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

// endOnStatusChange ends the job of p, unless the change is about an earlier run, or the job belongs to another run or
// execution by now.
func (s *Sweeper) endOnStatusChange(ctx context.Context, p feed.Pointer, change statusChange, end jobEnd) error {
	if change.RedriveCount < redriveCount(p.Epoch) {
		return nil
	}
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	if errors.Is(err, feed.ErrNotFound) { // the job's first update may be in progress: a later sweep ends the job
		return nil
	}
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if superseded(p, row) { // a later sweep deletes p
		return nil
	}

	return s.endJob(ctx, p, row, end)
}

// superseded reports whether the job of p is in a newer run by now, or ends with another execution.
func superseded(p feed.Pointer, row feed.Row) bool {
	return row.Epoch > p.Epoch || row.Epoch == p.Epoch && row.Execution != "" && row.Execution != p.Execution
}

// forEach calls do for every pointer, several at once. It logs each error, goes on with the others, and returns one of the
// errors.
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

// checkSilent ends the job of p if it is silent and its execution has ended. It deletes p if there is no job to end.
func (s *Sweeper) checkSilent(ctx context.Context, p feed.Pointer) error {
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	missing := errors.Is(err, feed.ErrNotFound)
	if err != nil && !missing {
		return fmt.Errorf("read job: %w", err)
	}
	silence := min(s.now().Sub(p.At), s.now().Sub(row.UpdatedAt))
	if silence <= Silence {
		return nil
	}
	if superseded(p, row) || row.Epoch == p.Epoch && row.Terminal() {
		return s.deletePointer(ctx, p)
	}
	end, ended := s.executionEnd(ctx, p, silence)
	switch {
	case !ended:
		return nil
	case missing:
		return s.deletePointer(ctx, p)
	default:
		return s.endJob(ctx, p, row, end)
	}
}

// executionEnd returns how the execution of p ended, and whether it did:
//
//	the execution has ended                          its end
//	the execution does not exist, or not any more    unknownEnd
//	it is not followed, or cannot be described       unknownEnd, once the job was silent for [feed.JobTTL]
//	it was superseded                                supersededEnd, once the job was silent for [feed.JobTTL]
//	it runs, or the request failed                   not ended
func (s *Sweeper) executionEnd(ctx context.Context, p feed.Pointer, silence time.Duration) (jobEnd, bool) {
	if !s.Notifier.follows(p.Execution) {
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

	return end, terminal && w.RedriveCount >= redriveCount(p.Epoch)
}

func (s *Sweeper) status(ctx context.Context, arn string) (Workflow, error) {
	ctx, cancel := context.WithTimeout(ctx, StatusTimeout)
	defer cancel()

	return s.Workflows.Status(ctx, arn)
}

// endJob publishes an end for the job of p, unless the job has ended, and deletes p. It may be repeated: the end has a key.
func (s *Sweeper) endJob(ctx context.Context, p feed.Pointer, row feed.Row, end jobEnd) error {
	state := row.VisibleState()
	if row.Epoch < p.Epoch { // no state of this run was stored
		state = message.UploadProgress{UploadID: state.UploadID, FileName: state.FileName}
	}
	state.Status, state.Message, state.RowsPerSecond, state.ETAMillis = end.status, end.text, 0, 0
	r, err := s.Notifier.newRequest(message.Request{
		UserID: strings.TrimPrefix(p.Owner, feed.User("")), Message: state.Truncated(), Epoch: p.Epoch, Key: "end of " + p.Execution + " in " + p.Epoch,
	})
	if err != nil {
		return fmt.Errorf("end job: %w", err)
	}
	r.endedExecution = p.Execution
	out, err := s.Notifier.notify(ctx, r)
	if err != nil {
		return fmt.Errorf("end job: %w", err)
	}
	s.log().InfoContext(ctx, "job ended with its execution", "execution", p.Execution, "uploadId", p.Job, "status", end.status,
		"outcome", out.Outcome, "seq", out.Seq, "delivered", out.Delivered)

	return s.deletePointer(ctx, p)
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
