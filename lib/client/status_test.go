package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

var errSocketLost = errors.New("lost")

// scriptedSocket answers each message by a synced frame, and is lost when lost is closed.
type scriptedSocket struct {
	// sent has the messages that are not answered yet.
	sent chan string
	lost chan struct{}
}

func (s *scriptedSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	select {
	case <-s.sent:
		return message.Envelope{Type: message.TypeSynced, Data: message.Synced{}}, nil, nil
	case <-s.lost:
		return message.Envelope{}, nil, errSocketLost
	case <-ctx.Done():
		return message.Envelope{}, nil, ctx.Err()
	}
}

func (s *scriptedSocket) Send(_ context.Context, text string) error { s.sent <- text; return nil }
func (s *scriptedSocket) Close() error                              { return nil }
func (s *scriptedSocket) Drop() error                               { return nil }

// TestStatusSaysWhenTheViewIsCompleteAndWhenTheNextAttemptIs loses a connection, is refused once, and connects again.
func TestStatusSaysWhenTheViewIsCompleteAndWhenTheNextAttemptIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One socket for each attempt to connect. The second attempt is refused, so it has none.
		sockets := []*scriptedSocket{{make(chan string, 9), make(chan struct{})}, nil, {make(chan string, 9), make(chan struct{})}}
		dialed := 0
		var got []Status
		c := New(Config{
			Token: func(context.Context) (string, error) { return "t", nil },
			Dial: func(context.Context, string, string) (Socket, error) {
				time.Sleep(time.Second)
				dialed++
				if socket := sockets[dialed-1]; socket != nil {
					return socket, nil
				}
				return nil, &Refused{Status: 502}
			},
			OnStatus: func(s Status) { got = append(got, s) },
		})
		c.random = func() float64 { return 1 }
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		close(sockets[0].lost)
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returns %v", err)
		}
		lost := begin.Add(time.Minute)
		want := []Status{
			{State: Connecting},
			{State: Connected},
			{State: Connected, Synced: true},
			{State: Connecting, RetryAt: lost.Add(MinBackoff), Err: errSocketLost},
			{State: Connecting, RetryAt: lost.Add(MinBackoff + time.Second + 2*MinBackoff), Err: &Refused{Status: 502}},
			{State: Connected},
			{State: Connected, Synced: true},
			{State: Stopped},
		}
		sameText := cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		if diff := cmp.Diff(want, got, sameText); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}
