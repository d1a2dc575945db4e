package scale_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/client"
	"github.com/herald-progress/herald/lib/cloud/scale"
	"github.com/herald-progress/herald/lib/message"
)

const (
	realClients = 200
	realRate    = 2 // connects a second
	realOutage  = 5 * time.Minute
)

// TestSimulatedClientsBehaveAsRealOnes lets real clients and simulated ones come back after the same outage, with the same quota.
func TestSimulatedClientsBehaveAsRealOnes(t *testing.T) {
	s := small()
	s.Tabs, s.Jobs, s.HotJobs, s.HotUsers = realClients, 0, 0, 0
	s.OutageAt, s.OutageFor, s.Duration, s.Connects = 0, realOutage, 10*time.Minute, realRate
	r := scale.Simulate(s)
	synctest.Test(t, func(t *testing.T) {
		g := &realGateway{start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range realClients {
			c := client.New(client.Config{URL: "wss://example.com", Token: func(context.Context) (string, error) { return "t", nil }, Dial: g.dial})
			clients.Go(func() { _ = c.Run(ctx) })
		}
		time.Sleep(s.Duration)
		cancel()
		clients.Wait()
		if g.connects != r.Connects {
			t.Fatalf("%d real clients are back, and %d simulated ones", g.connects, r.Connects)
		}
		near := func(what string, got, want float64) {
			const tolerance = 0.1
			if got < want*(1-tolerance) || got > want*(1+tolerance) {
				t.Errorf("%s: %.1f simulated, %.1f real", what, got, want)
			}
		}
		near("attempts", float64(r.Attempts), float64(g.attempts))
		const most = 0.9 // the last one may come back after a pause more or less
		near("seconds until nine in ten are back", r.Back.Quantile(most).Seconds(), g.back[realClients*9/10].Seconds())
	})
}

// realGateway refuses connects during the outage, and those over the quota.
type realGateway struct {
	start time.Time

	mu                 sync.Mutex
	attempts, connects int
	second             int64
	inSecond           int
	back               []time.Duration // from the outage's end to each connect
}

var errRefused = errors.New("refused")

func (g *realGateway) dial(context.Context, string, string) (client.Socket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.attempts++
	now := time.Since(g.start)
	if now < realOutage {
		return nil, errRefused
	}
	if second := int64(now / time.Second); second != g.second {
		g.second, g.inSecond = second, 0
	}
	if g.inSecond == realRate {
		return nil, errRefused
	}
	g.inSecond++
	g.connects++
	g.back = append(g.back, now-realOutage)
	return &realSocket{answers: make(chan message.Envelope, 10), closed: make(chan struct{})}, nil
}

// realSocket answers each sync.
type realSocket struct {
	answers chan message.Envelope
	closed  chan struct{}
	once    sync.Once
}

func (s *realSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	select {
	case e := <-s.answers:
		return e, nil, nil
	case <-s.closed:
		return message.Envelope{}, nil, io.EOF
	case <-ctx.Done():
		return message.Envelope{}, nil, ctx.Err()
	}
}

func (s *realSocket) Send(context.Context, string) error {
	s.answers <- message.New(message.Synced{}, "", time.Now())
	return nil
}

func (s *realSocket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *realSocket) Drop() error { return s.Close() }
