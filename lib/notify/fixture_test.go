package notify_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/notify"
)

// This file holds what the tests of several files use: a feed that fails on demand, tabs that record the frames they get, notifiers,
// and requests that publish a state of the job "j" of the user "u1".

var errDown = errors.New("table is gone")

// fault is how a call of a feed's method fails.
type fault int

const (
	works      fault = iota
	applied          // the write is done, and yet the call returns an error
	notApplied       // the write is not done, and the call returns an error
	hangs            // the call returns when its context ends
)

// faultyFeed is a feed whose methods have faults. Each fault applies to every call of its method, or with once only to the first.
type faultyFeed struct {
	*feed.Memory

	once  bool
	mu    sync.Mutex
	fault map[string]fault // by method
}

// fail returns the error that a call of a method must return, or nil, and whether the call must do its work.
func (f *faultyFeed) fail(ctx context.Context, method string) (error, bool) {
	f.mu.Lock()
	how := f.fault[method]
	if f.once {
		delete(f.fault, method)
	}
	f.mu.Unlock()
	if how == hangs {
		<-ctx.Done()

		return ctx.Err(), false
	}
	if how == works {
		return nil, true
	}

	return errDown, how == applied
}

func (f *faultyFeed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	fail, work := f.fail(ctx, "Apply")
	if !work {
		return feed.Row{}, "", fail
	}
	row, outcome, err := f.Memory.Apply(ctx, owner, u)
	if fail != nil {
		return feed.Row{}, "", fail
	}

	return row, outcome, err
}

func (f *faultyFeed) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	fail, work := f.fail(ctx, "ClaimPush")
	if !work {
		return feed.Row{}, false, fail
	}
	newest, claimed, err := f.Memory.ClaimPush(ctx, row, at)
	if fail != nil {
		return feed.Row{}, false, fail
	}

	return newest, claimed, err
}

func (f *faultyFeed) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	if fail, _ := f.fail(ctx, "Job"); fail != nil {
		return feed.Row{}, fail
	}

	return f.Memory.Job(ctx, owner, job)
}

func (f *faultyFeed) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	fail, work := f.fail(ctx, "Add")
	if !work {
		return feed.Note{}, "", fail
	}
	added, outcome, err := f.Memory.Add(ctx, owner, n)
	if fail != nil {
		return feed.Note{}, "", fail
	}

	return added, outcome, err
}

// post is one frame that was posted to a tab.
type post struct {
	At    time.Duration // when the post started, since newTabs
	Frame string
}

// tabs is a Sender that records what it posts to the tabs of a user. A post takes the time that delay returns. Then it fails with err,
// or its frame arrives.
type tabs struct {
	start time.Time
	delay func() time.Duration // nil: no time
	err   error

	mu      sync.Mutex
	posts   map[string][]post             // by connection id, in the order of their starts
	arrived map[string][]message.Envelope // by connection id, in the order of their arrival
}

// newTabs returns tabs whose posts arrive at once.
func newTabs() *tabs {
	return &tabs{start: time.Now(), posts: map[string][]post{}, arrived: map[string][]message.Envelope{}}
}

func (s *tabs) Send(_ context.Context, id string, frame []byte) error {
	e, err := message.Parse(frame)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.posts[id] = append(s.posts[id], post{time.Since(s.start), string(frame)})
	s.mu.Unlock()
	if s.delay != nil {
		time.Sleep(s.delay())
	}
	if s.err != nil {
		return s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived[id] = append(s.arrived[id], e)

	return nil
}

// posted returns the posts to the first tab, "c1".
func (s *tabs) posted() []post {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.posts["c1"])
}

// received returns the frames that arrived at the first tab, "c1".
func (s *tabs) received() []message.Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.arrived["c1"])
}

// newNotifier returns a notifier that posts to the two tabs of u1, "c1" and "c2". Each process has a notifier of its own, so tests make
// one for each process; the notifiers of a test share its feed.
func newNotifier(tb testing.TB, f notify.Feed, to broadcast.Sender) *notify.Notifier {
	tb.Helper()
	rows := &connection.Memory{}
	for _, id := range []string{"c1", "c2"} {
		c := connection.Connection{ID: id, UserID: "u1", ConnectedAt: time.Now(), TokenExpiresAt: time.Now().Add(time.Hour)}
		if err := rows.Put(tb.Context(), c); err != nil {
			tb.Fatal(err)
		}
	}

	return &notify.Notifier{Broadcaster: &broadcast.Broadcaster{Store: rows, Sender: to}, Feed: f}
}

// epoch is the epoch of stateAt. It is before the start of virtual time, the year 2000.
const epoch = "1999-12-31T10:00:00.000Z#0000"

// stateAt returns a request with a state of job "j" in phase "p", at a progress in percent.
func stateAt(percent float64) message.Request {
	return message.Request{UserID: "u1", Epoch: epoch, Message: message.UploadProgress{
		UploadID: "j", FileName: "f.csv", Progress: percent, Message: "m", Phase: "p",
	}}
}

// withState returns r after change has changed its state.
func withState(r message.Request, change func(*message.UploadProgress)) message.Request {
	state, _ := message.AsUploadProgress(r.Message)
	change(&state)
	r.Message = state

	return r
}

// endedWith returns a request with a terminal state of job "j".
func endedWith(status message.Status) message.Request {
	return withState(stateAt(0), func(p *message.UploadProgress) { p.Status = status })
}

// publish publishes r, which must succeed.
func publish(tb testing.TB, n *notify.Notifier, r message.Request) {
	tb.Helper()
	if err := n.Publish(tb.Context(), r); err != nil {
		tb.Errorf("publish: %v", err)
	}
}

// jobRow returns the row of job "j".
func jobRow(t *testing.T, f feed.Jobs) feed.Row {
	t.Helper()
	r, err := f.Job(t.Context(), feed.User("u1"), "j")
	if err != nil {
		t.Fatal(err)
	}

	return r
}
