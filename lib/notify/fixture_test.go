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

var errDown = errors.New("table is gone")

// fault is what becomes of a call of a store.
type fault int

const (
	works      fault = iota
	applied          // done, and yet an error
	notApplied       // not done
	hangs            // until the caller has had enough
)

// faulty is a feed with a fault for each of its methods; once has it for one call only.
type faulty struct {
	*feed.Memory

	once  bool
	mu    sync.Mutex
	fault map[string]fault
}

// meet returns the error of a method, and whether its work is to be done all the same.
func (f *faulty) meet(ctx context.Context, method string) (error, bool) {
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

func (f *faulty) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	fail, work := f.meet(ctx, "Apply")
	if !work {
		return feed.Row{}, "", fail
	}
	row, outcome, err := f.Memory.Apply(ctx, owner, u)
	if fail != nil {
		return feed.Row{}, "", fail
	}

	return row, outcome, err
}

func (f *faulty) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	fail, work := f.meet(ctx, "ClaimPush")
	if !work {
		return feed.Row{}, false, fail
	}
	now, mine, err := f.Memory.ClaimPush(ctx, row, at)
	if fail != nil {
		return feed.Row{}, false, fail
	}

	return now, mine, err
}

func (f *faulty) Job(ctx context.Context, owner, job string) (feed.Row, error) {
	if fail, _ := f.meet(ctx, "Job"); fail != nil {
		return feed.Row{}, fail
	}

	return f.Memory.Job(ctx, owner, job)
}

func (f *faulty) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	fail, work := f.meet(ctx, "Add")
	if !work {
		return feed.Note{}, "", fail
	}
	added, outcome, err := f.Memory.Add(ctx, owner, n)
	if fail != nil {
		return feed.Note{}, "", fail
	}

	return added, outcome, err
}

// post is one frame on its way to a tab: when it left, since the test began, and what it is.
type post struct {
	At    time.Duration
	Frame string
}

// tabs sends to the tabs of a user. A post takes as long as delay says, and then arrives.
type tabs struct {
	start time.Time
	delay func() time.Duration
	err   error

	mu      sync.Mutex
	posts   map[string][]post
	arrived map[string][]message.Envelope
}

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

// sent returns what left for the first tab.
func (s *tabs) sent() []post {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.posts["c1"])
}

// got returns what the first tab has.
func (s *tabs) got() []message.Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.arrived["c1"])
}

// worker returns a notifier of its own, as each process has one, for the two tabs of u1.
func worker(tb testing.TB, f notify.Feed, to broadcast.Sender) *notify.Notifier {
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

const epoch = "1999-12-31T10:00:00.000Z#0000"

// at returns a request with a state of job "j" in phase "p".
func at(percent float64) message.Request {
	return message.Request{UserID: "u1", Epoch: epoch, Message: message.UploadProgress{
		UploadID: "j", FileName: "f.csv", Progress: percent, Message: "m", Phase: "p",
	}}
}

// with returns r with its state changed.
func with(r message.Request, change func(*message.UploadProgress)) message.Request {
	state, _ := message.AsUploadProgress(r.Message)
	change(&state)
	r.Message = state

	return r
}

// ended returns a request with a terminal state of job "j".
func ended(status message.Status) message.Request {
	return with(at(0), func(p *message.UploadProgress) { p.Status = status })
}

func publish(tb testing.TB, n *notify.Notifier, r message.Request) {
	tb.Helper()
	if err := n.Publish(tb.Context(), r); err != nil {
		tb.Errorf("publish: %v", err)
	}
}

func row(t *testing.T, f feed.Jobs) feed.Row {
	t.Helper()
	r, err := f.Job(t.Context(), feed.User("u1"), "j")
	if err != nil {
		t.Fatal(err)
	}

	return r
}
