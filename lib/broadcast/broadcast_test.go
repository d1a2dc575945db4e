package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/message"
)

var hello = message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}

// sender scripts what each connection answers, post by post; the last answer repeats.
type sender struct {
	answers map[string][]error
	delay   time.Duration

	mu       sync.Mutex
	frames   map[string][]string
	inFlight int
	most     int
}

func (s *sender) Send(ctx context.Context, id string, frame []byte) error {
	s.mu.Lock()
	if s.frames == nil {
		s.frames = map[string][]string{}
	}
	s.frames[id] = append(s.frames[id], string(frame))
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	answers := s.answers[id]
	if len(answers) > 1 {
		s.answers[id] = answers[1:]
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, ctx.Err())
	}
	if len(answers) > 0 {
		return answers[0]
	}

	return nil
}

// user stores rows of "u1" that were connected a minute ago, and returns the store.
func user(t *testing.T, ids ...string) *connection.Memory {
	t.Helper()
	s := &connection.Memory{}
	for _, id := range ids {
		put(t, s, id, time.Minute, time.Hour)
	}

	return s
}

func put(t *testing.T, s connection.Store, id string, age, left time.Duration) {
	t.Helper()
	now := time.Now()
	c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: now.Add(-age), TokenExpiresAt: now.Add(left)}
	if err := s.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, s connection.Store, id string) bool {
	t.Helper()
	_, err := s.Get(t.Context(), id)

	return err == nil
}

func TestToUserReports(t *testing.T) {
	final := errors.New("403")
	for _, tt := range []struct {
		name    string
		answers map[string][]error
		want    broadcast.Report
		err     error
	}{
		{"all delivered", nil, broadcast.Report{Connections: 3, Delivered: 3}, nil},
		{"one gone", map[string][]error{"a": {broadcast.ErrGone}}, broadcast.Report{Connections: 3, Delivered: 2, Gone: 1}, nil},
		{
			"all gone", map[string][]error{"a": {broadcast.ErrGone}, "b": {broadcast.ErrGone}, "c": {broadcast.ErrGone}},
			broadcast.Report{Connections: 3, Gone: 3}, nil,
		},
		{"one fails for good", map[string][]error{"a": {final}}, broadcast.Report{Connections: 3, Delivered: 2, Failed: 1}, nil},
		{
			"all fail but one that is gone", map[string][]error{"a": {final}, "b": {final}, "c": {broadcast.ErrGone}},
			broadcast.Report{Connections: 3, Gone: 1, Failed: 2}, broadcast.ErrDelivery,
		},
		{
			"throttled, then delivered", map[string][]error{"a": {broadcast.ErrThrottled, broadcast.ErrUnavailable, nil}},
			broadcast.Report{Connections: 3, Delivered: 3}, nil,
		},
		{
			"throttled to the end", map[string][]error{"a": {broadcast.ErrThrottled}, "b": {broadcast.ErrThrottled}, "c": {broadcast.ErrThrottled}},
			broadcast.Report{Connections: 3, Failed: 3}, broadcast.ErrThrottled,
		},
		{
			"throttled and failed", map[string][]error{"a": {broadcast.ErrThrottled}, "b": {final}, "c": {final}},
			broadcast.Report{Connections: 3, Failed: 3}, broadcast.ErrDelivery,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &broadcast.Broadcaster{Store: user(t, "a", "b", "c"), Sender: &sender{answers: tt.answers}}
				start := time.Now()
				got, err := b.ToUser(t.Context(), "u1", hello)
				if !errors.Is(err, tt.err) {
					t.Errorf("error is %v, want %v", err, tt.err)
				}
				if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(broadcast.Report{}, "MessageID")); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
				if took := time.Since(start); took > broadcast.Budget {
					t.Errorf("took %v, over the budget", took)
				}
			})
		})
	}
}

func TestEveryConnectionSeesOneFrame(t *testing.T) {
	var ids []string
	for i := range 81 {
		ids = append(ids, fmt.Sprintf("c%02d", i))
	}
	s := &sender{}
	b := &broadcast.Broadcaster{Store: user(t, ids...), Sender: s}
	report, err := b.ToUser(t.Context(), "u1", hello)
	if err != nil || report.Delivered != 81 {
		t.Fatalf("%+v, %v", report, err)
	}
	seen := map[string]bool{}
	for _, frames := range s.frames {
		for _, frame := range frames {
			seen[frame] = true
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d different frames in one broadcast, want 1", len(seen))
	}
	for frame := range seen {
		if !strings.Contains(frame, report.MessageID) {
			t.Errorf("the frame %s lacks the id that is reported, %s", frame, report.MessageID)
		}
	}
}

func TestNobodyConnectedIsASuccess(t *testing.T) {
	b := &broadcast.Broadcaster{Store: &connection.Memory{}, Sender: &sender{}}
	report, err := b.ToUser(t.Context(), "nobody", hello)
	if err != nil || report.Connections != 0 || report.MessageID == "" {
		t.Errorf("%+v, %v; want an empty report with an id", report, err)
	}
}

func TestSessionsThatAreOverGetNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := user(t, "live"), &sender{}
		put(t, store, "token is over", time.Minute, 0)
		put(t, store, "two hours are over", connection.MaxSession, time.Hour)
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != 1 || report.Expired != 2 || len(s.frames) != 1 {
			t.Errorf("%+v, %v, posts to %d connections; want 1 delivered, 2 expired", report, err, len(s.frames))
		}
	})
}

func TestGoneRowsAreDeletedOnceTheyHaveSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := user(t)
		put(t, store, "old", 31*time.Second, time.Hour)
		put(t, store, "young", 30*time.Second, time.Hour)
		gone := []error{broadcast.ErrGone}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{answers: map[string][]error{"old": gone, "young": gone}}}
		if report, err := b.ToUser(t.Context(), "u1", hello); err != nil || report.Gone != 2 {
			t.Fatalf("%+v, %v", report, err)
		}
		if has(t, store, "old") {
			t.Error("the row of a connection that is gone is still there")
		}
		if !has(t, store, "young") {
			t.Error("a row was deleted while its $connect may still run")
		}
	})
}

func TestFanOutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := user(t)
		for i := range 1000 {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		s := &sender{delay: 10 * time.Millisecond}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		start := time.Now()
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != 1000 {
			t.Fatalf("%+v, %v", report, err)
		}
		if s.most != broadcast.InFlight {
			t.Errorf("%d posts in flight at most, want %d", s.most, broadcast.InFlight)
		}
		if took, want := time.Since(start), 80*time.Millisecond; took != want {
			t.Errorf("1000 posts of 10 ms took %v of virtual time, want %v", took, want)
		}
	})
}

func TestThrottledHoldsForMoreThanAreInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := user(t), &sender{answers: map[string][]error{}, delay: 10 * time.Millisecond}
		for i := range 3 * broadcast.InFlight {
			id := fmt.Sprint("c", i)
			put(t, store, id, time.Minute, time.Hour)
			s.answers[id] = []error{broadcast.ErrThrottled}
		}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if !errors.Is(err, broadcast.ErrThrottled) || report.Failed != 3*broadcast.InFlight {
			t.Errorf("%+v, %v; want all failed, ErrThrottled", report, err)
		}
	})
}

func TestThrottlingIsNotAnsweredByMoreRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		throttled int // the posts to each connection that are throttled at first
		delivered int
	}{"for a moment": {1, 300}, "to the end": {1000, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, s := user(t), &sender{answers: map[string][]error{}, delay: 10 * time.Millisecond}
				for i := range 300 {
					id := fmt.Sprint("c", i)
					put(t, store, id, time.Minute, time.Hour)
					s.answers[id] = append(slices.Repeat([]error{broadcast.ErrThrottled}, tt.throttled), nil)
				}
				b := &broadcast.Broadcaster{Store: store, Sender: s}
				report, _ := b.ToUser(t.Context(), "u1", hello)
				requests := 0
				for _, frames := range s.frames {
					requests += len(frames)
				}
				if report.Delivered != tt.delivered || requests > 6*broadcast.InFlight {
					t.Errorf("%+v by %d requests, want %d delivered by at most %d", report, requests, tt.delivered, 6*broadcast.InFlight)
				}
			})
		})
	}
}

func TestAHungConnectionHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{delay: time.Hour}
		b := &broadcast.Broadcaster{Store: user(t, "hung", "hung too"), Sender: s}
		start := time.Now()
		report, err := b.ToUser(t.Context(), "u1", hello)
		if !errors.Is(err, broadcast.ErrDelivery) || report.Failed != 2 {
			t.Errorf("%+v, %v; want 2 failed", report, err)
		}
		if took := time.Since(start); took > broadcast.Budget {
			t.Errorf("took %v, over the budget of %v", took, broadcast.Budget)
		}
	})
}

func TestTheCallersDeadlineLeavesTimeForThePartialReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := user(t)
		for i := range 3 * broadcast.InFlight {
			put(t, store, fmt.Sprint("c", i), time.Minute, time.Hour)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{delay: 400 * time.Millisecond}}
		report, err := b.ToUser(ctx, "u1", hello)
		want := broadcast.Report{Connections: 3 * broadcast.InFlight, Delivered: broadcast.InFlight, Failed: 2 * broadcast.InFlight}
		if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(broadcast.Report{}, "MessageID")); diff != "" || err != nil {
			t.Errorf("%v, report (-want +got):\n%s", err, diff)
		}
		if ctx.Err() != nil {
			t.Error("the report came after the caller's deadline")
		}
	})
}

// pages is a store whose second page comes late, or never.
type pages struct {
	*connection.Memory

	fail error
	sent *sender
	t    *testing.T
}

func (p *pages) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		n := 0
		for c, err := range p.Memory.ByUser(ctx, id) {
			if n++; n == 3 {
				time.Sleep(time.Second) // virtual: the next page is being read
				p.sent.mu.Lock()
				if len(p.sent.frames) != 2 {
					p.t.Errorf("%d posts while the second page was being read, want the first page's 2", len(p.sent.frames))
				}
				p.sent.mu.Unlock()
				if p.fail != nil {
					yield(connection.Connection{}, p.fail)

					return
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func TestPostsStartWhileLaterPagesAreRead(t *testing.T) {
	for name, fail := range map[string]error{"page comes": nil, "page fails": errors.New("throughput exceeded")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sender{delay: 10 * time.Millisecond}
				store := &pages{Memory: user(t, "a", "b", "c", "d"), fail: fail, sent: s, t: t}
				b := &broadcast.Broadcaster{Store: store, Sender: s}
				report, err := b.ToUser(t.Context(), "u1", hello)
				if fail == nil && (err != nil || report.Delivered != 4) {
					t.Errorf("%+v, %v; want 4 delivered", report, err)
				}
				if fail != nil && (!errors.Is(err, broadcast.ErrStore) || report.Delivered != 2) {
					t.Errorf("%+v, %v; want ErrStore after 2 delivered", report, err)
				}
			})
		})
	}
}

// slowPages is a store whose second page takes longer than the budget.
type slowPages struct{ *connection.Memory }

func (p slowPages) ByUser(ctx context.Context, id string) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range p.Memory.ByUser(ctx, id) {
			if !yield(c, err) {
				return
			}
		}
		<-ctx.Done()
		yield(connection.Connection{}, ctx.Err())
	}
}

func TestTheBudgetEndsWhilePagesAreRead(t *testing.T) {
	for name, want := range map[string]error{"u1": nil, "nobody so far": broadcast.ErrStore} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &broadcast.Broadcaster{Store: slowPages{user(t, "a", "b")}, Sender: &sender{}}
				report, err := b.ToUser(t.Context(), name, hello)
				if !errors.Is(err, want) || want == nil && report.Delivered != 2 {
					t.Errorf("%+v, %v; want a partial report, %v", report, err, want)
				}
			})
		})
	}
}

func TestToConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := user(t, "here", "gone")
		put(t, store, "over", time.Hour, 0)
		s := &sender{answers: map[string][]error{"gone": {broadcast.ErrGone}}}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		for id, want := range map[string]broadcast.Report{
			"here":    {Connections: 1, Delivered: 1},
			"gone":    {Connections: 1, Gone: 1},
			"over":    {Connections: 1, Expired: 1},
			"unknown": {Connections: 1, Gone: 1},
		} {
			report, err := b.ToConnection(t.Context(), id, hello)
			if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(broadcast.Report{}, "MessageID")); diff != "" || err != nil {
				t.Errorf("%s: %v, report (-want +got):\n%s", id, err, diff)
			}
		}
		if len(s.frames["here"]) != 1 || len(s.frames["over"])+len(s.frames["unknown"]) != 0 {
			t.Errorf("posts were %v", s.frames)
		}
	})
}

func TestBadMessagesAreNotPosted(t *testing.T) {
	s := &sender{}
	b := &broadcast.Broadcaster{Store: user(t, "a"), Sender: s}
	_, err := b.ToUser(t.Context(), "u1", message.Notification{Title: "t", Message: "m", Severity: "loud"})
	var bad *message.Invalid
	if !errors.As(err, &bad) {
		t.Errorf("%v, want an *Invalid", err)
	}
	_, err = b.ToUser(t.Context(), "u1", message.Error{Code: "C", Message: strings.Repeat("x", message.MaxFrame)})
	var large *message.TooLarge
	if !errors.As(err, &large) {
		t.Errorf("%v, want a *TooLarge", err)
	}
	if len(s.frames) != 0 {
		t.Errorf("posts to %d connections, want none", len(s.frames))
	}
}

func ExampleBroadcaster_ToUser() {
	store := &connection.Memory{}
	b := &broadcast.Broadcaster{Store: store, Sender: &sender{}}
	ctx := context.Background()
	_ = store.Put(ctx, connection.Connection{ID: "L0SM9cOFvHcCIhw=", UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)})
	report, err := b.ToUser(ctx, "u1", message.UploadProgress{UploadID: "u-42", FileName: "parts-list.csv", Progress: 50, Message: "Half way"})
	fmt.Println(report.Connections, report.Delivered, err)
	// Output: 1 1 <nil>
}
