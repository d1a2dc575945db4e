package session_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/session"
)

// What PROTOCOL.md says that one user may cause in a minute of the clock.
const (
	boundPosts        = 3000
	boundRequests     = 20_000
	boundFunctionTime = 5 * time.Minute
)

// How long a post and a request to a store take.
const (
	postTime    = 10 * time.Millisecond
	requestTime = 5 * time.Millisecond
)

// bill counts by minutes what a user causes.
type bill struct {
	mu       sync.Mutex
	posts    map[int64]int
	requests map[int64]int
	time     map[int64]time.Duration
}

func newBill() *bill {
	return &bill{posts: map[int64]int{}, requests: map[int64]int{}, time: map[int64]time.Duration{}}
}

// post counts a post, whatever becomes of it.
func (b *bill) post() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posts[connection.Minute(time.Now())]++
}

// request counts a request to a store, and takes its time.
func (b *bill) request() {
	b.mu.Lock()
	b.requests[connection.Minute(time.Now())]++
	b.mu.Unlock()
	time.Sleep(requestTime)
}

// run counts the time of a function.
func (b *bill) run(do func()) {
	start := time.Now()
	do()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time[connection.Minute(start)] += time.Since(start)
}

// billed is a store of connections and a feed whose requests are counted. A reading counts one for each thousand rows.
type billed struct {
	*connection.Memory

	bill *bill
}

func (s billed) Put(ctx context.Context, c connection.Connection) error {
	s.bill.request()

	return s.Memory.Put(ctx, c)
}

func (s billed) Get(ctx context.Context, id string) (connection.Connection, error) {
	s.bill.request()

	return s.Memory.Get(ctx, id)
}

func (s billed) Delete(ctx context.Context, id string) error {
	s.bill.request()

	return s.Memory.Delete(ctx, id)
}

func (s billed) ByUser(ctx context.Context, user string) iter.Seq2[connection.Connection, error] {
	return paged(s.bill, s.Memory.ByUser(ctx, user))
}

func (s billed) Refresh(ctx context.Context, id, user string, until time.Time) (connection.Connection, error) {
	s.bill.request() // it reads and writes
	s.bill.request()

	return s.Memory.Refresh(ctx, id, user, until)
}

func (s billed) DeleteIfUnchanged(ctx context.Context, c connection.Connection) (bool, error) {
	s.bill.request()

	return s.Memory.DeleteIfUnchanged(ctx, c)
}

func (s billed) Evict(ctx context.Context, id, user string, at time.Time) error {
	s.bill.request()

	return s.Memory.Evict(ctx, id, user, at)
}

func (s billed) Enter(ctx context.Context, user, id string, cost, limit int, at time.Time) (connection.User, bool, error) {
	s.bill.request()

	return s.Memory.Enter(ctx, user, id, cost, limit, at)
}

func (s billed) Spend(ctx context.Context, user, id string, cost, limit int, at time.Time) (connection.Spent, error) {
	s.bill.request()

	return s.Memory.Spend(ctx, user, id, cost, limit, at)
}

func (s billed) Refuse(ctx context.Context, id string, at time.Time) (int, error) {
	s.bill.request()

	return s.Memory.Refuse(ctx, id, at)
}

func (s billed) Forget(ctx context.Context, user string, closed, evicted []string, at time.Time) ([]string, error) {
	s.bill.request()

	return s.Memory.Forget(ctx, user, closed, evicted, at)
}

func paged[T any](b *bill, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		b.request()
		n := 0
		for row, err := range rows {
			if n++; n%1000 == 0 {
				b.request()
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

type billedFeed struct {
	*feed.Memory

	bill *bill
}

func (f billedFeed) JobsAfter(ctx context.Context, owner, after string) iter.Seq2[feed.Row, error] {
	return paged(f.bill, f.Memory.JobsAfter(ctx, owner, after))
}

func (f billedFeed) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	f.bill.request()

	return f.Memory.Notes(ctx, owner, since, limit)
}

func (f billedFeed) NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]feed.Note, error) {
	f.bill.request()

	return f.Memory.NewestNotes(ctx, owner, after, upTo, limit)
}

func (f billedFeed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	f.bill.request()

	return f.Memory.Dismiss(ctx, owner, id)
}

// billedGateway counts posts. A post to a connection that is closed counts as well.
type billedGateway struct {
	bill *bill

	mu     sync.Mutex
	closed map[string]bool
}

func (g *billedGateway) Send(ctx context.Context, id string, _ []byte) error {
	g.bill.post()
	select {
	case <-time.After(postTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed[id] {
		return broadcast.ErrGone
	}

	return nil
}

func (g *billedGateway) Close(_ context.Context, id string) error {
	time.Sleep(postTime)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[id] = true

	return nil
}

func (g *billedGateway) isClosed(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.closed[id]
}

// TestOneUserCostsNoMoreThanTheREADMESays sends random mixes of everything that a browser can send, from many tabs of one
// user that open and close as they like and never wait: posts, requests to the stores and the time of the functions stay
// under the bounds in every minute.
func TestOneUserCostsNoMoreThanTheREADMESays(t *testing.T) {
	readme, err := os.ReadFile("../web/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| posts | 3,000 ", "| requests to the stores | 20,000 |", "| run time of functions | 5 minutes, if a post takes 10 ms and a request to a store 5 ms;",
	} {
		if !strings.Contains(string(readme), row) {
			t.Errorf("PROTOCOL.md does not name the bound %q", row)
		}
	}
	seeds := 4
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { attack(t, uint64(seed)) })
		})
	}
}

func attack(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	b := newBill()
	store, kept := billed{&connection.Memory{IndexLag: time.Second}, b}, billedFeed{&feed.Memory{}, b}
	g := &billedGateway{bill: b, closed: map[string]bool{}}
	w := &world{T: t, feed: faultyFeed{kept.Memory, nil}}
	for n := range 50 + random.IntN(250) {
		w.job("u1", fmt.Sprint("j", n), 10)
	}
	var notes []string
	for n := range 50 + random.IntN(300) {
		notes = append(notes, w.note("u1", n))
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	connect := &session.Connect{Verifier: named{}, Store: store}
	def := &session.Default{
		Gateway: g, Connections: store, Feed: kept, Verifier: forged{}, Broadcaster: &broadcast.Broadcaster{Store: store, Sender: g},
	}
	reaper := &session.Reaper{Sessions: store, Gateway: g}
	tabs, each := 20+random.IntN(180), 100+random.IntN(200)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range tabs {
		mine := rand.New(rand.NewPCG(seed, random.Uint64()))
		all.Go(func() { hostile(ctx, mine, b, connect, def, g, notes, each) })
	}
	all.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(time.Minute)
			_ = reaper.Handle(context.Background(), nil)
		}
	})
	all.Wait()
	for minute := range b.requests {
		if n := b.posts[minute]; n > boundPosts {
			t.Errorf("%d posts in a minute, the bound is %d", n, boundPosts)
		}
		if n := b.requests[minute]; n > boundRequests {
			t.Errorf("%d requests in a minute, the bound is %d", n, boundRequests)
		}
		if n := b.time[minute]; n > boundFunctionTime {
			t.Errorf("the functions run for %v in a minute, the bound is %v", n, boundFunctionTime)
		}
		t.Logf("%d tabs: %d posts, %d requests, %v", tabs, b.posts[minute], b.requests[minute], b.time[minute].Round(time.Second))
	}
}

// forged takes every token for another user's.
type forged struct{}

func (forged) Verify(context.Context, string) (auth.Claims, error) {
	return auth.Claims{Subject: "u2", ExpiresAt: time.Now().Add(time.Hour)}, nil
}

// hostile is a tab that sends up to so many messages over one connection, each without waiting for the last, then opens
// another.
func hostile(
	ctx context.Context, random *rand.Rand, b *bill, connect *session.Connect, def *session.Default, g *billedGateway, notes []string, each int,
) {
	var sent sync.WaitGroup
	defer sent.Wait()
	for ctx.Err() == nil {
		id := fmt.Sprint("c", random.Uint64())
		r := session.Request{QueryStringParameters: map[string]string{"token": "u1"}}
		r.RequestContext.ConnectionID = id
		status := 0
		b.run(func() {
			response, _ := connect.Handle(context.Background(), r)
			status = response.StatusCode
		})
		for n := 0; status == 200 && n < each && !g.isClosed(id) && ctx.Err() == nil; n++ {
			m := session.Request{Body: anything(random, notes)}
			m.RequestContext.ConnectionID = id
			sent.Go(func() {
				b.run(func() { _, _ = def.Handle(context.Background(), m) })
			})
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		}
		if random.IntN(2) == 0 { // others are left open
			disconnect := session.Disconnect{Store: connect.Store}
			b.run(func() { _, _ = disconnect.Handle(context.Background(), r) })
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
	}
}

func anything(random *rand.Rand, notes []string) string {
	note := notes[random.IntN(len(notes))]
	switch random.IntN(8) {
	case 0:
		return `{"action":"sync"}`
	case 1:
		return `{"action":"sync","welcome":false,"since":"` + note + `"}`
	case 2:
		return `{"action":"sync","since":"` + notes[0] + `"}`
	case 3:
		return `{"action":"dismiss","id":"` + note + `"}`
	case 4:
		return `{"action":"dismiss","id":"` + aNote + `"}`
	case 5:
		return `{"action":"refresh","token":"x"}`
	case 6:
		return `{"action":"sync","since":1}`
	default:
		return dance
	}
}
