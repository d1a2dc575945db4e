package broadcast_test

import (
	"context"
	"errors"
	"fmt"
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

// hello is a valid message.
var hello = message.Notification{Title: "t", Message: "m", Severity: message.SeverityInfo}

// sender answers the posts to each connection with its answers, one after the other, and repeats the last one. Without answers
// every post succeeds.
type sender struct {
	answers map[string][]error // by connection id
	delay   time.Duration      // of each post

	mu          sync.Mutex
	frames      map[string][]string // by connection id
	inFlight    int
	maxInFlight int
}

func (s *sender) Send(ctx context.Context, id string, frame []byte) error {
	s.mu.Lock()
	if s.frames == nil {
		s.frames = map[string][]string{}
	}
	s.frames[id] = append(s.frames[id], string(frame))
	s.inFlight++
	s.maxInFlight = max(s.maxInFlight, s.inFlight)
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
	if err := pause(ctx, s.delay); err != nil {
		return fmt.Errorf("%w: %w", broadcast.ErrUnavailable, err)
	}
	if len(answers) > 0 {
		return answers[0]
	}

	return nil
}

// pause waits for d. It makes no timer for a d of 0, because Go 1.26's race detector crashes on many timers that are due at once
// in a synctest bubble.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// storeWith returns a store with connections of "u1" that were opened a minute ago.
func storeWith(t *testing.T, ids ...string) *connection.Memory {
	t.Helper()
	s := &connection.Memory{}
	for _, id := range ids {
		put(t, s, id, time.Minute, time.Hour)
	}

	return s
}

// put stores a connection of "u1" that was opened age ago, and whose token expires in tokenLife.
func put(t *testing.T, s connection.Store, id string, age, tokenLife time.Duration) {
	t.Helper()
	now := time.Now()
	c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: now.Add(-age), TokenExpiresAt: now.Add(tokenLife)}
	if err := s.Put(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// has reports whether a connection is stored.
func has(t *testing.T, s connection.Store, id string) bool {
	t.Helper()
	_, err := s.Get(t.Context(), id)

	return err == nil
}

func TestToUserCountsEachConnectionOnce(t *testing.T) {
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
			"two fail, one is gone", map[string][]error{"a": {final}, "b": {final}, "c": {broadcast.ErrGone}},
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
				b := &broadcast.Broadcaster{Store: storeWith(t, "a", "b", "c"), Sender: &sender{answers: tt.answers}}
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
	b := &broadcast.Broadcaster{Store: storeWith(t, ids...), Sender: s}
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
			t.Errorf("the frame %s does not contain the reported id, %s", frame, report.MessageID)
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

func TestEndedSessionsGetNoPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := storeWith(t, "live"), &sender{}
		put(t, store, "token expired", time.Minute, 0)
		put(t, store, "two hours old", connection.MaxSessionDuration, time.Hour)
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		report, err := b.ToUser(t.Context(), "u1", hello)
		if err != nil || report.Delivered != 1 || report.Expired != 2 || len(s.frames) != 1 {
			t.Errorf("%+v, %v, posts to %d connections; want 1 delivered, 2 expired", report, err, len(s.frames))
		}
	})
}

func TestGoneConnectionsAreDeletedAfterTheConnectGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storeWith(t)
		put(t, store, "old", 31*time.Second, time.Hour)
		put(t, store, "young", 30*time.Second, time.Hour)
		gone := []error{broadcast.ErrGone}
		b := &broadcast.Broadcaster{Store: store, Sender: &sender{answers: map[string][]error{"old": gone, "young": gone}}}
		if report, err := b.ToUser(t.Context(), "u1", hello); err != nil || report.Gone != 2 {
			t.Fatalf("%+v, %v", report, err)
		}
		if has(t, store, "old") {
			t.Error("the gone connection is not deleted")
		}
		if !has(t, store, "young") {
			t.Error("a connection was deleted while its $connect may still run")
		}
	})
}

func TestToConnectionPostsOnlyToAnOpenSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storeWith(t, "here", "gone")
		put(t, store, "expired", time.Hour, 0)
		s := &sender{answers: map[string][]error{"gone": {broadcast.ErrGone}}}
		b := &broadcast.Broadcaster{Store: store, Sender: s}
		for id, want := range map[string]broadcast.Report{
			"here":    {Connections: 1, Delivered: 1},
			"gone":    {Connections: 1, Gone: 1},
			"expired": {Connections: 1, Expired: 1},
			"unknown": {Connections: 1, Gone: 1},
		} {
			report, err := b.ToConnection(t.Context(), id, hello)
			if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(broadcast.Report{}, "MessageID")); diff != "" || err != nil {
				t.Errorf("%s: %v, report (-want +got):\n%s", id, err, diff)
			}
		}
		if len(s.frames["here"]) != 1 || len(s.frames["expired"])+len(s.frames["unknown"]) != 0 {
			t.Errorf("posts were %v", s.frames)
		}
	})
}

func TestBadMessagesAreNotPosted(t *testing.T) {
	s := &sender{}
	b := &broadcast.Broadcaster{Store: storeWith(t, "a"), Sender: s}
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
