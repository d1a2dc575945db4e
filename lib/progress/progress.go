// Package progress reports the progress of a running job, or of a part of one, without slowing it.
//
// The worker calls [Reporter.Update] for each step, which costs two atomic operations. A goroutine of the Reporter
// decides what is worth publishing:
//
//	phase change, error, terminal   at once
//	progress moved by 1 % or more   at once, at least 250 ms after the one before
//	progress moved by less          at least 2 s after the one before
//	Close                           the last state, if it has not arrived
//
// While a publisher is slow, newer states replace older ones that wait. A failed push is made up for after 2 s, by the
// newest state then. What is published is always valid: texts are cut and numbers bounded to what may be sent.
//
// This bounds what one worker publishes, and so what it writes to the store: the one percent is the job's, whether the
// worker does the whole job or a part of it. How often the tabs of a user hear of a job with many workers is bounded by
// the notifier, which knows of all of them.
package progress

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// Bounds of publishing.
const (
	// PublishTimeout bounds one call of the Publisher.
	PublishTimeout = 3 * time.Second
	// CloseTimeout bounds Close, whatever the Publisher does.
	CloseTimeout = 4 * time.Second
)

const (
	// stateTimeout is how long Close tries again for a last state that is not an end: a job goes on without it.
	stateTimeout = time.Second
	// Close tries again after firstPause, and after twice as long each time, up to maxPause.
	firstPause = 50 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	// maxErrors bounds the error messages that wait to be published, maxErrorTries how often one is tried.
	maxErrors     = 16
	maxErrorTries = 3
	never         = math.MaxInt64
)

// Publisher delivers a message to a user. Its errors must not hold the message. It is called by one goroutine at a time.
type Publisher interface {
	Publish(ctx context.Context, r message.Request) error
}

// Config says whose job is reported and to whom.
type Config struct {
	// Publisher takes the pushes; with nil there are none, and the Reporter costs next to nothing.
	Publisher Publisher
	UserID    string
	UploadID  string
	FileName  string
	// Epoch says which run of the job is reported, as [message.NormalizeEpoch] returns it; empty is the run that is stored.
	Epoch string
	// Execution is the ARN of the workflow whose end is the job's end; empty is none.
	Execution string
	// Part is the id of the part of the job that is reported, where several workers share the job; empty is all of it.
	// Then the steps of a phase are those of the whole job, and what is done and failed is the part's own. A part has
	// one phase with steps, since what it has done never falls.
	Part string
	// FailedRows is the number of rows that had failed before this Reporter began; of a part, none has.
	FailedRows int64
	// Logger is silent when nil.
	Logger *slog.Logger
}

// Phase is a stretch of the work, made of equal steps.
type Phase struct {
	// Name is published as phase.
	Name string
	// From and To are the job's progress, in percent, before the first step and after the last.
	From, To float64
	// Steps is the number of all steps; with 0 the progress stays at From.
	Steps int64
	// Done is the number of steps that were done before the phase began here, in another process for example.
	Done int64
	// Rows says that a step is a row: steps are published as currentRow and totalRows, with a rate and the time left.
	Rows bool
	// CurrentRow and TotalRows are published where a step is not a row.
	CurrentRow, TotalRows int64
	// Text returns the message; nil means the phase's name.
	Text func(done, steps int64) string
}

// Stats counts what became of the pushes.
type Stats struct {
	Published int64
	// Failed counts the calls of the Publisher that failed or timed out.
	Failed int64
	// Dropped counts the errors that were not published because too many waited, or because every try failed.
	Dropped int64
}

// Reporter reports one job of one user. It is safe for concurrent use, save that Phase must not be called at the same
// time as Update.
type Reporter struct {
	config Config
	cancel context.CancelFunc // of the pushes

	done   atomic.Int64
	next   atomic.Int64 // the number of steps that is worth a push
	failed atomic.Int64

	published, failures, dropped atomic.Int64

	mu                 sync.Mutex
	phase              Phase
	began              time.Time // when the phase began
	version            int64     // counts the changes of phase and status
	status             message.Status
	text               string // the terminal's message
	endDone, endFailed int64  // what done and failed were at the terminal
	errors             []waitingError
	closing            bool
	wake               chan struct{}
	stopped            chan struct{}
	closeOne           sync.Once

	errorKeys string       // what the keys of this Reporter's errors begin with
	errorKey  atomic.Int64 // the number of the last
}

// waitingError is an error message that has not been published.
type waitingError struct {
	data  message.Error
	key   string
	tries int
}

// New returns a running Reporter, which Close ends. Of ctx it takes the values only: a job that was cancelled still
// reports its last state.
func New(ctx context.Context, c Config) *Reporter {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reporter{config: c, wake: make(chan struct{}, 1), stopped: make(chan struct{}), errorKeys: rand.Text()}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.next.Store(never)
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
	r.next.Store(never)
	r.done.Store(p.Done)
	r.version++
	r.nudge()
}

// Update says how many steps of the phase are done, those of Phase.Done included. It never waits.
func (r *Reporter) Update(done int64) {
	r.done.Store(done)
	if done >= r.next.Load() {
		r.next.Store(never)
		r.nudge()
	}
}

// Reject adds n to the failed rows; they are published with the next push. It is called before the Update that counts
// them as done, and never waits.
func (r *Reporter) Reject(n int64) { r.failed.Add(n) }

// Error publishes an error message at once, and tries again if that fails.
func (r *Reporter) Error(e message.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errors) >= maxErrors {
		r.dropped.Add(1)

		return
	}
	key := fmt.Sprintf("error %s %d", r.errorKeys, r.errorKey.Add(1))
	r.errors = append(r.errors, waitingError{data: e, key: key})
	r.nudge()
}

// End gives the job its terminal status and publishes it at once. A job ends once: what follows is ignored.
// Succeeded sets the progress to 100, the other statuses leave it. It is the whole job that ends, whoever reports it.
func (r *Reporter) End(status message.Status, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Terminal() || !status.Terminal() {
		return
	}
	r.status, r.text = status, text
	r.endDone, r.endFailed = r.done.Load(), r.failed.Load()
	r.next.Store(never)
	r.version++
	r.nudge()
}

// Close publishes the last state and the errors that have not arrived, and ends the Reporter. If that fails it tries again:
// for an end until [CloseTimeout], for all else for a second. It does so although ctx is done: the end of a job that was
// cancelled is to be seen, too. What is reported after Close is not published. Close may be called again.
func (r *Reporter) Close(context.Context) {
	if r.config.Publisher == nil {
		r.cancel()

		return
	}
	timer := time.NewTimer(CloseTimeout)
	defer timer.Stop()
	r.closeOne.Do(func() {
		r.mu.Lock()
		r.closing = true
		r.mu.Unlock()
		r.nudge()
	})
	select {
	case <-r.stopped:
	case <-timer.C:
	}
	r.cancel()
}

// Stats returns the counts so far.
func (r *Reporter) Stats() Stats {
	return Stats{Published: r.published.Load(), Failed: r.failures.Load(), Dropped: r.dropped.Load()}
}

// nudge wakes the goroutine, which looks for itself what there is to do.
func (r *Reporter) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
