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
)

const (
	// closesInFlight is how many sessions the reaper ends at once.
	closesInFlight = 32
	// closeReserve is what must be left of a run for one more session: whoever deletes its row must close the connection.
	closeReserve = 2 * broadcast.PostTimeout
)

// Reaper ends the connections whose sessions are over. It runs each minute.
type Reaper struct {
	Sessions connection.Sessions
	// Gateway posts and closes.
	Gateway Gateway
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle deletes the row of each session that has ended within [connection.EndedWithin], posts a closing frame and closes
// the connection. Of the event it uses nothing. It returns an error where the store failed for some of them: the next run
// tries again. A close that fails is only logged.
func (r *Reaper) Handle(ctx context.Context, _ json.RawMessage) error {
	run := &reaping{Reaper: r, log: logger(r.Log)}
	slots := make(chan struct{}, closesInFlight)
	var closes sync.WaitGroup
	for c, err := range r.Sessions.Ended(ctx, clock(r.Now)()) {
		if err != nil {
			run.failed(ctx, "read ended sessions", err)

			break
		}
		slots <- struct{}{}
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < closeReserve {
			run.log.WarnContext(ctx, "sessions left to the next run")

			break
		}
		closes.Go(func() {
			defer func() { <-slots }()
			run.end(ctx, c)
		})
	}
	closes.Wait()
	run.log.InfoContext(ctx, "reaped", "sessions", run.ended)

	return run.err
}

// reaping is one run of the reaper.
type reaping struct {
	*Reaper

	log *slog.Logger

	mu    sync.Mutex
	ended int
	// err is the store's first failure.
	err error
}

// end ends one session, unless another has done so, or the session was refreshed. After an error the row may be gone: then
// nobody else would find the session, so it is closed all the same.
func (r *reaping) end(ctx context.Context, c connection.Connection) {
	deleted, err := r.Sessions.DeleteIfUnchanged(ctx, c)
	if err != nil {
		r.failed(ctx, "delete ended session", err)
	} else if !deleted {
		return
	}
	r.mu.Lock()
	r.ended++
	r.mu.Unlock()
	now := clock(r.Now)()
	if err := closeWith(ctx, r.Gateway, c.ID, ending(c, now), now); err != nil {
		r.log.ErrorContext(ctx, "end session", "connectionId", c.ID, "err", err)
	}
}

func (r *reaping) failed(ctx context.Context, what string, err error) {
	r.log.ErrorContext(ctx, what, "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
}
