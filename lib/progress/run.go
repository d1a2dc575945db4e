package progress

import (
	"context"
	"math"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// pusher is what the goroutine remembers between pushes.
type pusher struct {
	*Reporter

	last  state     // the newest state that arrived
	tried state     // the newest state that a push was made of
	at    time.Time // when that push began, or when it failed
	floor float64   // the highest progress that was pushed

	errorFailed time.Time // when an error was last published in vain
}

// run pushes until the Reporter is closed.
func (r *Reporter) run(ctx context.Context) {
	defer close(r.stopped)
	p := pusher{Reporter: r}
	timer := time.NewTimer(message.SlowInterval)
	defer timer.Stop()
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		}
		s := r.take()
		if s.closing {
			p.finish(ctx)

			return
		}
		if p.due(s) {
			p.push(ctx, s)
		}
		// A state comes first, however many errors wait: each may take as long as PublishTimeout.
		if time.Since(p.errorFailed) >= message.SlowInterval && p.publishError(ctx, maxErrorTries) && r.errorsWait() {
			r.nudge()
		}
		p.arm(timer)
	}
}

// due reports whether s is worth a push now.
func (p *pusher) due(s state) bool {
	since := time.Since(p.at)
	switch {
	case s.version == 0: // no phase yet: there is nothing to show
		return false
	case s.version != p.tried.version:
		return true
	case !s.changed(p.last) || since < message.MinInterval:
		return false
	case since >= message.SlowInterval:
		return true
	default:
		return s.done >= p.tried.stepsFor(message.MinStep)
	}
}

// arm makes the goroutine wake when the next push may be due: by the timer at the end of an interval, by Update after.
func (p *pusher) arm(timer *time.Timer) {
	since := time.Since(p.at)
	switch {
	case p.tried.version == 0, since >= message.SlowInterval: // there is nothing to show, or all has arrived
		timer.Stop()
		if p.errorsWait() {
			timer.Reset(message.SlowInterval)
		}
	case since < message.MinInterval:
		timer.Reset(message.MinInterval - since)
	default:
		timer.Reset(message.SlowInterval - since)
	}
	switch {
	case p.tried.version == 0, since < message.MinInterval: // nothing but urgency pushes inside the interval
		return
	case since < message.SlowInterval:
		p.next.Store(p.tried.stepsFor(message.MinStep))
	default:
		p.next.Store(p.tried.stepsFor(0))
	}
	// An Update between the look at the state and the Store above has found the old threshold.
	if p.done.Load() >= p.next.Load() {
		p.next.Store(never)
		p.nudge()
	}
}

// push publishes s, and reports whether there is nothing to make up for.
func (p *pusher) push(ctx context.Context, s state) bool {
	p.next.Store(never)
	p.tried, p.at = s, time.Now()
	d := s.data(p.config, p.floor, p.at)
	p.floor = d.Progress
	request := p.request(d)
	request.Part = s.part(p.config)
	if !p.publish(ctx, request) && request.Validate() == nil { // what is not valid is never taken
		p.at = time.Now()

		return false
	}
	p.last = s

	return true
}

// publishError publishes the error that has waited for the longest time, and reports whether it is worth going on: it is
// not after a failure. An error is dropped when it was tried as often as tries says.
func (p *pusher) publishError(ctx context.Context, tries int) bool {
	e, ok := p.takeError()
	if !ok {
		return true
	}
	request := p.request(e.data.Clipped())
	request.Key = e.key // the try before may have been carried out
	if p.publish(ctx, request) {
		return true
	}
	p.errorFailed = time.Now()
	e.tries++
	if e.tries < tries && request.Validate() == nil {
		p.giveBack(e)
	} else {
		p.dropped.Add(1)
	}

	return false
}

// finish publishes what has not arrived, and tries again until its time is over or ctx ends. The last state comes first.
func (p *pusher) finish(ctx context.Context) {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		s := p.take()
		arrived := s.version == 0 || !s.changed(p.last) || p.push(ctx, s)
		for arrived && p.errorsWait() && p.publishError(ctx, math.MaxInt) { //nolint:revive // the condition does the work
		}
		isEnd := s.status.Terminal() && !arrived
		if arrived && !p.errorsWait() || !isEnd && time.Since(began)+pause > stateTimeout {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// request returns what carries data.
func (p *pusher) request(data message.Data) message.Request {
	return message.Request{UserID: p.config.UserID, Message: data, Epoch: p.config.Epoch, Execution: p.config.Execution}
}

// publish makes one call of the Publisher, logs its failure, and reports whether it went well.
func (p *pusher) publish(ctx context.Context, r message.Request) bool {
	ctx, cancel := context.WithTimeout(ctx, PublishTimeout)
	defer cancel()
	if err := p.config.Publisher.Publish(ctx, r); err != nil {
		p.failures.Add(1)
		p.config.Logger.WarnContext(ctx, "publish progress", "type", r.Message.Type(), "uploadId", p.config.UploadID, "err", err)

		return false
	}
	p.published.Add(1)

	return true
}
