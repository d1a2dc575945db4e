package session_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// What PROTOCOL.md says that one user may cause in a minute of the clock.
const (
	boundPosts        = 3000
	boundRequests     = 25_000
	boundFunctionTime = 5 * time.Minute
)

// How long a post and a request to a store take.
const (
	postTime    = 10 * time.Millisecond
	requestTime = 5 * time.Millisecond
)

// usageMeter counts what a user causes in each minute of the clock. Its maps are by connection.Minute.
type usageMeter struct {
	mu       sync.Mutex
	posts    map[int64]int
	requests map[int64]int           // to the stores
	time     map[int64]time.Duration // run time of the functions
}

func newUsageMeter() *usageMeter {
	return &usageMeter{posts: map[int64]int{}, requests: map[int64]int{}, time: map[int64]time.Duration{}}
}

// post counts a post, also a failed one.
func (b *usageMeter) post() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posts[connection.Minute(time.Now())]++
}

// request counts a request to a store and takes its time.
func (b *usageMeter) request() {
	b.mu.Lock()
	b.requests[connection.Minute(time.Now())]++
	b.mu.Unlock()
	time.Sleep(requestTime)
}

// run measures the duration of a function call.
func (b *usageMeter) run(do func()) {
	start := time.Now()
	do()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time[connection.Minute(start)] += time.Since(start)
}

// meteredStore is a store of connections that counts requests: one for each call, and one for each thousand items of a query.
type meteredStore struct {
	*connection.Memory

	meter *usageMeter
}

func (s meteredStore) Put(ctx context.Context, c connection.Connection) error {
	s.meter.request()
	return s.Memory.Put(ctx, c)
}

func (s meteredStore) Get(ctx context.Context, id string) (connection.Connection, error) {
	s.meter.request()
	return s.Memory.Get(ctx, id)
}

func (s meteredStore) Delete(ctx context.Context, id string) error {
	s.meter.request()
	return s.Memory.Delete(ctx, id)
}

func (s meteredStore) ByUser(ctx context.Context, user string) iter.Seq2[connection.Connection, error] {
	return paged(s.meter, s.Memory.ByUser(ctx, user))
}

func (s meteredStore) Refresh(ctx context.Context, id, user string, until time.Time) (connection.Connection, error) {
	s.meter.request() // it reads and writes
	s.meter.request()
	return s.Memory.Refresh(ctx, id, user, until)
}

func (s meteredStore) DeleteIfUnchanged(ctx context.Context, c connection.Connection) (bool, error) {
	s.meter.request()
	return s.Memory.DeleteIfUnchanged(ctx, c)
}

func (s meteredStore) Evict(ctx context.Context, id, user string, at time.Time) error {
	s.meter.request()
	return s.Memory.Evict(ctx, id, user, at)
}

func (s meteredStore) Connect(ctx context.Context, user, id string, cost, limit int, at time.Time) (connection.ConnectResult, bool, error) {
	s.meter.request()
	return s.Memory.Connect(ctx, user, id, cost, limit, at)
}

func (s meteredStore) Spend(ctx context.Context, user, id string, cost, limit int, at time.Time) (connection.SpendResult, error) {
	s.meter.request()
	return s.Memory.Spend(ctx, user, id, cost, limit, at)
}

func (s meteredStore) CountRefusal(ctx context.Context, id string, at time.Time) (int, error) {
	s.meter.request()
	return s.Memory.CountRefusal(ctx, id, at)
}

func (s meteredStore) RemoveFromUser(ctx context.Context, user string, closed, evicted []string, at time.Time) ([]string, error) {
	s.meter.request()
	return s.Memory.RemoveFromUser(ctx, user, closed, evicted, at)
}

// paged returns rows, and counts a request for the first page, and one for each further page of a thousand rows.
func paged[T any](b *usageMeter, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
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

// meteredFeed is a feed that counts requests.
type meteredFeed struct {
	*feed.Memory

	meter *usageMeter
	// jobs are the rows of the user's jobs, in the order of their ids.
	jobs []feed.Row
}

// JobsAfter reads jobs that were stored before the attack.
func (f meteredFeed) JobsAfter(_ context.Context, _, after string, limit int) (feed.JobPage, error) {
	f.meter.request()
	from := sort.Search(len(f.jobs), func(n int) bool { return f.jobs[n].State.UploadID > after })
	to := min(from+limit, len(f.jobs))
	page := feed.JobPage{Rows: f.jobs[from:to]}
	if to < len(f.jobs) {
		page.Next = f.jobs[to-1].State.UploadID
	}
	return page, nil
}

func (f meteredFeed) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	f.meter.request()
	return f.Memory.Notes(ctx, owner, since, limit)
}

func (f meteredFeed) NewestNotes(ctx context.Context, owner, after, upTo string, limit int) ([]feed.Note, error) {
	f.meter.request()
	return f.Memory.NewestNotes(ctx, owner, after, upTo, limit)
}

func (f meteredFeed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	f.meter.request()
	return f.Memory.Dismiss(ctx, owner, id)
}

// meteredGateway counts posts, also those to closed connections.
type meteredGateway struct {
	meter *usageMeter

	mu     sync.Mutex
	closed map[string]bool
}

func (g *meteredGateway) Send(ctx context.Context, id string, _ []byte) error {
	g.meter.post()
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

func (g *meteredGateway) Close(_ context.Context, id string) error {
	time.Sleep(postTime)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[id] = true
	return nil
}

func (g *meteredGateway) isClosed(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed[id]
}

// TestUserCostsStayUnderThePublishedBounds sends random messages from many tabs of one user, which open and close at random
// and never wait. In every minute the posts, the requests to the stores and the duration of the functions stay under the bounds
// in PROTOCOL.md.
func TestUserCostsStayUnderThePublishedBounds(t *testing.T) {
	readme, err := os.ReadFile("../web/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| posts | 3,000 ", "| requests to the stores | 25,000 |", "| run time of functions | 5 minutes, if a post takes 10 ms and a request to a store 5 ms;",
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
			synctest.Test(t, func(t *testing.T) { attackRandomly(t, uint64(seed)) })
		})
	}
}

const anEpoch = "2026-11-22T10:00:00.000Z#0000"

// forgedCursor says that all jobs have been sent.
var forgedCursor = base64.RawURLEncoding.EncodeToString([]byte(`{"s":{"e":true,"t":0,"j":"zzzzzzzz"}}`))

// haveAll is the field "have" of a sync of a browser that has the 300 first jobs.
var haveAll = func() string {
	have := map[string][2]any{}
	for n := range 300 {
		have[fmt.Sprintf("j%05d", n)] = [2]any{anEpoch, 7}
	}
	text, _ := json.Marshal(have)
	return string(text)
}()

// attackRandomly makes a user with jobs and notes, lets hostile tabs of the user send messages for 150 s, and checks the bounds of
// each minute. seed decides the numbers of jobs, notes, tabs and messages.
func attackRandomly(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	b := newUsageMeter()
	store, userFeed := meteredStore{&connection.Memory{IndexLag: time.Second}, b}, meteredFeed{&feed.Memory{}, b, nil}
	g := &meteredGateway{meter: b, closed: map[string]bool{}}
	f := &fixture{T: t, feed: faultyFeed{userFeed.Memory, nil}}
	for n := range []int{300, 3000, 20_000}[random.IntN(3)] {
		state := message.UploadProgress{UploadID: fmt.Sprintf("j%05d", n), FileName: "f", Progress: 10, Message: "m"}
		userFeed.jobs = append(userFeed.jobs, feed.Row{Owner: feed.User("u1"), Epoch: anEpoch, Seq: 7, State: state, UpdatedAt: time.Now()})
	}
	var notes []string
	for n := range 50 + random.IntN(300) {
		notes = append(notes, f.addNote("u1", n))
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
	}
	connect := &session.Connect{Verifier: userNameVerifier{}, Store: store}
	def := &session.Default{
		Gateway: g, Connections: store, Feed: userFeed, Verifier: otherUserVerifier{}, Broadcaster: &broadcast.Broadcaster{Store: store, Sender: g},
	}
	uploads, uploadStore := newMeteredUploads(b)
	def.Uploads = uploads
	reaper := &session.Reaper{Sessions: store, Gateway: g}
	// each is how many messages a connection sends at most, pause the longest time between two of them.
	tabs, each, pause := 20+random.IntN(180), 100+random.IntN(200), time.Duration(random.IntN(500))*time.Millisecond
	if seed%2 == 0 {
		each, pause = 1000, 2*time.Millisecond // a pause of 1 ms on average
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range tabs {
		tabRandom := rand.New(rand.NewPCG(seed, random.Uint64())) // because a Rand is for one goroutine
		all.Go(func() { hostileTab(ctx, tabRandom, b, connect, def, g, notes, uploadStore, each, pause) })
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

// otherUserVerifier accepts every token as another user's.
type otherUserVerifier struct{}

func (otherUserVerifier) Verify(context.Context, string) (auth.Claims, error) {
	return auth.Claims{Subject: "u2", ExpiresAt: time.Now().Add(time.Hour)}, nil
}

// hostileTab opens a connection, sends up to each messages over it without waiting for answers, and then opens another connection,
// until ctx ends.
func hostileTab(
	ctx context.Context, random *rand.Rand, b *usageMeter, connect *session.Connect, def *session.Default, g *meteredGateway, notes []string, uploads *meteredUploads, each int,
	pause time.Duration,
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
			m := session.Request{Body: randomMessage(random, notes)}
			if random.IntN(4) == 0 {
				m.Body = uploads.randomMessage(random)
			}
			m.RequestContext.ConnectionID = id
			sent.Go(func() {
				b.run(func() { _, _ = def.Handle(context.Background(), m) })
			})
			time.Sleep(rand.N(pause + 1))
		}
		if status == 200 && random.IntN(2) == 0 { // others are left open
			disconnect := session.Disconnect{Store: connect.Store}
			b.run(func() { _, _ = disconnect.Handle(context.Background(), r) })
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
	}
}
