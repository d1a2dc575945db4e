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

// pagedStore is a store that waits for pageTime before each page of two connections, and counts the connections that were read.
type pagedStore struct {
	*connection.Memory

	pageTime time.Duration
	rowsRead int
	fail     error // after the last page
}

func (s *pagedStore) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range s.Memory.ByUser(ctx, id) {
			if s.rowsRead%2 == 0 {
				if err := pause(ctx, s.pageTime); err != nil {
					yield(connection.Connection{}, err)

					return
				}
			}
			if !yield(c, err) {
				return
			}
			s.rowsRead++
		}
		if s.fail != nil {
			yield(connection.Connection{}, s.fail)
		}
	}
}

// prefetchAndPost reads the connections of "u1" while prepare makes a frame, and posts the frame. It posts nothing if prepare
// returns a nil frame or an error.
func prefetchAndPost(t *testing.T, b *broadcast.Broadcaster, prepare func(context.Context) ([]byte, error)) (broadcast.Report, error) {
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

// prepareIn returns a prepare function for prefetchAndPost that waits for d and then returns frame and err.
func prepareIn(d time.Duration, frame []byte, err error) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		if err := pause(ctx, d); err != nil {
			return nil, err
		}

		return frame, err
	}
}

func TestPrefetchReadsConnectionsWhileTheFrameIsMade(t *testing.T) {
	errPrepare := errors.New("refused")
	errRead := errors.New("throughput exceeded")
	for _, tt := range []struct {
		name    string
		prepare func(context.Context) ([]byte, error)
		store   pagedStore
		want    broadcast.Report
		err     error
		took    time.Duration
	}{
		{"reads while the frame is made", prepareIn(2*time.Second, []byte("f"), nil), pagedStore{pageTime: time.Second}, broadcast.Report{Connections: 4, Delivered: 4}, nil, 2 * time.Second},
		{"posts while pages are read", prepareIn(0, []byte("f"), nil), pagedStore{pageTime: time.Second}, broadcast.Report{Connections: 4, Delivered: 4}, nil, 2 * time.Second},
		{"no frame posts nothing", prepareIn(time.Second, nil, nil), pagedStore{}, broadcast.Report{}, nil, time.Second},
		{"no frame ends the reading", prepareIn(time.Second, nil, nil), pagedStore{pageTime: 3 * time.Second}, broadcast.Report{}, nil, time.Second},
		{"without a frame an error of the reading does not count", prepareIn(time.Second, nil, nil), pagedStore{fail: errRead}, broadcast.Report{}, nil, time.Second},
		{"no post after an error", prepareIn(time.Second, []byte("f"), errPrepare), pagedStore{pageTime: 3 * time.Second}, broadcast.Report{}, errPrepare, time.Second},
		{"the reading fails", prepareIn(time.Second, []byte("f"), nil), pagedStore{fail: errRead}, broadcast.Report{Connections: 4, Delivered: 4}, broadcast.ErrStore, time.Second},
		{"the budget ends the making of the frame", prepareIn(time.Hour, []byte("f"), nil), pagedStore{}, broadcast.Report{}, context.DeadlineExceeded, broadcast.Budget},
		{"the budget ends the reading", prepareIn(0, []byte("f"), nil), pagedStore{pageTime: 3 * time.Second}, broadcast.Report{Connections: 2, Delivered: 2}, nil, broadcast.Budget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.store.Memory = storeWith(t, "a", "b", "c", "d")
				s := &sender{}
				b := &broadcast.Broadcaster{Store: &tt.store, Sender: s}
				start := time.Now()
				got, err := prefetchAndPost(t, b, tt.prepare)
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
		store := &pagedStore{Memory: storeWith(t)}
		for i := range rows {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{}}
		report, err := prefetchAndPost(t, b, func(context.Context) ([]byte, error) {
			time.Sleep(time.Second)
			synctest.Wait()
			if store.rowsRead > 2*broadcast.InFlight {
				t.Errorf("%d connections were read before there was a frame", store.rowsRead)
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
		store := &pagedStore{Memory: storeWith(t)}
		for i := range 1000 {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{}}
		report, err := prefetchAndPost(t, b, prepareIn(time.Second, nil, nil))
		if err != nil || report.Connections != 0 || store.rowsRead > 2*broadcast.InFlight {
			t.Errorf("%+v, %v, after %d connections were read; want an empty report", report, err, store.rowsRead)
		}
	})
}
