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
	// Silence is how long a job may be silent before the sweeper asks for its workflow.
	Silence = 5 * time.Minute
	// StatusTimeout bounds one call of [Workflows].
	StatusTimeout = 5 * time.Second
	// looking is how many pointers are looked into at once: DescribeExecution is throttled by account and Region
	// (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
	looking = 8
	// successGrace is how long a success waits for a job's own end, which says more. A workflow that waits for the notifier
	// has it stored before the workflow ends; one that invokes the notifier asynchronously may be overtaken.
	successGrace = 2 * time.Second
)

var (
	// ErrNoWorkflow says that there is no such execution, or not any more.
	ErrNoWorkflow = errors.New("notify: no such workflow execution")
	// ErrNotDescribed says that Step Functions will not say how the execution stands, however often it is asked.
	ErrNotDescribed = errors.New("notify: workflow execution cannot be described")
)

// Workflow is how an execution of a workflow stands.
type Workflow struct {
	// Status is a status of DescribeExecution
	// (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html).
	Status string
	// RedriveCount is how often the execution was redriven.
	RedriveCount int
}

// Workflows knows how executions stand. It is used concurrently.
type Workflows interface {
	// Status returns how the execution of an ARN stands, or [ErrNoWorkflow], or [ErrNotDescribed]. Any other error may pass.
	Status(ctx context.Context, arn string) (Workflow, error)
}

// Pointers is what the sweeper reads of a feed.
type Pointers interface {
	feed.Jobs
	feed.Executions
}

// Sweeper ends the jobs whose workflows ended without saying so: at the event of the workflow's end, whichever that is,
// and, as those events are best effort, whenever it is run without one.
type Sweeper struct {
	// Notifier stores and delivers the ends.
	Notifier *Notifier
	// Feed is the notifier's.
	Feed      Pointers
	Workflows Workflows
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle ends the jobs of the execution that an event tells of, a "Step Functions Execution Status Change"
// (https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html). With any other event it sweeps: it
// looks into every pointer, and ends the jobs that are silent and whose workflows have ended. A pointer that cannot be read
// or looked into does not stop the others, and is left for the next sweep. Its error says that a store failed, or that the
// event names no execution.
func (s *Sweeper) Handle(ctx context.Context, raw json.RawMessage) error {
	c, isChange, err := decodeChange(raw)
	if err != nil {
		return err
	}
	if !isChange {
		return s.each(ctx, s.Feed.Executions(ctx), s.look)
	}
	how, over := ends[c.Status]
	if !over {
		return nil
	}
	pointers := s.Feed.Execution(ctx, c.ExecutionARN)
	if how.status == message.StatusSucceeded {
		pointers = delayed(ctx, pointers, successGrace)
	}

	return s.each(ctx, pointers, func(ctx context.Context, p feed.Pointer) error {
		return s.take(ctx, p, c, how)
	})
}

// delayed yields what pointers yields, the first of them after a time.
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

// take ends the job of p as a change tells of its execution's end, unless that is not the end of the job's run.
func (s *Sweeper) take(ctx context.Context, p feed.Pointer, c change, how ended) error {
	if c.RedriveCount < redrives(p.Epoch) {
		return nil
	}
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	if errors.Is(err, feed.ErrNotFound) { // the job's first update may be under way: the sweep knows later
		return nil
	}
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if passedOn(row, p) { // the sweep forgets p
		return nil
	}

	return s.end(ctx, p, row, how)
}

// passedOn reports whether the job of p is now in a newer run, or ends with another execution.
func passedOn(row feed.Row, p feed.Pointer) bool {
	return row.Epoch > p.Epoch || row.Epoch == p.Epoch && row.Execution != "" && row.Execution != p.Execution
}

// each does something for every pointer, several at once. What fails is logged, and does not stop the others; the error is
// one of those.
func (s *Sweeper) each(ctx context.Context, pointers iter.Seq2[feed.Pointer, error], do func(context.Context, feed.Pointer) error) error {
	var all errgroup.Group
	all.SetLimit(looking)
	for p, err := range pointers {
		all.Go(func() error {
			if err != nil {
				err = fmt.Errorf("read pointers: %w", err)
			} else {
				err = do(ctx, p)
			}
			if err != nil {
				s.log().ErrorContext(ctx, "pointer left", "execution", p.Execution, "uploadId", p.Job, "err", err)
			}

			return err
		})
	}

	return all.Wait() //nolint:wrapcheck // an error of the above
}

// look ends the job of p if it is silent and its workflow has ended, and forgets p if there is nothing to end.
func (s *Sweeper) look(ctx context.Context, p feed.Pointer) error {
	row, err := s.Feed.Job(ctx, p.Owner, p.Job)
	missing := errors.Is(err, feed.ErrNotFound)
	if err != nil && !missing {
		return fmt.Errorf("read job: %w", err)
	}
	silent := min(s.now().Sub(p.At), s.now().Sub(row.UpdatedAt))
	if silent <= Silence {
		return nil
	}
	if passedOn(row, p) || row.Epoch == p.Epoch && row.Terminal() {
		return s.forget(ctx, p)
	}
	how, over := s.outcome(ctx, p, silent)
	switch {
	case !over:
		return nil
	case missing:
		return s.forget(ctx, p)
	default:
		return s.end(ctx, p, row, how)
	}
}

// outcome returns how the workflow of p ended, and whether the job of p is over, which has been silent for a time:
//
//	the execution has ended                               as it ended
//	there is no such execution, or not any more           unknown: no end will ever be heard of
//	it is not followed, or cannot be described            unknown, when the job has outlived one without an execution
//	it runs, or the question failed for now               not over
func (s *Sweeper) outcome(ctx context.Context, p feed.Pointer, silent time.Duration) (ended, bool) {
	if !s.Notifier.follows(p.Execution) {
		return unknown, silent > feed.JobLife
	}
	w, err := s.status(ctx, p.Execution)
	switch {
	case errors.Is(err, ErrNoWorkflow):
		return unknown, true
	case err != nil:
		s.log().WarnContext(ctx, "workflow not known", "execution", p.Execution, "err", err)

		return unknown, errors.Is(err, ErrNotDescribed) && silent > feed.JobLife
	}
	how, over := ends[w.Status]

	return how, over && w.RedriveCount >= redrives(p.Epoch)
}

func (s *Sweeper) status(ctx context.Context, arn string) (Workflow, error) {
	ctx, cancel := context.WithTimeout(ctx, StatusTimeout)
	defer cancel()

	return s.Workflows.Status(ctx, arn) //nolint:wrapcheck // it says what it is
}

// end gives the job of p the status in which its workflow ended, unless the job has ended itself. It may be repeated: the
// end is known by its key.
func (s *Sweeper) end(ctx context.Context, p feed.Pointer, row feed.Row, how ended) error {
	state := row.Shown()
	if row.Epoch < p.Epoch { // the run's own states were lost
		state = message.UploadProgress{UploadID: state.UploadID, FileName: state.FileName}
	}
	state.Status, state.Message, state.RowsPerSecond, state.ETAMillis = how.status, how.text, 0, 0
	out, err := s.Notifier.tell(ctx, message.Request{
		UserID: strings.TrimPrefix(p.Owner, feed.User("")), Message: state.Clipped(), Epoch: p.Epoch, Key: "end of " + p.Execution + " in " + p.Epoch,
	}, p.Execution)
	s.log().InfoContext(ctx, "workflow ended", "execution", p.Execution, "uploadId", p.Job, "status", how.status,
		"outcome", out.Outcome, "seq", out.Seq, "delivered", out.Delivered, "err", err)
	if err != nil {
		return fmt.Errorf("end job: %w", err)
	}

	return s.forget(ctx, p)
}

func (s *Sweeper) forget(ctx context.Context, p feed.Pointer) error {
	if err := s.Feed.Forget(ctx, p); err != nil {
		return fmt.Errorf("forget pointer: %w", err)
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
