package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/auth"
	"github.com/herald-progress/herald/lib/broadcast"
	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/session"
)

// This file has what several test files use: a gateway that records frames, stores that fail on demand, and a fixture with helpers.

// gateway records frames, the times of posts, and closed connections. A post to a closed connection returns ErrGone.
type gateway struct {
	fail     func(id string, e message.Envelope) error // if set, it returns the error of a post
	delay    time.Duration                             // how long a post takes
	closeErr error                                     // the error of Close

	mu sync.Mutex
	// sent has the frames that each connection received: those of a batch one by one. tried has all frames that were posted, also
	// those whose post failed, and a batch as one frame.
	sent  map[string][]posted
	tried []message.Envelope
	// events has the received frames and the calls of Close, in their order: the frame's type or "close", and the connection's id.
	events      []string
	closed      map[string]bool
	maxBatch    int // the size of the largest batch, in bytes
	inFlight    int
	maxInFlight int
}

// posted is a frame that a connection received, and the time at which its post began.
type posted struct {
	message.Envelope

	at time.Time
}

func (g *gateway) Send(ctx context.Context, id string, frame []byte) error {
	e, err := message.Parse(frame)
	if err != nil {
		return fmt.Errorf("not a frame: %w", err)
	}
	at := time.Now()
	g.mu.Lock()
	g.tried = append(g.tried, e)
	g.inFlight++
	g.maxInFlight = max(g.maxInFlight, g.inFlight)
	g.mu.Unlock()
	if g.delay > 0 {
		select {
		case <-time.After(g.delay):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.closed[id] {
		return broadcast.ErrGone
	}
	if g.fail != nil && err == nil {
		err = g.fail(id, e)
	}
	if err != nil {
		return err
	}
	if g.sent == nil {
		g.sent = map[string][]posted{}
	}
	frames, err := unpack(e, frame)
	if e.Type == message.TypeBatch {
		g.maxBatch = max(g.maxBatch, len(frame))
	}
	for _, e := range frames {
		g.sent[id] = append(g.sent[id], posted{e, at})
		g.events = append(g.events, string(e.Type)+" "+id)
	}
	return err
}

func (g *gateway) Close(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, "close "+id)
	if g.closeErr != nil {
		return g.closeErr
	}
	if g.closed == nil {
		g.closed = map[string]bool{}
	}
	g.closed[id] = true
	return nil
}

// takeFrames returns the frames of a connection and removes them.
func (g *gateway) takeFrames(id string) []message.Envelope {
	g.mu.Lock()
	defer g.mu.Unlock()
	var frames []message.Envelope
	for _, p := range g.sent[id] {
		frames = append(frames, p.Envelope)
	}
	delete(g.sent, id)
	return frames
}

func (g *gateway) isClosed(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed[id]
}

// faultyStore is a store of connections whose methods can fail.
type faultyStore struct {
	*connection.Memory

	// fail maps the name of a method to its error. The key of DeleteIfUnchanged also has the id: "DeleteIfUnchanged c1". With the
	// key "applied", this method deletes the connection and then returns its error.
	fail map[string]error
	// delay is how long Get takes.
	delay *time.Duration
}

func (f faultyStore) Get(ctx context.Context, id string) (connection.Connection, error) {
	if err := f.fail["Get"]; err != nil {
		return connection.Connection{}, err
	}
	c, err := f.Memory.Get(ctx, id)
	time.Sleep(*f.delay)
	return c, err
}

func (f faultyStore) Put(ctx context.Context, c connection.Connection) error {
	if err := f.fail["Put"]; err != nil {
		return err
	}
	return f.Memory.Put(ctx, c)
}

func (f faultyStore) Delete(ctx context.Context, id string) error {
	if err := f.fail["Delete"]; err != nil {
		return err
	}
	return f.Memory.Delete(ctx, id)
}

func (f faultyStore) ByUser(ctx context.Context, userID string) iter.Seq2[connection.Connection, error] {
	if err := f.fail["ByUser"]; err != nil {
		return func(yield func(connection.Connection, error) bool) { yield(connection.Connection{}, err) }
	}
	return f.Memory.ByUser(ctx, userID)
}

func (f faultyStore) Refresh(ctx context.Context, id, userID string, until time.Time) (connection.Connection, error) {
	if err := f.fail["Refresh"]; err != nil {
		return connection.Connection{}, err
	}
	return f.Memory.Refresh(ctx, id, userID, until)
}

func (f faultyStore) EndedSessions(ctx context.Context, at time.Time) iter.Seq2[connection.Connection, error] {
	return func(yield func(connection.Connection, error) bool) {
		for c, err := range f.Memory.EndedSessions(ctx, at) {
			if !yield(c, err) {
				return
			}
		}
		if err := f.fail["EndedSessions"]; err != nil {
			yield(connection.Connection{}, err)
		}
	}
}

func (f faultyStore) DeleteIfUnchanged(ctx context.Context, c connection.Connection) (bool, error) {
	if err := f.fail["DeleteIfUnchanged "+c.ID]; err != nil {
		if f.fail["applied"] != nil {
			_, _ = f.Memory.DeleteIfUnchanged(ctx, c)
		}
		return false, err
	}
	return f.Memory.DeleteIfUnchanged(ctx, c)
}

func (f faultyStore) Spend(ctx context.Context, user, id string, cost, limit int, at time.Time) (connection.SpendResult, error) {
	if err := f.fail["Spend"]; err != nil {
		return connection.SpendResult{}, err
	}
	return f.Memory.Spend(ctx, user, id, cost, limit, at)
}

func (f faultyStore) CountRefusal(ctx context.Context, id string, at time.Time) (int, error) {
	if err := f.fail["CountRefusal"]; err != nil {
		return 0, err
	}
	return f.Memory.CountRefusal(ctx, id, at)
}

// faultyFeed is a feed whose methods can fail.
type faultyFeed struct {
	*feed.Memory

	// fail maps the name of a method to its error. The key of JobsAfter is "Jobs".
	fail map[string]error
}

func (f faultyFeed) JobsAfter(ctx context.Context, owner, after string, limit int) (feed.JobPage, error) {
	if err := f.fail["Jobs"]; err != nil {
		return feed.JobPage{}, err
	}

	return f.Memory.JobsAfter(ctx, owner, after, limit)
}

func (f faultyFeed) Notes(ctx context.Context, owner, since string, limit int) ([]feed.Note, error) {
	if err := f.fail["Notes"]; err != nil {
		return nil, err
	}
	return f.Memory.Notes(ctx, owner, since, limit)
}

func (f faultyFeed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	if err := f.fail["Dismiss"]; err != nil {
		return false, err
	}
	return f.Memory.Dismiss(ctx, owner, id)
}

// tokens is a verifier of tokens. It maps each valid token to a function that returns its claims. Other tokens are invalid.
type tokens map[string]func() (auth.Claims, error)

func (v tokens) Verify(_ context.Context, token string) (auth.Claims, error) {
	if claims, ok := v[token]; ok {
		return claims()
	}
	return auth.Claims{}, fmt.Errorf("%w: signature", auth.ErrInvalid)
}

// fixture is a $default handler and a reaper with in-memory stores. fail maps the method of either store to the error that it returns.
type fixture struct {
	*testing.T

	store   faultyStore
	feed    faultyFeed
	gateway *gateway
	tokens  tokens
	fail    map[string]error
	log     *bytes.Buffer
	logger  *slog.Logger
	handler *session.Default
	reaper  *session.Reaper
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, gateway: &gateway{}, tokens: tokens{}, fail: map[string]error{}, log: &bytes.Buffer{}}
	f.store = faultyStore{&connection.Memory{}, f.fail, new(time.Duration)}
	f.feed = faultyFeed{&feed.Memory{}, f.fail}
	f.logger = slog.New(slog.NewJSONHandler(f.log, nil))
	f.handler = f.newHandler()
	f.reaper = &session.Reaper{Sessions: f.store, Gateway: f.gateway, Log: f.logger}
	return f
}

// newHandler returns a handler on the same stores, as another Lambda instance has it.
func (f *fixture) newHandler() *session.Default {
	return &session.Default{
		Gateway: f.gateway, Connections: f.store, Feed: f.feed, Verifier: f.tokens, Log: f.logger,
		Broadcaster: &broadcast.Broadcaster{Store: f.store, Sender: f.gateway},
	}
}

// connect stores a new connection of a user whose token expires after tokenLife.
func (f *fixture) connect(id, userID string, tokenLife time.Duration) connection.Connection {
	f.Helper()
	c := connection.Connection{ID: id, UserID: userID, ConnectedAt: time.Now().UTC(), TokenExpiresAt: time.Now().UTC().Add(tokenLife)}
	if err := f.store.Put(f.Context(), c); err != nil {
		f.Fatal(err)
	}
	return c
}

// send handles one message of a browser. An error fails the test.
func (f *fixture) send(id, body string) {
	f.Helper()
	if err := f.handle(f.handler, id, body); err != nil {
		f.Fatalf("%s: %v", body, err)
	}
}

func (f *fixture) handle(h *session.Default, id, body string) error {
	r := session.Request{Body: body}
	r.RequestContext.ConnectionID = id
	got, err := h.Handle(f.Context(), r)
	if err == nil && got.StatusCode != 200 {
		return fmt.Errorf("status %d", got.StatusCode)
	}
	return err
}

// addJob stores a running state of a user's job. The current second is the epoch.
func (f *fixture) addJob(userID, job string, progress float64) feed.Row {
	f.Helper()
	state := message.UploadProgress{UploadID: job, FileName: "parts-list.csv", Progress: progress, Message: "Parsing"}
	at := time.Now()
	row, outcome, err := f.feed.Apply(f.Context(), feed.User(userID), feed.Update{State: state, Epoch: epochOf(at), ID: ulid.Make().String(), At: at})
	if err != nil || outcome != feed.Accepted {
		f.Fatal(outcome, err)
	}
	return row
}

func epochOf(at time.Time) string {
	epoch, err := message.NormalizeEpoch(at.UTC().Format(time.RFC3339))
	if err != nil {
		panic(err)
	}
	return epoch
}

// addNote stores a note of a user and returns its id, which is made of the current time and n.
func (f *fixture) addNote(userID string, n int) string {
	f.Helper()
	var id ulid.ULID
	if err := errors.Join(id.SetTime(ulid.Timestamp(time.Now())), id.SetEntropy([]byte{1, 0, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n)})); err != nil {
		f.Fatal(err)
	}
	data := message.Notification{Title: "t", Message: fmt.Sprint("note ", n), Severity: message.SeverityInfo}
	if _, _, err := f.feed.Add(f.Context(), feed.User(userID), feed.Note{ID: id.String(), At: time.Now(), Data: data}); err != nil {
		f.Fatal(err)
	}
	return id.String()
}

// checkFrames removes the frames of a connection from the gateway, and compares their descriptions with want. States and notes are
// posted concurrently, so want has each group of them sorted.
func (f *fixture) checkFrames(id string, want ...string) {
	f.Helper()
	var got []string
	for _, e := range f.gateway.takeFrames(id) {
		got = append(got, describe(e))
	}
	sortUnordered(got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		f.Errorf("%s sees %q, want %q", id, got, want)
	}
}

// describe returns a short text for a frame, such as "synced jobs=1 notes=0 more=false".
func describe(e message.Envelope) string {
	switch data := e.Data.(type) {
	case message.UploadProgress:
		return fmt.Sprint("job ", e.Job, " ", e.Seq, " ", data.Progress)
	case message.Notification:
		return fmt.Sprintf("%s replayed=%v", data.Message, e.Replayed)
	case message.Error:
		return fmt.Sprintf("error %s: %s", data.Code, data.Message)
	case message.Closing:
		return fmt.Sprintf("closing %s reconnect=%v", data.Code, data.Reconnect)
	case message.Synced:
		text := fmt.Sprintf("synced jobs=%d notes=%d more=%v", data.Jobs, data.Notes, data.More)
		if data.RetryAfter > 0 {
			text += fmt.Sprintf(" retryAfter=%d", data.RetryAfter)
		}
		return text
	case message.Dismissed:
		return "dismissed " + data.ID
	default:
		return string(e.Type)
	}
}

func (f *fixture) checkClosed(id string, want bool) {
	f.Helper()
	if got := f.gateway.isClosed(id); got != want {
		f.Errorf("%s closed: %v, want %v", id, got, want)
	}
}

func (f *fixture) checkStored(id string, want bool) {
	f.Helper()
	if _, err := f.store.Memory.Get(f.Context(), id); (err == nil) != want {
		f.Errorf("%s has a row: %v, want %v (%v)", id, err == nil, want, err)
	}
}
