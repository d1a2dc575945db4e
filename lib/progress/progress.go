// Package progress reports the progress of a running job, or of a part of one, without slowing it.
//
// The worker calls [Reporter.Update] for each step, which costs two atomic operations. A goroutine of the Reporter
// decides what is worth publishing:
//
//	a new phase, an error, the end    at once
//	progress moved by 1 % or more     250 ms after the last push has ended, or at once if that is longer ago
//	progress moved by less            2 s after the last push has ended, or at once if that is longer ago
//	Flush, Close                      at once, if the last state is not yet published
//
// While the publisher is slow, newer states replace older ones that wait. After a failed push the Reporter publishes the
// newest state 2 s later. From the seventh failure in a row on, the pause doubles, up to 32 s. The Reporter cuts texts and numbers to
// their limits, so that the messages are always valid. Workers in other languages have the same rules, see lib/progress/python and
// lib/progress/node; testdata/reporter has the cases that all of them pass.
//
// These rules limit what one worker publishes, and so what it writes to the store. One percent means one percent of the job, even
// for a worker that does a part of the job. The notifier limits the pushes of a job with many workers.
package progress

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// PublishTimeout is the timeout of one call of the Publisher.
	PublishTimeout = 3 * time.Second
	// CloseTimeout is the longest time that Close takes, whatever the Publisher does.
	CloseTimeout = 4 * time.Second
)

const (
	// stateTimeout is how long Close retries a last state that is not terminal. It is short, because the job continues without this
	// state.
	stateTimeout = time.Second
	// firstPause is the pause before the first retry of Close. The pause doubles with each retry, up to maxPause.
	firstPause = 50 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	// maxErrors is how many error messages may wait to be published.
	maxErrors = 16
	// maxErrorTries is how often the publishing of one error message is tried before Close.
	maxErrorTries = 3
	// steadyFailures is how many failures in a row are followed by a pause of message.SlowPushInterval. After each further one the
	// pause doubles, up to maxFailurePause.
	steadyFailures  = 6
	maxFailurePause = 16 * message.SlowPushInterval
	// never is a number of steps that no worker reaches.
	never = math.MaxInt64
)

// ErrPending is what a Publisher returns if the notifier has stored a state but not pushed it. The Reporter publishes the newest
// state again 2 s later, if no other follows.
var ErrPending = errors.New("progress: state is stored but not pushed")

// Publisher publishes a message to a user. Its errors must not contain the message. An error that is [message.ErrRefused] means that
// the request breaks a rule, so that the Reporter does not repeat it. One goroutine calls a Publisher at a time.
type Publisher interface {
	Publish(ctx context.Context, r message.Request) error
}

// Config configures a Reporter.
type Config struct {
	// Publisher publishes the states. If it is nil, nothing is published, and the methods of the Reporter take almost no time.
	Publisher Publisher
	UserID    string
	// UploadID and FileName are the id and the file of a job that is a file: its states are of the type upload_progress. Any other job
	// has JobID and Title instead: its states are of the type job_progress. If JobID is set, UploadID and FileName are not used.
	UploadID, FileName string
	JobID, Title       string
	// Epoch is the run of the job, as [message.NormalizeEpoch] returns it; empty means the run that the feed has now.
	Epoch string
	// Execution is the ARN of the execution whose end is the job's end; empty means none.
	Execution string
	// Attempt is the number of this try of the work, from 1, such as one more than the RetryCount of Step Functions. MaxAttempts is
	// how many tries there are at most. Both are 0 if they are not known. States of an earlier attempt that arrive late do not count.
	Attempt, MaxAttempts int64
	// ExpectEvery is the time without news after which the job counts as stalled, and EndAfter the one after which it ends as failed,
	// in whole seconds, see [message.UploadProgress]. 0 means never. A Reporter publishes nothing while its worker makes no progress.
	ExpectEvery, EndAfter time.Duration
	// Part is the id of the part of the job that this worker does. Empty means the whole job. If there is a part, Phase.Steps
	// counts the steps of the whole job, but Update and Reject count the steps of the part. A part must have only one phase with
	// steps, because the feed does not accept fewer done steps of a part than before.
	Part string
	// FailedRows is the number of rows that failed before this Reporter began. It is 0 for a part.
	FailedRows int64
	// NoWait is for a Publisher that invokes the notifier's function: the notifier must not wait until a state may be pushed, because
	// its time costs. Such a Publisher returns [ErrPending] if the answer says so. Only the last push of Flush and Close waits.
	NoWait bool
	// Logger may be nil: then nothing is logged.
	Logger *slog.Logger
}

// Phase is a stage of the work with equal steps.
type Phase struct {
	// Name is published as phase.
	Name string
	// Status is what the job does in the phase: running, queued, waiting, retrying or stalled. Empty means running. A terminal status
	// is not used: see [Reporter.End].
	Status message.Status
	// From and To are the job's progress, in percent, before the first step and after the last.
	From, To float64
	// Steps is the number of all steps. If it is 0, the progress stays at From.
	Steps int64
	// Done is the number of steps that were done before the phase began here, for example in another process.
	Done int64
	// Rows is true if a step is a row. Then the steps are published as currentRow and totalRows, with a rate and the time left.
	Rows bool
	// CurrentRow and TotalRows are published if Rows is false.
	CurrentRow, TotalRows int64
	// Text returns the message. If it is nil, the message is the phase's name.
	Text func(done, steps int64) string
}

// Stats counts the calls of the Publisher by their result, and the errors that were dropped.
type Stats struct {
	// Published counts the calls of the Publisher that succeeded, or returned [ErrPending].
	Published int64
	// Failed counts the calls of the Publisher that failed or timed out.
	Failed int64
	// Dropped counts the errors that were not published because too many waited, or because every try failed.
	Dropped int64
}

// Reporter reports one job of one user. It is safe for concurrent use, except that Phase must not be called at the same time
// as Update.
type Reporter struct {
	config Config
	cancel context.CancelFunc // ends the context of the pushes

	done   atomic.Int64 // done steps of the phase
	nextAt atomic.Int64 // the number of done steps at which Update wakes the goroutine
	failed atomic.Int64 // failed rows

	published, failures, dropped atomic.Int64 // the fields of Stats

	mu                 sync.Mutex // protects the fields from phase to refused
	phase              Phase
	began              time.Time // when the phase began
	version            int64     // counts the changes of phase and status
	status             message.Status
	text               string // the message of the terminal status
	result             string
	listed             message.Steps
	endDone, endFailed int64 // the values of done and failed when the job got its terminal status
	errors             []pendingError
	closing            bool            // Close was called
	flushed            []chan struct{} // each is closed when what Flush waits for is done
	refused            error           // the first error for a request that was refused

	wake      chan struct{} // wakes the goroutine, which then decides what is due
	stopped   chan struct{} // closed when the goroutine has ended
	closeOnce sync.Once

	errorKeyPrefix string       // random, so that each Reporter has keys of its own
	errorCount     atomic.Int64 // the number of errors that got a key
}

// pendingError is an error message that is not published yet.
type pendingError struct {
	data  message.Error
	key   string
	tries int
}

// New starts a Reporter. The caller must call Close. The Reporter uses the values of ctx, but ignores its cancellation, so that a job
// that was cancelled still reports its last state.
func New(ctx context.Context, c Config) *Reporter {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reporter{config: c, wake: make(chan struct{}, 1), stopped: make(chan struct{}), errorKeyPrefix: rand.Text()}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.nextAt.Store(never)
	r.failed.Store(c.FailedRows)
	if c.Publisher == nil {
		close(r.stopped)
		return r
	}
	go r.run(ctx)
	return r
}

// Phase begins a phase, which is published at once.
func (r *Reporter) Phase(p Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Terminal() {
		return
	}
	r.phase, r.began = p, time.Now()
	r.nextAt.Store(never)
	r.done.Store(p.Done)
	r.version++
	r.signal()
}

// Update sets how many steps of the phase are done, Phase.Done included. It never waits.
func (r *Reporter) Update(done int64) {
	r.done.Store(done)
	if done >= r.nextAt.Load() {
		r.nextAt.Store(never)
		r.signal()
	}
}

// Reject adds n to the failed rows, which the next push publishes. Call Reject before the Update that counts the rows as done. Reject
// never waits.
func (r *Reporter) Reject(n int64) { r.failed.Add(n) }

// Error publishes an error message at once. If that fails, the Reporter retries. If too many errors wait, Error drops the message.
func (r *Reporter) Error(e message.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errors) >= maxErrors {
		r.dropped.Add(1)
		return
	}
	e.Code = message.Truncate(e.Code, message.MaxName)
	key := fmt.Sprintf("error %s %d", r.errorKeyPrefix, r.errorCount.Add(1))
	r.errors = append(r.errors, pendingError{data: e, key: key})
	r.signal()
}

// End gives the whole job its terminal status and publishes it at once. A job ends once: further calls do nothing. A worker whose
// failure leads to a retry must not end the job, unless Config.Attempt is set: then the next attempt continues the job.
// The status succeeded sets the progress to 100. The other statuses do not change the progress.
func (r *Reporter) End(status message.Status, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Terminal() || !status.Terminal() {
		return
	}
	r.status, r.text = status, text
	r.endDone, r.endFailed = r.done.Load(), r.failed.Load()
	r.nextAt.Store(never)
	r.version++
	r.signal()
}

// SetResult sets where the result of the job is, which the end publishes: an https URL, or a key of S3 under [message.ResultPrefix] of
// the user. Call SetResult before End: after it, SetResult does nothing. A result that is neither is logged and not set, because it must
// not prevent the end.
func (r *Reporter) SetResult(result string) {
	if result != "" && !message.IsResultOf(r.config.UserID, result) {
		r.config.Logger.Warn("result is not published: it is neither an https URL nor a key of the user's results", "uploadId", r.config.jobID())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.status.Terminal() {
		r.result = result
	}
}

// ListSteps sets the list of what the job went through, which every further state publishes: see [message.Steps]. It is not about the
// steps that Update counts. A part's states do not change the list of the job. If there are more than [message.MaxListedSteps] steps,
// only the newest are published. A list with an invalid step is logged and not set, because it must not prevent the state. After End,
// ListSteps does nothing.
func (r *Reporter) ListSteps(steps ...message.Step) {
	list := message.NewSteps(steps[max(0, len(steps)-message.MaxListedSteps):]...)
	if !list.Valid() {
		r.config.Logger.Warn("steps are not published: one of them is invalid", "uploadId", r.config.jobID())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.status.Terminal() {
		r.listed = list
		r.signal()
	}
}

// Close publishes the last state and the errors that are not published yet, and ends the Reporter. It retries a terminal state until
// [CloseTimeout], and anything else for a second. Nothing is published after Close. Close may be called again.
//
// Close ignores the context that it gets. Neither a cancellation nor a deadline changes what it does: the user must also see the end
// of a job that was cancelled, and a worker with much time left must not wait long for a publisher that is down.
func (r *Reporter) Close(context.Context) {
	if r.config.Publisher == nil {
		r.cancel()
		return
	}
	timer := time.NewTimer(CloseTimeout)
	defer timer.Stop()
	r.closeOnce.Do(func() {
		r.mu.Lock()
		r.closing = true
		r.mu.Unlock()
		r.signal()
	})
	select {
	case <-r.stopped:
	case <-timer.C:
	}
	r.cancel()
}

// Flush publishes the last state and the errors that are not published yet, like Close, but the Reporter goes on. Call it where the
// process may stop for a time, such as at the end of each invocation of a Lambda function. It takes at most [CloseTimeout].
func (r *Reporter) Flush(context.Context) {
	if r.config.Publisher == nil {
		return
	}
	done := make(chan struct{})
	r.mu.Lock()
	r.flushed = append(r.flushed, done)
	r.mu.Unlock()
	r.signal()
	timer := time.NewTimer(CloseTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-r.stopped:
	case <-timer.C:
	}
}

// Err returns the error of the first request that was refused, or nil. It wraps [message.ErrRefused]: a mistake in the program.
func (r *Reporter) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Stats returns the counts so far.
func (r *Reporter) Stats() Stats {
	return Stats{Published: r.published.Load(), Failed: r.failures.Load(), Dropped: r.dropped.Load()}
}

// signal wakes the goroutine. If it is about to wake, signal does nothing.
func (r *Reporter) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
