package session

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/metrics"
)

const (
	// MaxConcurrentCloses is how many sessions the reaper ends at once.
	MaxConcurrentCloses = 32
	// MaxClosesPerSecond is how many sessions the reaper begins to end in a second. The browsers of all of them connect again at once, with
	// three requests each, so more would use up the stage's rate of requests.
	MaxClosesPerSecond = 200
	// minTimeToClose is the time that must be left to end one more session: the process that deletes a connection must also
	// close it.
	minTimeToClose = 2 * broadcast.PostTimeout
)

// Reaper ends the connections whose sessions have ended. It runs every minute.
type Reaper struct {
	Sessions connection.Sessions
	// Gateway posts and closes.
	Gateway Gateway
	// Log is silent when nil.
	Log *slog.Logger
	// Metrics records the lag of each run, a time: how long ago the oldest session ended that the run has found. A run that could not
	// read the ended sessions does not know its lag, and records none. Nil records nothing.
	Metrics metrics.Recorder
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle deletes each connection whose session ended within the last [connection.EndedLookback], posts a closing frame to it and
// closes it. It does not read the event. It returns an error if a request to the store failed: the next run tries again. If a
// connection cannot be closed, it only logs that.
func (r *Reaper) Handle(ctx context.Context, _ json.RawMessage) error {
	run := &reaperRun{Reaper: r, log: logger(r.Log)}
	slots := make(chan struct{}, MaxConcurrentCloses)
	turns := time.NewTicker(time.Second / MaxClosesPerSecond)
	defer turns.Stop()
	var closes sync.WaitGroup
	lag, lagKnown := time.Duration(0), true
	for c, err := range r.Sessions.EndedSessions(ctx, clock(r.Now)()) {
		if err != nil {
			run.recordError(ctx, "read ended sessions", err)
			lagKnown = false
			break
		}
		lag = max(lag, clock(r.Now)().Sub(c.SessionEnd()))
		slots <- struct{}{}
		select {
		case <-turns.C:
		case <-ctx.Done():
		}
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < minTimeToClose {
			run.log.WarnContext(ctx, "sessions left to the next run")
			break
		}
		closes.Go(func() {
			defer func() { <-slots }()
			run.endSession(ctx, c)
		})
	}
	closes.Wait()
	if lagKnown {
		metrics.OrNone(r.Metrics).Duration(metrics.ReaperLag, lag)
	}
	run.log.InfoContext(ctx, "reaped", "sessions", run.ended)
	return run.err
}

// reaperRun is one run of the reaper.
type reaperRun struct {
	*Reaper

	log *slog.Logger

	mu sync.Mutex
	// ended is how many sessions this run has ended.
	ended int
	// err is the first error of the store.
	err error
}

// endSession ends one session unless another process did, or the session was refreshed. It closes the connection even if the
// deletion returned an error: the connection may be deleted, and then no other process would find it.
func (r *reaperRun) endSession(ctx context.Context, c connection.Connection) {
	deleted, err := r.Sessions.DeleteIfUnchanged(ctx, c)
	if err != nil {
		r.recordError(ctx, "delete ended session", err)
	} else if !deleted {
		return
	}
	r.mu.Lock()
	r.ended++
	r.mu.Unlock()
	now := clock(r.Now)()
	if err := sendAndClose(ctx, r.Gateway, c.ID, sessionClosing(c, now), now); err != nil {
		r.log.ErrorContext(ctx, "end session", "connectionId", c.ID, "err", err)
	}
}

func (r *reaperRun) recordError(ctx context.Context, what string, err error) {
	r.log.ErrorContext(ctx, what, "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
}
