package progress

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// pusher is the goroutine of a Reporter, which pushes states and errors.
type pusher struct {
	*Reporter

	tried        state     // the state of the last push, whether it succeeded or failed
	triedAt      time.Time // when the last push ended
	missing      bool      // the user may see another state than tried, because its push has failed or is pending
	failedInARow int       // how many pushes in a row have failed
	floor        float64   // the highest progress that was pushed, below which the progress must not fall

	errorFailed time.Time // when publishing an error failed the last time
}

// run pushes until the Reporter is closed.
func (r *Reporter) run(ctx context.Context) {
	defer close(r.stopped)
	p := pusher{Reporter: r}
	timer := time.NewTimer(message.SlowPushInterval)
	defer timer.Stop()
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		}
		s := r.snapshot()
		if s.closing {
			p.publishRemaining(ctx)
			return
		}
		if flushed := r.takeFlushed(); len(flushed) > 0 {
			p.flush(ctx, flushed)
			s = p.snapshot()
		}
		if p.due(s) {
			p.push(ctx, s, p.config.NoWait)
		}
		// The state comes before the errors, because each error may take as long as PublishTimeout. Each round publishes one error. If
		// there are more, signal starts another round.
		if time.Since(p.errorFailed) >= message.SlowPushInterval && p.publishError(ctx, maxErrorTries) && r.hasErrors() {
			r.signal()
		}
		p.scheduleWakeup(timer)
	}
}

// due reports whether s must be pushed now.
func (p *pusher) due(s state) bool {
	since := time.Since(p.triedAt)
	switch {
	case s.version == 0: // There is no phase yet, so there is nothing to show.
		return false
	case s.version != p.tried.version: // A new phase or the end is urgent.
		return true
	case p.failedInARow > 0:
		return since >= p.failurePause()
	case !p.unpublished(s) || since < message.MinPushInterval:
		return false
	case since >= message.SlowPushInterval:
		return true
	default:
		return s.done >= p.tried.stepsUntil(message.MinPushProgress)
	}
}

// unpublished reports whether the user may see another state than s: s differs from the state of the last push, or that push has not
// succeeded. A failed push may have arrived nevertheless.
func (p *pusher) unpublished(s state) bool { return p.missing || s.changed(p.tried) }

// failurePause returns the pause after the last push, which has failed.
func (p *pusher) failurePause() time.Duration {
	doubled := min(max(p.failedInARow-steadyFailures, 0), 16) // more would be over maxFailurePause
	return min(message.SlowPushInterval<<doubled, maxFailurePause)
}

// scheduleWakeup arranges that the goroutine wakes when the next push may be due: by the timer at the end of an interval, or by the
// Update that reaches nextAt.
func (p *pusher) scheduleWakeup(timer *time.Timer) {
	since := time.Since(p.triedAt)
	noState := p.tried.version == 0
	published := since >= message.SlowPushInterval && !p.missing // only an Update can make the next push due
	// Set the timer. If publishing an error took longer than the interval, the wait is negative, and the timer fires at once.
	wait := message.SlowPushInterval - since
	switch {
	case p.failedInARow > 0:
		wait = p.failurePause() - since
	case noState || published:
		wait = never
	case since < message.MinPushInterval:
		wait = message.MinPushInterval - since
	}
	if p.hasErrors() {
		wait = min(wait, message.SlowPushInterval)
	}
	if timer.Stop(); wait != never {
		timer.Reset(wait)
	}
	// Set nextAt, at which an Update wakes the goroutine.
	switch {
	case noState || p.failedInARow > 0 || since < message.MinPushInterval: // Only a new phase or status may be pushed now.
		return
	case since < message.SlowPushInterval:
		p.nextAt.Store(p.tried.stepsUntil(message.MinPushProgress))
	default:
		p.nextAt.Store(p.tried.stepsUntil(0)) // one more step
	}
	// An Update between the snapshot and the Store above has compared its steps with the old nextAt.
	if p.done.Load() >= p.nextAt.Load() {
		p.nextAt.Store(never)
		p.signal()
	}
}

// push publishes s. If noWait is true, the notifier may answer that s is stored but not pushed. push returns false if the publishing
// failed and s must be pushed again.
func (p *pusher) push(ctx context.Context, s state, noWait bool) bool {
	p.nextAt.Store(never)
	now := time.Now()
	d := s.data(p.config, p.floor, now)
	p.floor = d.Progress
	request := p.request(p.config.asData(d))
	request.SentAt, request.Part, request.NoWait = now, s.part(p.config), noWait
	err := p.publish(ctx, request)
	p.tried, p.triedAt = s, time.Now()
	failed := err != nil && !errors.Is(err, ErrPending) && !errors.Is(err, message.ErrRefused)
	p.missing = failed || errors.Is(err, ErrPending)
	if !failed {
		p.failedInARow = 0
		return true
	}
	p.failedInARow++
	return false
}

// publishError publishes the oldest pending error, if there is one. It returns false if that failed. After maxTries it drops the error.
func (p *pusher) publishError(ctx context.Context, maxTries int) bool {
	e, ok := p.nextError()
	if !ok {
		return true
	}
	request := p.request(e.data.Truncated())
	request.Key = e.key // A try that failed may have arrived, and then the key makes this one a duplicate.
	err := p.publish(ctx, request)
	if err == nil || errors.Is(err, ErrPending) {
		return true
	}
	p.errorFailed = time.Now()
	e.tries++
	if e.tries < maxTries && !errors.Is(err, message.ErrRefused) {
		p.requeueError(e)
	} else {
		p.dropped.Add(1)
	}
	return false
}

// publishRemaining publishes the last state, then the pending errors. It retries until ctx ends if the last state is terminal and has
// not arrived, otherwise for stateTimeout.
func (p *pusher) publishRemaining(ctx context.Context) {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		s := p.snapshot()
		arrived := s.version == 0 || !p.unpublished(s) || p.push(ctx, s, false)
		for arrived && p.hasErrors() {
			if !p.publishError(ctx, math.MaxInt) { // No number of tries drops the error.
				break
			}
		}
		complete := arrived && !p.hasErrors()
		endMissing := s.status.Terminal() && !arrived
		if complete || !endMissing && time.Since(began)+pause > stateTimeout {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// flush does what the calls of Flush wait for, and then closes their channels.
func (p *pusher) flush(ctx context.Context, flushed []chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, CloseTimeout)
	defer cancel()
	p.publishRemaining(ctx)
	for _, done := range flushed {
		close(done)
	}
}

// request returns the request that publishes data.
func (p *pusher) request(data message.Data) message.Request {
	return message.Request{UserID: p.config.UserID, Message: data, Epoch: p.config.Epoch, Execution: p.config.Execution}
}

// publish makes one call of the Publisher. It logs and counts a failure. Its error is [message.ErrRefused] if a repetition of the
// request would fail, too.
func (p *pusher) publish(ctx context.Context, r message.Request) error {
	ctx, cancel := context.WithTimeout(ctx, PublishTimeout)
	defer cancel()
	err := p.config.Publisher.Publish(ctx, r)
	if err == nil || errors.Is(err, ErrPending) {
		p.published.Add(1)
		return err
	}
	p.failures.Add(1)
	p.config.Logger.WarnContext(ctx, "publish progress", "type", r.Message.Type(), "uploadId", p.config.jobID(), "err", err)
	if invalid := r.Validate(); invalid != nil && !errors.Is(err, message.ErrRefused) {
		err = fmt.Errorf("%w: %w", message.ErrRefused, invalid)
	}
	if errors.Is(err, message.ErrRefused) {
		p.refuse(err)
	}
	return err
}
