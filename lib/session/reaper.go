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
	// farewellsInFlight is how many sessions the reaper ends at once.
	farewellsInFlight = 32
	// farewellReserve is what must be left of a run for one more session: who claims it has to see it closed.
	farewellReserve = 2 * broadcast.PostTimeout
)

// Reaper ends the connections whose sessions are over. It runs each minute.
type Reaper struct {
	Sessions connection.Sessions
	Gateway  Gateway
	// Log is silent when nil.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handle claims each session that has ended within [connection.EndedWithin], says farewell and closes the connection. Of
// the event it uses nothing. It returns an error where the store failed for some of them: the next run tries again.
// A farewell that fails is only logged.
func (r *Reaper) Handle(ctx context.Context, _ json.RawMessage) error {
	run := &reaping{Reaper: r, log: logger(r.Log)}
	slots := make(chan struct{}, farewellsInFlight)
	var farewells sync.WaitGroup
	for c, err := range r.Sessions.Ended(ctx, clock(r.Now)()) {
		if err != nil {
			run.failed(ctx, "read ended sessions", err)

			break
		}
		slots <- struct{}{}
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < farewellReserve {
			run.log.WarnContext(ctx, "sessions left to the next run")

			break
		}
		farewells.Go(func() {
			defer func() { <-slots }()
			run.end(ctx, c)
		})
	}
	farewells.Wait()
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

func (r *reaping) end(ctx context.Context, c connection.Connection) {
	claimed, err := r.Sessions.Claim(ctx, c)
	if err != nil {
		r.failed(ctx, "claim ended session", err)

		return
	}
	if !claimed {
		return
	}
	r.mu.Lock()
	r.ended++
	r.mu.Unlock()
	now := clock(r.Now)()
	if err := farewell(ctx, r.Gateway, c.ID, ending(c, now), now); err != nil {
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
