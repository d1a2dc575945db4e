package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
)

// reading is a store that waits before each page of two rows, and counts the rows that were read.
type reading struct {
	*connection.Memory

	page     time.Duration
	rowsRead int
	fail     error // after the last page
}

func (r *reading) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range r.Memory.ByUser(ctx, id) {
			if r.rowsRead%2 == 0 {
				if err := pause(ctx, r.page); err != nil {
					yield(connection.Connection{}, err)

					return
				}
			}
			if !yield(c, err) {
				return
			}
			r.rowsRead++
		}
		if r.fail != nil {
			yield(connection.Connection{}, r.fail)
		}
	}
}

// afterPrefetch reads the connections of "u1" while prepare makes a frame, and posts it. A nil frame is not posted.
func afterPrefetch(t *testing.T, b *broadcast.Broadcaster, prepare func(context.Context) ([]byte, error)) (broadcast.Report, error) {
	t.Helper()
	ctx, cancel := broadcast.WithBudget(t.Context())
	defer cancel()
	recipients, stop := b.User("u1").Prefetch(ctx)
	defer stop()
	body, err := prepare(ctx)
	if err != nil || body == nil {
		return broadcast.Report{MessageID: "id"}, err
	}

	return recipients.Post(ctx, broadcast.Frame{ID: "id", Body: body})
}

// after returns a function that makes a frame in d.
func after(d time.Duration, frame []byte, err error) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		if err := pause(ctx, d); err != nil {
			return nil, err
		}

		return frame, err
	}
}

func TestPrefetchReadsConnectionsWhileTheFrameIsMade(t *testing.T) {
	refused := errors.New("refused")
	broken := errors.New("throughput exceeded")
	for _, tt := range []struct {
		name    string
		prepare func(context.Context) ([]byte, error)
		store   reading
		want    broadcast.Report
		err     error
		took    time.Duration
	}{
		{"reads while the frame is made", after(2*time.Second, []byte("f"), nil), reading{page: time.Second}, broadcast.Report{Connections: 4, Delivered: 4}, nil, 2 * time.Second},
		{"posts while pages are read", after(0, []byte("f"), nil), reading{page: time.Second}, broadcast.Report{Connections: 4, Delivered: 4}, nil, 2 * time.Second},
		{"no frame posts nothing", after(time.Second, nil, nil), reading{}, broadcast.Report{}, nil, time.Second},
		{"no frame ends the reading", after(time.Second, nil, nil), reading{page: 3 * time.Second}, broadcast.Report{}, nil, time.Second},
		{"without a frame an error of the reading does not count", after(time.Second, nil, nil), reading{fail: broken}, broadcast.Report{}, nil, time.Second},
		{"no post after an error", after(time.Second, []byte("f"), refused), reading{page: 3 * time.Second}, broadcast.Report{}, refused, time.Second},
		{"the reading fails", after(time.Second, []byte("f"), nil), reading{fail: broken}, broadcast.Report{Connections: 4, Delivered: 4}, broadcast.ErrStore, time.Second},
		{"the budget ends the making of the frame", after(time.Hour, []byte("f"), nil), reading{}, broadcast.Report{}, context.DeadlineExceeded, broadcast.Budget},
		{"the budget ends the reading", after(0, []byte("f"), nil), reading{page: 3 * time.Second}, broadcast.Report{Connections: 2, Delivered: 2}, nil, broadcast.Budget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.store.Memory = user(t, "a", "b", "c", "d")
				s := &sender{}
				b := &broadcast.Broadcaster{Store: &tt.store, Sender: s}
				start := time.Now()
				got, err := afterPrefetch(t, b, tt.prepare)
				tt.want.MessageID = "id"
				if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
					t.Errorf("%v, want %v; report (-want +got):\n%s", err, tt.err, diff)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v of virtual time, want %v", took, tt.took)
				}
				for id, frames := range s.frames {
					if diff := cmp.Diff([]string{"f"}, frames); diff != "" {
						t.Errorf("posts to %s (-want +got):\n%s", id, diff)
					}
				}
			})
		})
	}
}

func TestPrefetchReadsNoMoreThanCanBePostedAtOnce(t *testing.T) {
	const rows = 12_000
	synctest.Test(t, func(t *testing.T) {
		store := &reading{Memory: user(t)}
		for i := range rows {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{}}
		report, err := afterPrefetch(t, b, func(context.Context) ([]byte, error) {
			time.Sleep(time.Second)
			synctest.Wait()
			if store.rowsRead > 2*broadcast.InFlight {
				t.Errorf("%d rows were read before there was a frame", store.rowsRead)
			}

			return []byte("f"), nil
		})
		if err != nil || report.Delivered != rows {
			t.Errorf("%+v, %v; want all %d delivered", report, err, rows)
		}
	})
}

func TestPrefetchStopsWithoutAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &reading{Memory: user(t)}
		for i := range 1000 {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{}}
		report, err := afterPrefetch(t, b, after(time.Second, nil, nil))
		if err != nil || report.Connections != 0 || store.rowsRead > 2*broadcast.InFlight {
			t.Errorf("%+v, %v, after %d rows; want a report of nothing", report, err, store.rowsRead)
		}
	})
}
