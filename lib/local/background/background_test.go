package background_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/local/background"
)

func TestCloseCancelsGoroutinesAndWaitsForThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		group, begin := background.NewGroup(), time.Now()
		started := group.Go(func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Minute)
		})
		if !started {
			t.Error("an open group runs nothing")
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := group.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want its deadline", err)
		}
		if group.Go(func(context.Context) { t.Error("a closed group runs a goroutine") }) {
			t.Error("a closed group reports that it runs a goroutine")
		}
		if err := group.Close(t.Context()); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("Close: %v after %v, want 1m", err, time.Since(begin))
		}
	})
}
