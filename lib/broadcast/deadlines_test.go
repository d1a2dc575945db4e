package broadcast_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
)

// deadlineSender records how much time each post has, and the deadline of each.
type deadlineSender struct {
	delay time.Duration // of each post

	mu        sync.Mutex
	times     []time.Duration
	deadlines map[time.Time]bool
}

func (s *deadlineSender) Send(ctx context.Context, _ string, _ []byte) error {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	s.times = append(s.times, time.Until(deadline))
	if s.deadlines == nil {
		s.deadlines = map[time.Time]bool{}
	}
	s.deadlines[deadline] = true
	s.mu.Unlock()

	return pause(ctx, s.delay)
}

// TestPostsShareDeadlines: each post has almost three seconds and never more, and few deadlines serve many posts.
func TestPostsShareDeadlines(t *testing.T) {
	const shared = 190 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		store := storeWith(t)
		for i := range 8 * broadcast.InFlight {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		s := &deadlineSender{delay: 100 * time.Millisecond} // so posts begin every 100 ms for 800 ms
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != 8*broadcast.InFlight {
			t.Fatalf("%+v, %v", report, err)
		}
		for _, left := range s.times {
			if left > broadcast.PostTimeout || left < broadcast.PostTimeout-shared {
				t.Errorf("a post had %v, want %v to %v", left, broadcast.PostTimeout-shared, broadcast.PostTimeout)
			}
		}
		if len(s.deadlines) != 4 {
			t.Errorf("%d deadlines for posts that begin at 8 times, want 4", len(s.deadlines))
		}
	})
}
