package local_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/local"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// hostilePause is the pause between two messages of a hostile connection, and floodPause that of a connection which sends
	// only syncs. They are not shorter because the good tabs run on the same machine.
	hostilePause = 200 * time.Millisecond
	floodPause   = 20 * time.Millisecond
	// hostileFlood is the minimum time for which the hostile tabs of a good user send messages without a limit.
	hostileFlood = 10 * time.Second
	// hostileConnections is more than one user may have.
	hostileConnections = 60
	// hostileShare is the limit of messages of each kind in a run of a few seconds: if hostile tabs spend the user's budget,
	// the good tabs of that user must wait for the next minute, and only a longer run can wait that long.
	hostileShare = 10
)

// attack runs hostile tabs of one user until a context ends.
type attack struct {
	twin *local.Twin
	user string
	// together sends all kinds of messages on one connection, so that each frame for the user is posted to few more tabs.
	together bool
	// limit is the maximum number of messages of each kind; 0 means no limit.
	limit int
	// crowd is the number of additional connections, which never read.
	crowd int

	mu   sync.Mutex
	sent map[string]int
}

// hostileMessages has a function for each kind of attack, which returns the n-th message.
var hostileMessages = map[string]func(n int) (websocket.MessageType, string){
	"syncs": func(n int) (websocket.MessageType, string) {
		return websocket.MessageText, []string{
			`{"action":"sync"}`, `{"action":"sync","since":"00000000000000000000000001"}`, `{"action":"sync","cursor":"no cursor"}`,
			`{"action":"sync","have":{"job 1":["9999-12-31T00:00:00.000Z#0000",9007199254740991]}}`, `{"action":"sync","have":[]}`,
		}[n%5]
	},
	"dismissals": func(int) (websocket.MessageType, string) {
		return websocket.MessageText, `{"action":"dismiss","id":"` + ulid.Make().String() + `"}`
	},
	"unknown actions": func(n int) (websocket.MessageType, string) {
		return websocket.MessageText, fmt.Sprintf(`{"action":"action %d"}`, n)
	},
	// e30 is {} in base64, so each part of this token is an empty object.
	"refreshes": func(int) (websocket.MessageType, string) {
		return websocket.MessageText, `{"action":"refresh","token":"e30.e30.e30"}`
	},
	"bad messages": func(n int) (websocket.MessageType, string) {
		return websocket.MessageText, []string{"", "{", "[]", "\x00", strings.Repeat("[", 10_000)}[n%5]
	},
	"binary frames": func(int) (websocket.MessageType, string) { return websocket.MessageBinary, "\xff" },
	// The gateway accepts frames of up to 32 KiB.
	"oversized frames": func(int) (websocket.MessageType, string) { return websocket.MessageText, strings.Repeat("a", 40<<10) },
	"long messages":    func(int) (websocket.MessageType, string) { return websocket.MessageText, strings.Repeat("a", 31<<10) },
}

// run makes attacks of all kinds at once.
func (a *attack) run(ctx context.Context) {
	var tabs sync.WaitGroup
	kinds := slices.Sorted(maps.Keys(hostileMessages))
	if a.together {
		tabs.Go(func() { a.send(ctx, readsFrames, kinds...) })
	} else {
		for _, kind := range kinds {
			tabs.Go(func() { a.send(ctx, readsFrames, kind) })
		}
	}
	tabs.Go(func() { a.send(ctx, readsNothing, "syncs") })
	for range a.crowd {
		tabs.Go(func() { a.openSilentConnection(ctx) })
	}
	tabs.Wait()
}

// count counts a message of a kind and returns how many have been sent.
func (a *attack) count(kind string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil {
		a.sent = map[string]int{}
	}
	a.sent[kind]++
	return a.sent[kind]
}

// dial opens a connection.
func (a *attack) dial(ctx context.Context) (*websocket.Conn, error) {
	token, err := a.twin.Token(a.user, time.Hour)
	if err != nil {
		return nil, err
	}
	conn, _, err := websocket.Dial(ctx, a.twin.WebSocketURL(), &websocket.DialOptions{Subprotocols: []string{"herald", token}})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(message.MaxFrame)
	return conn, nil
}

// Whether a hostile connection reads the frames that it gets.
const (
	readsFrames  = true
	readsNothing = false
)

// send sends messages of some kinds in turn, and connects again after each close.
func (a *attack) send(ctx context.Context, reads bool, kinds ...string) {
	interval := hostilePause
	if slices.Equal(kinds, []string{"syncs"}) {
		interval = floodPause
	}
	for i := 0; ctx.Err() == nil; { // i counts the messages
		conn, err := a.dial(ctx)
		if err != nil {
			pause(ctx, hostilePause)
			continue
		}
		connCtx, cancel := context.WithCancel(ctx)
		if reads {
			go func() {
				defer cancel()
				for {
					if _, _, err := conn.Read(connCtx); err != nil {
						return
					}
				}
			}()
		}
		for connCtx.Err() == nil {
			kind := kinds[i%len(kinds)]
			i++
			n := a.count(kind)
			if a.limit > 0 && n > a.limit {
				pause(ctx, interval)
				continue
			}
			if messageType, text := hostileMessages[kind](n); conn.Write(ctx, messageType, []byte(text)) != nil {
				break
			}
			pause(ctx, interval)
		}
		cancel()
		conn.CloseNow()
	}
}

// openSilentConnection keeps a connection open that never reads.
func (a *attack) openSilentConnection(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := a.dial(ctx)
		if err != nil {
			pause(ctx, hostilePause)
			continue
		}
		a.count("connections")
		<-ctx.Done()
		conn.CloseNow()
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// waitUntilSent waits until the attack has sent atLeast messages of each kind, but not longer than patience.
func (a *attack) waitUntilSent(atLeast int) {
	enough := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for kind := range hostileMessages {
			if a.sent[kind] < atLeast {
				return false
			}
		}

		return a.sent["connections"] >= a.crowd
	}
	for end := time.Now().Add(patience); !enough() && time.Now().Before(end); {
		time.Sleep(hostilePause)
	}
}

// check reports the kinds of attacks that sent fewer than atLeast messages.
func (a *attack) check(t *testing.T, atLeast int) {
	t.Helper()
	t.Logf("%s: %v", a.user, a.sent)
	for kind := range hostileMessages {
		if a.sent[kind] < atLeast {
			t.Errorf("%s: %d %s, want %d at least", a.user, a.sent[kind], kind, atLeast)
		}
	}
	if a.sent["connections"] < a.crowd {
		t.Errorf("%s: %d connections, want %d", a.user, a.sent["connections"], a.crowd)
	}
}
