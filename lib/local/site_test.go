package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

// site is a server in memory. It writes down what tabs do, and when.
type site struct {
	t     *testing.T
	start time.Time

	mu sync.Mutex
	// answer returns the frames that answer an action.
	answer func(action string) []message.Data
	// refuse is the error of the next handshakes.
	refuse error
	// token is what tabs get from their TokenFunc, or signedOut is.
	token     string
	signedOut error
	log       []string
	socket    *siteSocket // the newest
}

func newSite(t *testing.T) *site {
	t.Helper()

	return &site{t: t, start: time.Now(), answer: obliging, token: "token"}
}

// obliging answers as the server does to a tab that knows everything.
func obliging(action string) []message.Data {
	switch action {
	case "ping":
		return []message.Data{message.Unknown{Name: message.TypePong, JSON: json.RawMessage(`{}`)}}
	case "sync":
		return []message.Data{message.Synced{}}
	default:
		return nil
	}
}

// from changes what happens from now on.
func (s *site) from(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// newToken is the tabs' Token.
func (s *site) newToken(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.token, s.signedOut
}

func (s *site) notef(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, time.Since(s.start).String()+" "+fmt.Sprintf(format, args...))
}

// expect compares what was written down since the last time.
func (s *site) expect(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.log); diff != "" {
		s.t.Errorf("the tab's doings (-want +got):\n%s", diff)
	}
	s.log = nil
}

func (s *site) dial(_ context.Context, _, token string) (local.Socket, error) {
	s.notef("connect %s", token)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.socket = &siteSocket{site: s, frames: make(chan message.Envelope, 100), closed: make(chan struct{})}

	return s.socket, nil
}

// post sends a frame to the newest connection.
func (s *site) post(e message.Envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.frames <- e
}

// hangUp ends the newest connection.
func (s *site) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket.end()
}

type siteSocket struct {
	site   *site
	frames chan message.Envelope
	closed chan struct{}
	once   sync.Once
}

func (c *siteSocket) end() { c.once.Do(func() { close(c.closed) }) }

func (c *siteSocket) Next(ctx context.Context) (message.Envelope, []byte, error) {
	select {
	case e := <-c.frames:
		return e, nil, nil
	case <-c.closed:
		return message.Envelope{}, nil, io.EOF
	case <-ctx.Done():
		return message.Envelope{}, nil, ctx.Err()
	}
}

func (c *siteSocket) Send(_ context.Context, text string) error {
	var m struct{ Action, Token string }
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		c.site.t.Errorf("the tab sends %s", text)
	}
	c.site.notef("%s", strings.TrimSpace(m.Action+" "+m.Token))
	c.site.mu.Lock()
	answer := c.site.answer
	c.site.mu.Unlock()
	for _, data := range answer(m.Action) {
		c.frames <- message.New(data, "", time.Now())
	}

	return nil
}

func (c *siteSocket) Close() error {
	c.site.notef("close")
	c.end()

	return nil
}

func (c *siteSocket) Drop() error {
	c.site.notef("drop")
	c.end()

	return nil
}

// open runs a tab of the site until the test ends. What Run returned is received from the channel.
func (s *site) open(c local.TabConfig) (*local.Tab, <-chan error) {
	s.t.Helper()
	c.Dial = s.dial
	c.Token = s.newToken
	tab := local.NewTab(c)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tab.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		synctest.Wait()
	})
	synctest.Wait()

	return tab, ended
}

// progress returns a stored state of a running job, as of now.
func progress(seq int64, status message.Status) message.Envelope {
	e := message.New(message.UploadProgress{UploadID: "u-42", FileName: "f", Progress: 50, Message: "m", Status: status}, "", time.Now())
	e.Seq = seq

	return e
}
