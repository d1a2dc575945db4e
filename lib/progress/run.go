package progress

import (
	"context"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// pusher is what the goroutine remembers between pushes.
type pusher struct {
	*Reporter

	last  state     // the newest state that arrived
	tried state     // the newest state that a push was made of
	at    time.Time // when that push began
	floor float64   // the highest progress that was pushed
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
		for _, e := range s.errors {
			p.publish(ctx, p.request(e))
		}
		if s.closing {
			p.finish(ctx)

			return
		}
		if p.due(s) {
			p.push(ctx, s)
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
	case p.tried.version == 0:
		timer.Stop()

		return
	case since < message.MinInterval:
		timer.Reset(message.MinInterval - since)

		return // next is never: nothing but urgency pushes inside the interval
	case since < message.SlowInterval:
		p.next.Store(p.tried.stepsFor(message.MinStep))
		timer.Reset(message.SlowInterval - since)
	default: // all has arrived
		p.next.Store(p.tried.stepsFor(0))
		timer.Stop()
	}
	// An Update between the look at the state and the Store above has found the old threshold.
	if p.done.Load() >= p.next.Load() {
		p.next.Store(never)
		p.nudge()
	}
}

// push publishes s.
func (p *pusher) push(ctx context.Context, s state) bool {
	p.next.Store(never)
	p.tried, p.at = s, time.Now()
	d := s.data(p.config, p.floor, p.at)
	p.floor = d.Progress
	request := p.request(d)
	request.Part = s.part(p.config)
	if !p.publish(ctx, request) {
		return false
	}
	p.last = s

	return true
}

// finish publishes what has not arrived, with a few tries.
func (p *pusher) finish(ctx context.Context) {
	for range closeAttempts {
		s := p.take()
		for _, e := range s.errors {
			p.publish(ctx, p.request(e))
		}
		if s.version == 0 || !s.changed(p.last) || p.push(ctx, s) {
			return
		}
		select {
		case <-time.After(closePause):
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
